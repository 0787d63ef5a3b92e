//! The functions' binary that runs: kept apart from the one that cargo builds.
//!
//! A build replaces its file also when the functions in it do not fit the manifest. What ran before goes on then, cold starts included, so it must still be
//! there.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::fail::Fail;

/// Keeps the binary as it is now, in a folder of its own below the state folder, under its own name.
pub(crate) fn keep(state: &Path, binary: &Path) -> miette::Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = all(state).join(format!("{}-{number}", std::process::id()));
    let failed = |error: std::io::Error| {
        let what = format!(
            "the functions' binary cannot be kept in {}; make it writable, or choose another folder with --state",
            folder.display()
        );
        Fail::from_io(&what, &error)
    };
    // One of the same number is left of a process that was killed.
    remove(&folder);
    std::fs::create_dir_all(&folder).map_err(failed)?;
    let kept = folder.join(binary.file_name().unwrap_or("functions".as_ref()));
    // A link costs nothing, and cargo replaces the file instead of writing into it. Other file systems want a copy.
    if std::fs::hard_link(binary, &kept).is_err() {
        std::fs::copy(binary, &kept).map_err(failed)?;
    }
    Ok(kept)
}

/// Removes all but the one that was kept last. Only for whoever holds the state folder: others may be running from it.
pub(crate) fn forget_others(state: &Path, kept: &Path) {
    let Ok(folders) = std::fs::read_dir(all(state)) else {
        return;
    };
    for folder in folders.flatten().map(|entry| entry.path()) {
        if kept.parent() != Some(&folder) {
            remove(&folder);
        }
    }
}

fn all(state: &Path) -> PathBuf {
    state.join("bin")
}

fn remove(folder: &Path) {
    if let Err(error) = std::fs::remove_dir_all(folder)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::debug!(folder = %folder.display(), %error, "an old binary stays behind");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_outlives_a_build_and_what_is_older_goes() {
        let folder = tempfile::tempdir().unwrap();
        let (state, built) = (folder.path().join("state"), folder.path().join("app"));
        std::fs::write(&built, "one").unwrap();
        let one = keep(&state, &built).unwrap();
        // As a linker does it.
        std::fs::remove_file(&built).unwrap();
        std::fs::write(&built, "two").unwrap();
        let two = keep(&state, &built).unwrap();
        assert_eq!(std::fs::read_to_string(&one).unwrap(), "one");
        assert_eq!(std::fs::read_to_string(&two).unwrap(), "two");
        assert_eq!(two.file_name(), built.file_name());
        forget_others(&state, &two);
        assert!(!one.exists() && two.exists());
    }
}

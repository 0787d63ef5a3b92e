//! Watches a project's files: its source, and its manifest.

use std::path::Path;
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use crate::fail::Fail;

/// How long files must be left alone before they count as changed: editors write in several steps.
const SETTLE: Duration = Duration::from_millis(200);

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Changed {
    Source,
    Manifest,
}

/// Watches until it is dropped.
#[derive(Debug)]
pub(super) struct Watcher {
    changes: mpsc::UnboundedReceiver<Changed>,
    _watcher: RecommendedWatcher,
}

impl Watcher {
    pub(super) fn start(dir: &Path) -> miette::Result<Self> {
        let (sender, changes) = mpsc::unbounded_channel();
        let failed = |error: notify::Error| {
            Fail::new(format!("the project's files cannot be watched: {error}"))
                .help("run with --no-watch, and start again after a change")
        };
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            if matches!(event.kind, EventKind::Access(_)) {
                return;
            }
            for change in event.paths.iter().filter_map(|path| change_of(path)) {
                // The session may have ended.
                let _ = sender.send(change);
            }
        })
        .map_err(failed)?;
        // The folder itself, not the files: editors replace them.
        watcher.watch(dir, RecursiveMode::NonRecursive).map_err(failed)?;
        let source = dir.join("src");
        if source.is_dir() {
            watcher.watch(&source, RecursiveMode::Recursive).map_err(failed)?;
        }
        Ok(Self {
            changes,
            _watcher: watcher,
        })
    }

    async fn next(&mut self) -> Option<Changed> {
        let mut changed = self.changes.recv().await?;
        while let Ok(Some(more)) = tokio::time::timeout(SETTLE, self.changes.recv()).await {
            changed = changed.max(more);
        }
        Some(changed)
    }
}

/// What a path's change means; `None` for a file that matters to neither.
fn change_of(path: &Path) -> Option<Changed> {
    let name = path.file_name()?.to_str()?;
    if name == nephos_manifest::FILE_NAME {
        return Some(Changed::Manifest);
    }
    let source = Path::new(name)
        .extension()
        .is_some_and(|extension| extension == "rs")
        || matches!(name, "Cargo.toml" | "build.rs");
    source.then_some(Changed::Source)
}

/// The next change; never, if nothing is watched.
pub(super) async fn changed(watcher: Option<&mut Watcher>) -> Changed {
    if let Some(watcher) = watcher
        && let Some(changed) = watcher.next().await
    {
        return changed;
    }
    std::future::pending().await
}

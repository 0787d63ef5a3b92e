//! A static program, for targets whose images hold nothing but the program: made by the compiler alone, in a moment. No rule that deploys it calls it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use bytes::Bytes;
use nephos_core::{Error, ErrorKind, Result};
use tokio::process::Command;

/// What it does: it says that it is no function.
const SOURCE: &str = "fn main() { println!(\"[]\"); }\n";

/// A program that needs nothing of a system around it.
///
/// # Errors
/// [`ErrorKind::NotFound`] if the compiler cannot be started, or cannot make one; what it says is in the error.
pub async fn static_program() -> Result<Bytes> {
    let folder = std::env::temp_dir().join(format!("nephos-program-{}", uuid::Uuid::new_v4().simple()));
    let made = make(&folder).await;
    // What cannot be removed does no harm there.
    let _ = tokio::fs::remove_dir_all(&folder).await;
    made
}

async fn make(folder: &Path) -> Result<Bytes> {
    let failed = |message: &'static str| Error::new(ErrorKind::NotFound, "harness.program", message);
    let unwritten = |error: std::io::Error| {
        failed("there is no room for a program in the temporary folder").caused_by(error)
    };
    tokio::fs::create_dir(folder).await.map_err(unwritten)?;
    let (source, program) = (folder.join("program.rs"), folder.join("program"));
    tokio::fs::write(&source, SOURCE).await.map_err(unwritten)?;
    let compiler = std::env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from);
    let output = Command::new(compiler)
        .args([
            "--edition",
            "2024",
            "-C",
            "opt-level=s",
            "-C",
            "strip=symbols",
            "-C",
            "target-feature=+crt-static",
            "-o",
        ])
        .arg(&program)
        .arg(&source)
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(|error| failed("rustc cannot be started; name it in the variable RUSTC").caused_by(error))?;
    if !output.status.success() {
        return Err(failed("rustc cannot make a static program")
            .caused_by(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    tokio::fs::read(&program)
        .await
        .map(Bytes::from)
        .map_err(unwritten)
}

/// The program with this number behind its end: one build told from the next.
#[must_use]
pub fn build_of(program: &Bytes, build: u32) -> Bytes {
    [program.as_ref(), b"\nbuild ", build.to_string().as_bytes()]
        .concat()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_build_begins_as_the_program_and_is_another() {
        let program = Bytes::from_static(b"\x7fELF");
        assert!(build_of(&program, 1).starts_with(b"\x7fELF"));
        assert_ne!(build_of(&program, 1), build_of(&program, 2));
    }
}

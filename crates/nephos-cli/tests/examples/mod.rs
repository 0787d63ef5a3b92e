//! The project's examples, built by the command as an author would.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The folder of an example.
pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(name)
}

/// Runs the command in a project's folder.
pub(crate) fn nephos(arguments: &[&str], folder: &Path) -> Output {
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    Command::new(env!("CARGO_BIN_EXE_nephos"))
        .env("CARGO_TARGET_DIR", built)
        // Nothing that a debugger wants.
        .env("CARGO_PROFILE_DEV_STRIP", "symbols")
        .args(arguments)
        .arg("-C")
        .arg(folder)
        .output()
        .unwrap()
}

/// What a command that succeeded printed.
pub(crate) fn done(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    out
}

/// The example's binary, built by the command with the features that it chooses, for this target first.
pub(crate) fn binary(example: &str, target: &str) -> PathBuf {
    let out = done(&nephos(
        &["--json", "build", "--target", target, "--profile", "dev"],
        &self::example(example),
    ));
    let line: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    PathBuf::from(line["binary"].as_str().unwrap())
}

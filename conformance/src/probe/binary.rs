//! Finds the probe's binary, and makes what is deployed of it where functions run on this machine.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use bytes::Bytes;
use nephos_core::{Error, ErrorKind, Result};
use tokio::process::Command;

/// The probe's binary: the one that the environment `variable` names, or a new build by cargo with these features of the crate `nephos-probe`.
///
/// # Errors
/// [`ErrorKind::NotFound`] if it cannot be built; what the compiler says goes to standard error.
pub async fn build(variable: &'static str, features: &str) -> Result<PathBuf> {
    let failed = |message: &'static str| {
        Error::new(ErrorKind::NotFound, "harness.probe", message)
            .with("package", "nephos-probe")
            .with("variable", variable)
    };
    if let Some(path) = std::env::var_os(variable) {
        let path = PathBuf::from(path);
        if !path.is_file() {
            return Err(failed("the variable names no binary of the probe").with("path", path.display()));
        }
        return Ok(path);
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // Cargo's own message tells nobody what to do who knows of no probe.
    let known = Command::new(&cargo)
        .args(["pkgid", "nephos-probe"])
        .output()
        .await;
    if known.is_ok_and(|known| !known.status.success()) {
        return Err(failed(
            "rules that deploy functions need the probe, which cargo builds in a clone of Nephos only; run this there, or name a binary of it in the variable",
        )
        .with("features", features));
    }
    let output = Command::new(cargo)
        .args(["build", "--quiet", "-p", "nephos-probe", "--features", features])
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()
        .await
        .map_err(|error| {
            failed("cargo cannot be started; name a binary of the probe in the variable").caused_by(error)
        })?;
    if !output.status.success() {
        return Err(failed("the probe cannot be built"));
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "nephos-probe")
        .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)))
        .ok_or_else(|| failed("cargo built no binary of the probe"))
}

/// What is deployed: a script that becomes the probe. An emulator runs functions on this machine, where the binary is, and a debug build packed
/// and unpacked for each of a hundred deployments would take longer than all rules. `build` tells one artifact from the next.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] if the binary's path is not text.
pub fn bootstrap(binary: &Path, build: u32) -> Result<Bytes> {
    let path = binary.to_str().ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidArgument,
            "harness.probe",
            "the path of the probe's binary is not text",
        )
        .with("path", binary.display())
    })?;
    let quoted = path.replace('\'', r"'\''");
    let mut script = String::from("#!/bin/sh\n");
    // Writing to a string cannot fail.
    let _ = writeln!(script, "# build {build}\nexec '{quoted}'");
    Ok(script.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_build_is_an_artifact_of_its_own_that_starts_the_binary_whatever_its_path() {
        let script =
            |build| String::from_utf8(bootstrap(Path::new("/a b/it's"), build).unwrap().into()).unwrap();
        assert_eq!(script(1), "#!/bin/sh\n# build 1\nexec '/a b/it'\\''s'\n");
        assert_ne!(script(1), script(2));
    }
}

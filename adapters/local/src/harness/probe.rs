//! Finds the probe's binary.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use nephos_core::{Error, ErrorKind, Result};

/// Names a binary of the probe that is there already.
const PROBE: &str = "NEPHOS_PROBE";

/// The probe's binary: the one that `NEPHOS_PROBE` names, or a new build by cargo.
///
/// # Errors
/// [`ErrorKind::NotFound`] if it cannot be built; what the compiler says goes to standard error.
pub fn build_probe() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(PROBE) {
        return Ok(path.into());
    }
    let failed = |message: &'static str| {
        Error::new(ErrorKind::NotFound, "harness.probe", message)
            .with("package", "nephos-probe")
            .with("variable", PROBE)
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "-p",
            "nephos-probe",
            "--message-format=json-render-diagnostics",
        ])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| {
            failed("cargo cannot be started; name a binary of the probe in the variable").caused_by(error)
        })?;
    if !output.status.success() {
        return Err(failed("the probe cannot be built"));
    }
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "nephos-probe")
        .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)))
        .ok_or_else(|| failed("cargo built no binary of the probe"))
}

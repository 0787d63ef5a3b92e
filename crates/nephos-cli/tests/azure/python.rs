//! Azure's SDK for Python.

use std::path::PathBuf;

use nephos_conformance::process::TOOLS;
use serde_json::Value;

/// Calls a function of `sdk.py` with these arguments, and gives what it returned.
pub(crate) async fn python(call: Value) -> Value {
    let tools =
        std::env::var_os(TOOLS).unwrap_or_else(|| panic!("{TOOLS} is not set; run `cargo xtask test`"));
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/azure/sdk.py");
    let output = tokio::process::Command::new(PathBuf::from(tools).join("python/bin/python"))
        .arg(program)
        .arg(call.to_string())
        .output()
        .await
        .unwrap();
    assert!(
        output.status.success(),
        "{call}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

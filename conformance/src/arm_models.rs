//! What Azure Resource Manager is sent, against the typed models of Azure's own clients for Python, which name every field that its interfaces take. Azure publishes no
//! schema in a registry.

use std::io::Write as _;
use std::process::{Command, Stdio};

use nephos_core::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::process::Tool;

const PYTHON: Tool = Tool {
    what: "Python, with the models of Azure's interfaces",
    path: "python/bin/python",
};
const SCRIPT: &str = include_str!("arm_models.py");
const OPERATION: &str = "arm-models.check";

/// What does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Finding {
    /// The template's name, or `requests`.
    pub file: String,
    /// `error`, or `warning` for a value of an enumeration that the models do not know: Azure's are open.
    pub level: String,
    /// In which resource or request, and in which field of it.
    #[serde(rename = "where")]
    pub place: String,
    /// What is wrong there.
    pub what: String,
}

/// Checks templates: every resource's body, its version, and that each expression's functions and what it refers to are there.
///
/// # Errors
/// [`ErrorKind::NotFound`] without the tools that `cargo xtask setup` installs; [`ErrorKind::Internal`] if the check itself fails.
pub fn templates<'a>(templates: impl IntoIterator<Item = (&'a str, &'a Value)>) -> Result<Vec<Finding>> {
    let by_name: serde_json::Map<String, Value> = templates
        .into_iter()
        .map(|(name, body)| (name.to_owned(), body.clone()))
        .collect();
    check(&json!({"templates": by_name, "requests": []}))
}

/// Checks requests, each a method, a path and a body. What is sent to where no models are known is a finding.
///
/// # Errors
/// Those of [`templates()`].
pub fn requests<'a>(
    requests: impl IntoIterator<Item = (&'a str, &'a str, &'a Value)>,
) -> Result<Vec<Finding>> {
    let all: Vec<Value> = requests
        .into_iter()
        .map(|(method, path, body)| json!({"method": method, "path": path, "body": body}))
        .collect();
    check(&json!({"templates": {}, "requests": all}))
}

fn check(told: &Value) -> Result<Vec<Finding>> {
    let failed = |what: &'static str| Error::new(ErrorKind::Internal, OPERATION, what);
    let unable = |error: std::io::Error| failed("the check cannot be run").caused_by(error);
    let mut child = Command::new(PYTHON.find()?)
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(unable)?;
    // It reads all before it writes. What it does not read, it says why.
    let sent = child
        .stdin
        .take()
        .map_or(Ok(()), |mut input| input.write_all(told.to_string().as_bytes()));
    let output = child.wait_with_output().map_err(unable)?;
    let findings = serde_json::from_slice(&output.stdout);
    match (sent, findings) {
        (Ok(()), Ok(findings)) if output.status.success() => Ok(findings),
        _ => Err(failed("the check ended without a list of findings")
            .with("said", String::from_utf8_lossy(&output.stderr))),
    }
}

//! Sizes and durations of the manifest: what is accepted is within its range, and means the same when it is written in the smallest unit.

use std::collections::BTreeMap;
use std::time::Duration;

use nephos_core::app::FunctionSpec;
use nephos_manifest::{Report, load_str};

/// Reads `data` as a size and a duration, each on a line.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (size, duration) = text.split_once('\n').unwrap_or((text, "30 s"));
    match load(size, "30 s") {
        Ok(function) => {
            let again = load(&format!("{} B", function.memory), "30 s").expect("bytes are a size");
            assert_eq!(again.memory, function.memory, "{size:?}");
            assert!(function.memory > 0, "{size:?} is nothing");
        }
        Err(report) => refused(size, "30 s", &report),
    }
    match load("1 GiB", duration) {
        Ok(function) => {
            let millis = format!("{} ms", function.timeout.as_millis());
            let again = load("1 GiB", &millis).expect("milliseconds are a duration");
            assert_eq!(again.timeout, function.timeout, "{duration:?}");
            assert!(function.timeout > Duration::ZERO, "{duration:?} is nothing");
        }
        Err(report) => refused("1 GiB", duration, &report),
    }
}

/// One wrong value is one problem, with the way to write it right.
fn refused(size: &str, duration: &str, report: &Report) {
    assert_eq!(report.problems().len(), 1, "{report:?}");
    for problem in report.problems() {
        assert!(problem.advice().is_some(), "{problem:?} says not what to do");
    }
    crate::manifest::check_report(&manifest(size, duration), report);
}

fn manifest(size: &str, duration: &str) -> String {
    let (size, duration) = (quoted(size), quoted(duration));
    format!(
        "app = \"a\"\n[function.f]\non = [{{ http = \"GET /\" }}]\nmemory = {size}\ntimeout = {duration}\n"
    )
}

/// TOML's text in quotes is JSON's, but for one character that TOML wants escaped too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text)
        .to_string()
        .replace('\u{7f}', "\\u007f")
}

fn load(size: &str, duration: &str) -> Result<FunctionSpec, Report> {
    let text = manifest(size, duration);
    let loaded = load_str("nephos.toml", &text, None, &BTreeMap::new(), &["local"])?;
    let function = loaded.app.functions.into_values().next();
    Ok(function.expect("the manifest declares a function"))
}

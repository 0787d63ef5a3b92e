//! What an adapter declares, as a file beside its tests: the part of its report that is checked in. The documentation's table of capabilities is made of these files, and a test holds
//! each to be what a report says.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use serde_json::json;

use crate::harness::{Capabilities, Harness};

/// When set, the file is written instead of compared.
const UPDATE: &str = "NEPHOS_UPDATE_GOLDEN";

/// The test that the file is what the adapter declares.
pub(crate) fn trial(harness: &dyn Harness, capabilities: &Capabilities, file: PathBuf) -> Trial {
    let adapter = harness.adapter();
    let mode = harness.mode().name();
    let mut document = json!({"adapter": adapter, "mode": mode, "capabilities": capabilities});
    document.sort_all_objects();
    Trial::test(format!("{adapter}::declared"), move || {
        // Keys are text and numbers finite: this cannot fail.
        let text = format!(
            "{}\n",
            serde_json::to_string_pretty(&document).unwrap_or_default()
        );
        check(&file, &text, std::env::var_os(UPDATE).is_some()).map_err(Failed::from)
    })
}

fn check(file: &Path, text: &str, update: bool) -> Result<(), String> {
    if update {
        return std::fs::write(file, text)
            .map_err(|error| format!("{} cannot be written: {error}", file.display()));
    }
    let found = std::fs::read_to_string(file)
        .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    if found == text {
        return Ok(());
    }
    Err(format!(
        "{} is not what the adapter declares; run again with {UPDATE}=1, and then the test `command` of nephos-cli with it, which makes the documentation's table of it",
        file.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_when_asked_and_compared_otherwise() {
        let file = std::env::temp_dir().join(format!("nephos-declared-{}", uuid::Uuid::new_v4().simple()));
        assert!(check(&file, "{}", false).unwrap_err().contains("cannot be read"));
        check(&file, "{}", true).unwrap();
        check(&file, "{}", false).unwrap();
        assert!(
            check(&file, "{ }", false)
                .unwrap_err()
                .contains("NEPHOS_UPDATE_GOLDEN=1")
        );
        std::fs::remove_file(&file).unwrap();
    }
}

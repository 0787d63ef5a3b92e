//! Google's emulators come from no registry of packages, so that a machine may well be without them: its tests then say that these did not run.

use std::env;
use std::path::PathBuf;

/// The feature whose tests need the emulators.
pub(super) const HARNESS: &str = "nephos-gcp/harness";
/// What of the adapter is tested without them.
pub(super) const WITHOUT: &str = "nephos-gcp/host,nephos-gcp/on-all";

/// Where the Google Cloud CLI keeps them.
const FOLDERS: [&str; 2] = ["platform/pubsub-emulator", "platform/cloud-firestore-emulator"];

/// What is missing to start them, if anything is; the tests look in the same places.
pub(super) fn missing() -> Option<String> {
    let Some(root) = root() else {
        return Some(
            "the Google Cloud CLI is not installed (`gcloud` in PATH, or CLOUDSDK_ROOT_DIR)".to_owned(),
        );
    };
    if let Some(folder) = FOLDERS.iter().find(|folder| !root.join(folder).is_dir()) {
        return Some(format!(
            "{} is not there; install it with `gcloud components install` or the system's packages",
            root.join(folder).display()
        ));
    }
    in_path("java")
        .is_none()
        .then(|| "Java is not installed, which the emulators need".to_owned())
}

fn root() -> Option<PathBuf> {
    if let Some(root) = env::var_os("CLOUDSDK_ROOT_DIR") {
        return Some(root.into());
    }
    let program = in_path("gcloud")?.canonicalize().ok()?;
    Some(program.parent()?.parent()?.to_owned())
}

fn in_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

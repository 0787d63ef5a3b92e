//! Google's own emulators of Pub/Sub and of Firestore, as the Google Cloud CLI brings them: <https://cloud.google.com/pubsub/docs/emulator>,
//! <https://cloud.google.com/firestore/docs/emulator>. They come from no package registry, and need Java.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use nephos_core::{Error, ErrorKind, Result};

use crate::process::{Launch, Running, free_port};

const OPERATION: &str = "emulator.start";

/// Where the Google Cloud CLI is, by its own variable; unset, it is where the program `gcloud` is.
const ROOT: &str = "CLOUDSDK_ROOT_DIR";

/// An emulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emulator {
    /// Of Pub/Sub.
    PubSub,
    /// Of Firestore in native mode.
    Firestore,
}

impl Emulator {
    const fn what(self) -> &'static str {
        match self {
            Self::PubSub => "Google's emulator of Pub/Sub",
            Self::Firestore => "Google's emulator of Firestore",
        }
    }

    /// The CLI's name of it.
    const fn component(self) -> &'static str {
        match self {
            Self::PubSub => "pubsub-emulator",
            Self::Firestore => "cloud-firestore-emulator",
        }
    }

    /// The folder with its archive, below the CLI's own.
    const fn folder(self) -> &'static str {
        match self {
            Self::PubSub => "platform/pubsub-emulator/lib",
            Self::Firestore => "platform/cloud-firestore-emulator",
        }
    }

    fn is_archive(self, name: &str) -> bool {
        match self {
            Self::PubSub => name.starts_with("cloud-pubsub-emulator-") && name.ends_with("-all.jar"),
            Self::Firestore => name == "cloud-firestore-emulator.jar",
        }
    }

    /// Its archive.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if it is not installed, with what to install.
    pub fn find(self) -> Result<PathBuf> {
        self.find_in(root())
    }

    fn find_in(self, root: Option<PathBuf>) -> Result<PathBuf> {
        let missing = || {
            Error::new(
                ErrorKind::NotFound,
                OPERATION,
                format!(
                    "{} is not installed; install the Google Cloud CLI and Java, then `gcloud components install {component}` or the system's package `google-cloud-cli-{package}`, and set {ROOT} if `gcloud` is not in PATH",
                    self.what(),
                    component = self.component(),
                    package = self.component().trim_start_matches("cloud-"),
                ),
            )
        };
        let root = root.ok_or_else(missing)?;
        std::fs::read_dir(root.join(self.folder()))
            .map_err(|error| missing().caused_by(error))?
            .flatten()
            .find(|entry| {
                entry
                    .file_name()
                    .to_str()
                    .is_some_and(|name| self.is_archive(name))
            })
            .map(|entry| entry.path())
            .ok_or_else(missing)
    }

    /// Starts it, empty, on a free port of the loopback interface, and waits until it answers. It ends when dropped.
    ///
    /// # Errors
    /// Those of [`find`](Self::find) and [`Running::start`].
    pub async fn start(self) -> Result<Running> {
        let archive = self.find()?;
        Running::start(|| {
            let port = free_port()?;
            let launch = Launch {
                what: self.what(),
                program: "java".into(),
                arguments: Vec::new(),
                environment: Vec::new(),
                port,
                path: "/",
                statuses: &[200],
            };
            Ok(launch.arguments(self.arguments(&archive, port)))
        })
        .await
    }

    fn arguments(self, archive: &Path, port: u16) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = match self {
            Self::PubSub => vec!["-Xmx256m".into(), "-jar".into(), archive.into()],
            Self::Firestore => vec![
                "-Xmx512m".into(),
                "-cp".into(),
                archive.into(),
                "com.google.cloud.datastore.emulator.firestore.CloudFirestore".into(),
                "start".into(),
            ],
        };
        arguments.extend(["--host=127.0.0.1".into(), format!("--port={port}").into()]);
        arguments
    }
}

/// The folder of the Google Cloud CLI.
fn root() -> Option<PathBuf> {
    if let Some(root) = std::env::var_os(ROOT) {
        return Some(root.into());
    }
    let program = std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join("gcloud"))
        .find(|program| program.is_file())?;
    // The program in PATH may be a link to the one in the CLI's folder `bin`.
    let program = program.canonicalize().ok()?;
    Some(program.parent()?.parent()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emulator_is_found_below_the_clis_folder_and_one_that_is_not_there_is_named_with_what_to_install() {
        let root = tempfile::tempdir().unwrap();
        for (emulator, archive) in [
            (Emulator::PubSub, "cloud-pubsub-emulator-0.8.20-all.jar"),
            (Emulator::Firestore, "cloud-firestore-emulator.jar"),
        ] {
            for missing in [None, Some(root.path().to_owned())] {
                let error = emulator.find_in(missing).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::NotFound);
                let install = format!("gcloud components install {}", emulator.component());
                assert!(error.message().contains(&install), "{error}");
            }
            let folder = root.path().join(emulator.folder());
            std::fs::create_dir_all(&folder).unwrap();
            for name in ["LICENSE", archive] {
                std::fs::write(folder.join(name), "").unwrap();
            }
            assert_eq!(
                emulator.find_in(Some(root.path().to_owned())).unwrap(),
                folder.join(archive)
            );
        }
    }
}

//! Google's own emulators of Pub/Sub and of Firestore, as the Google Cloud CLI brings them: <https://cloud.google.com/pubsub/docs/emulator>,
//! <https://cloud.google.com/firestore/docs/emulator>. They come from no package registry, and need Java. Where they are not there, the [stand-ins](super::data) take their place.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nephos_core::{Error, ErrorKind, Result};

use super::data::StandIn;
use crate::discovery::Documents;
use crate::process::{Launch, Running, free_port};

const OPERATION: &str = "emulator.start";

/// Where the Google Cloud CLI is, by its own variable; unset, it is where the program `gcloud` is.
const ROOT: &str = "CLOUDSDK_ROOT_DIR";

/// Says what to run over: `none` is the stand-ins, whatever is installed; unset, it is Google's emulators where they are there.
pub const CHOICE: &str = "NEPHOS_GOOGLE_EMULATORS";

/// What to run over.
#[derive(Debug)]
pub enum Choice {
    /// Google's own emulators.
    Google,
    /// The stand-ins, because of this.
    StandIns(Error),
}

impl Choice {
    /// What is there, unless the variable [`CHOICE`] says otherwise.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for another value of it than `none`.
    pub fn find() -> Result<Self> {
        Self::of(std::env::var_os(CHOICE), || {
            Emulator::PubSub.find()?;
            Emulator::Firestore.find().map(drop)
        })
    }

    fn of(variable: Option<OsString>, find: impl FnOnce() -> Result<()>) -> Result<Self> {
        let chosen = |message: String| Error::new(ErrorKind::InvalidArgument, OPERATION, message);
        match variable.filter(|value| !value.is_empty()) {
            None => Ok(find().map_or_else(Self::StandIns, |()| Self::Google)),
            Some(value) if value == "none" => Ok(Self::StandIns(chosen(format!("{CHOICE} is none")))),
            Some(value) => Err(
                chosen(format!("{CHOICE} is `none`, for the stand-ins, or not set"))
                    .with("value", value.display()),
            ),
        }
    }

    /// For a report.
    #[must_use]
    pub fn told(&self) -> String {
        match self {
            Self::Google => "Google's own emulators of Pub/Sub and Firestore".to_owned(),
            Self::StandIns(why) => format!(
                "the suite's stand-ins of Pub/Sub and Firestore, not Google's own emulators: {}",
                why.message()
            ),
        }
    }
}

/// What answers for Pub/Sub or Firestore. It ends when dropped.
#[derive(Debug)]
pub enum Service {
    /// Google's own emulator.
    Google(Running),
    /// The stand-in.
    StandIn(StandIn),
}

impl Service {
    /// Where it answers (`http://127.0.0.1:4000`).
    #[must_use]
    pub fn endpoint(&self) -> String {
        match self {
            Self::Google(emulator) => emulator.endpoint(),
            Self::StandIn(stand_in) => stand_in.url(),
        }
    }

    /// Whether it still answers. A stand-in ends with this program only.
    ///
    /// # Errors
    /// Those of [`Running::alive`].
    pub async fn alive(&self) -> Result<()> {
        match self {
            Self::Google(emulator) => emulator.alive().await,
            Self::StandIn(_) => Ok(()),
        }
    }
}

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
        self.find_in(root(), in_path("java"))
    }

    fn find_in(self, root: Option<PathBuf>, java: Option<PathBuf>) -> Result<PathBuf> {
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
        java.ok_or_else(missing)?;
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

    /// Starts what is [chosen](Choice::find), empty, and waits until it answers.
    ///
    /// # Errors
    /// Those of [`Choice::find`], [`start_googles`](Self::start_googles), [`Documents::installed`] and [`StandIn::start`].
    pub async fn start(self) -> Result<Service> {
        match Choice::find()? {
            Choice::Google => self.start_googles().await.map(Service::Google),
            Choice::StandIns(_) => {
                let documents = Arc::new(Documents::installed()?);
                StandIn::start(self, documents).await.map(Service::StandIn)
            }
        }
    }

    /// Starts Google's own, empty, on a free port of the loopback interface, and waits until it answers. It ends when dropped.
    ///
    /// # Errors
    /// Those of [`find`](Self::find) and [`Running::start`].
    pub async fn start_googles(self) -> Result<Running> {
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
    // The program in PATH may be a link to the one in the CLI's folder `bin`.
    let program = in_path("gcloud")?.canonicalize().ok()?;
    Some(program.parent()?.parent()?.to_owned())
}

fn in_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
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
            let java = || Some(root.path().join("java"));
            for (missing, java) in [(None, java()), (Some(root.path().to_owned()), java())] {
                let error = emulator.find_in(missing, java).unwrap_err();
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
                emulator.find_in(Some(root.path().to_owned()), java()).unwrap(),
                folder.join(archive)
            );
            let error = emulator.find_in(Some(root.path().to_owned()), None).unwrap_err();
            assert!(error.message().contains("Java"), "{error}");
        }
    }

    #[test]
    fn googles_own_are_chosen_where_they_are_there_and_the_stand_ins_say_why_it_is_they() {
        let missing = || Err(Error::new(ErrorKind::NotFound, OPERATION, "no Java"));
        let chosen = Choice::of(None, || Ok(())).unwrap();
        assert!(chosen.told().starts_with("Google's own"), "{chosen:?}");
        let why = Choice::of(Some("".into()), missing).unwrap().told();
        assert!(why.contains("stand-ins") && why.ends_with("no Java"), "{why}");
        let why = Choice::of(Some("none".into()), || Ok(())).unwrap().told();
        assert!(why.contains("stand-ins") && why.contains(CHOICE), "{why}");
        let error = Choice::of(Some("all".into()), || Ok(())).unwrap_err();
        assert!(error.to_string().contains("all"), "{error}");
    }
}

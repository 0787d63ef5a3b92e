//! Running other programs: the command is printed, its failure names it and says what needed it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use crate::tidy::graph::Metadata;

/// What can go wrong in the project's own commands.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program that is not installed, or cannot be run.
    #[error("cannot run `{program}`, which {needed_by} needs: {source}; install it and try again")]
    Missing {
        /// The program.
        program: String,
        /// What needs it.
        needed_by: String,
        /// Why it did not start.
        source: io::Error,
    },
    /// A program that ran and failed.
    #[error("`{command}` failed ({status}){hint}")]
    Failed {
        /// The whole command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What to do, after `; `, or nothing.
        hint: String,
    },
    /// A file or folder.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried: `read`, `create`, …
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Anything that one sentence says best.
    #[error("{0}")]
    Other(String),
}

/// The result of one of the project's own commands.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Turns an I/O error on `path` into one that says what was tried.
    pub fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}

/// The workspace's root folder.
#[must_use]
pub fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}

/// The features that no package of the workspace asks for by itself, but whose code is checked and tested all the same.
pub const FEATURES: &str = "nephos-local/harness,nephos-aws/harness,nephos-azure/harness,nephos-gcp/harness,nephos/s3,nephos-conformance/azure-functions,nephos-conformance/google-cloud";

/// Cargo, in the workspace's root.
#[must_use]
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// The command as one would type it.
#[must_use]
pub fn line(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program());
    std::iter::once(program)
        .chain(command.get_args())
        .map(|s| s.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Prints the command and runs it to its end, without input.
///
/// # Errors
/// [`Error::Missing`] where it cannot start, [`Error::Failed`] where it ends with anything but success.
pub fn run(command: &mut Command, needed_by: &str) -> Result<()> {
    eprintln!("$ {}", line(command));
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|e| missing(command, needed_by, e))?;
    ended(command, status)
}

/// Runs the command silently and gives what it printed. What it says on standard error stays visible.
///
/// # Errors
/// As [`run`], and [`Error::Other`] for output that is not text.
pub fn output(command: &mut Command, needed_by: &str) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| missing(command, needed_by, e))?;
    ended(command, output.status)?;
    String::from_utf8(output.stdout).map_err(|_| Error::Other(format!("`{}` printed no text", line(command))))
}

/// The workspace as cargo sees it.
///
/// # Errors
/// Cargo's own, and metadata that cannot be read.
pub fn metadata() -> Result<Metadata> {
    let mut command = cargo();
    command.args(["metadata", "--format-version", "1", "--no-deps"]);
    let json = output(&mut command, "every xtask command")?;
    serde_json::from_str(&json).map_err(|e| Error::Other(format!("cannot read `cargo metadata`: {e}")))
}

/// The error of a program that did not start.
#[must_use]
pub fn missing(command: &Command, needed_by: &str, source: io::Error) -> Error {
    let program = command.get_program().to_string_lossy().into_owned();
    Error::Missing {
        program,
        needed_by: needed_by.to_owned(),
        source,
    }
}

/// An error unless `status` is success.
///
/// # Errors
/// [`Error::Failed`].
pub fn ended(command: &Command, status: ExitStatus) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    Err(Error::Failed {
        command: line(command),
        status,
        hint: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_installed_is_named_with_what_needs_it() {
        let error = run(&mut Command::new("nephos-no-such-program"), "the S3 peer")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`nephos-no-such-program`") && error.contains("the S3 peer"),
            "{error}"
        );
    }

    #[test]
    fn a_program_that_fails_is_shown_with_its_arguments() {
        let error = run(Command::new("sh").args(["-c", "exit 3"]), "a test")
            .unwrap_err()
            .to_string();
        assert!(error.contains("`sh -c exit 3`") && error.contains('3'), "{error}");
    }
}

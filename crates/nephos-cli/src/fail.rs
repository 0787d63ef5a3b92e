//! The command's own errors, and the exit code of each.

use std::process::ExitCode;

use miette::Diagnostic;
use thiserror::Error;

/// A failure with what to do about it.
#[derive(Debug, Error, Diagnostic)]
#[error("{message}")]
pub(crate) struct Fail {
    message: String,
    #[help]
    help: Option<String>,
    code: u8,
}

impl Fail {
    /// It failed at run time.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
            code: 1,
        }
    }

    /// The words on the command line are wrong in a way that the parser cannot know.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            code: 2,
            ..Self::new(message)
        }
    }

    /// The functions do not build.
    pub(crate) fn build(message: impl Into<String>) -> Self {
        Self {
            code: 4,
            ..Self::new(message)
        }
    }

    /// An operating system's error, with what was tried.
    pub(crate) fn from_io(what: &str, error: &std::io::Error) -> Self {
        Self::new(format!("{what}: {error}"))
    }

    /// Adds what to do.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Its exit code.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl From<nephos_core::Error> for Fail {
    fn from(error: nephos_core::Error) -> Self {
        Self::new(error.chain())
    }
}

/// The exit code of any report: a manifest with mistakes is 3.
pub(crate) fn exit_code(report: &miette::Report) -> ExitCode {
    if let Some(fail) = report.downcast_ref::<Fail>() {
        return fail.exit_code();
    }
    if report.downcast_ref::<nephos_manifest::Report>().is_some() {
        return ExitCode::from(3);
    }
    ExitCode::FAILURE
}

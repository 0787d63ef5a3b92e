//! Requests to Google Cloud, held against Google's discovery documents: what no method takes is found before Google is asked.
//!
//! [`Documents::read`] takes the documents that `cargo xtask setup` put into the folder of tools, [`Documents::find`] the method that an HTTP method and a path
//! belong to, and [`Call::check`] holds query and body against it. A document says of a body what its fields are called, their types, formats and enumerations, and
//! in the first words of a field's description (`Required.`, `Output only.`, `Immutable.`) what the service does with it:
//! <https://developers.google.com/discovery/v1/reference/apis>, <https://google.aip.dev/203>. Uploads of media are not looked at, nor which fields exclude each other.

mod body;
mod document;
mod format;
mod mask;
mod path;
mod prose;
mod query;

use std::fmt;

pub use self::document::{Call, Documents, NAMES};
pub(crate) use self::mask::camel;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The service takes it, but it is on its way out, or may not mean what it seems to.
    Warning,
    /// The service refuses it, or does not do what it says.
    Error,
}

/// Something that a document does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The document, and the method if it is known (`run.v2 run.projects.locations.services.create`).
    pub file: String,
    /// How bad it is.
    pub level: Level,
    /// Where: `path`, `query.pageSize`, or a field (`template.containers[0].image`).
    pub place: String,
    /// What is wrong, as a sentence without its end.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Warning => "warning",
            Level::Error => "error",
        };
        write!(f, "{}: {level}: {}: {}", self.file, self.place, self.what)
    }
}

/// Whether none of the findings is an error.
#[must_use]
pub fn is_accepted(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.level != Level::Error)
}

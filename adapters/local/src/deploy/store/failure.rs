//! SQLite's errors and the store's own, until the operation's name and the file are known.

use std::path::Path;

use nephos_core::{Error, ErrorKind};
use rusqlite::ErrorCode;

/// What an operation inside the store fails with.
#[derive(Debug)]
pub(super) enum Failure {
    /// SQLite's.
    Sql(rusqlite::Error),
    /// One that says all there is to say.
    Own(Error),
}

/// The result of an operation inside the store.
pub(super) type Sql<T> = Result<T, Failure>;

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Own(error)
    }
}

impl Failure {
    /// The error for the caller.
    pub(super) fn into_error(self, operation: &'static str, path: &Path) -> Error {
        match self {
            Self::Own(error) => error,
            Self::Sql(error) => sql_error(error, operation, path),
        }
    }
}

fn sql_error(error: rusqlite::Error, operation: &'static str, path: &Path) -> Error {
    let (kind, message) = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => (
            ErrorKind::ResourceExhausted,
            "the disk of the state folder is full; free some space and try again",
        ),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => (ErrorKind::DataLoss, DAMAGED),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => (
            ErrorKind::PermissionDenied,
            "the store's file cannot be written; check the permissions of the state folder or choose another",
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            ErrorKind::Unavailable,
            "another process holds the store's file; stop it or choose another state folder",
        ),
        Some(ErrorCode::SystemIoFailure) => (
            ErrorKind::Unavailable,
            "the disk of the state folder failed to read or write",
        ),
        Some(ErrorCode::TooBig) => (
            ErrorKind::ResourceExhausted,
            "the value is larger than the store can hold",
        ),
        _ => match error {
            // A column of a type that no version of the store has written.
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..) => (ErrorKind::DataLoss, DAMAGED),
            _ => (
                ErrorKind::Internal,
                "the store failed; this is a defect in Nephos",
            ),
        },
    };
    Error::new(kind, operation, message)
        .with("path", path.display())
        .caused_by(error)
}

/// What to do about a file that cannot be read.
pub(super) const DAMAGED: &str = "the store's file is damaged and was left as it is; put back a copy of it, or move it away to begin with \
                                  an empty store";

/// The error of a stored value that does not read back.
pub(super) fn damaged(operation: &'static str, what: &'static str) -> Error {
    Error::new(ErrorKind::DataLoss, operation, DAMAGED).with("unreadable", what)
}

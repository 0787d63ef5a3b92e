//! Why there is no token, and what to do to get one. What the token endpoint says: <https://developers.google.com/identity/protocols/oauth2>.

use google_cloud_auth::build_errors::Error as BuildError;
use google_cloud_auth::errors::CredentialsError;
#[cfg(feature = "bucket")]
use google_cloud_auth::signer::SigningError;
use nephos_core::{Error, ErrorKind};

use super::chain;

const NO_CREDENTIALS: &str = "there are no credentials for Google Cloud; sign in (`gcloud auth application-default login`), or set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account";

/// What is told, by a part of what the source said.
const TOLD: [(&str, &str); 6] = [
    // Google's crate says so where there is neither a file nor a metadata server.
    ("gcloud auth application-default login", NO_CREDENTIALS),
    (
        "invalid_rapt",
        "the sign-in must be renewed; sign in again (`gcloud auth application-default login`)",
    ),
    (
        "invalid_grant",
        "the sign-in has expired, or the service account's key was removed; sign in again (`gcloud auth application-default login`), or make a new key",
    ),
    (
        "invalid_client",
        "the credentials' file is of a client that there is no more; sign in again (`gcloud auth application-default login`)",
    ),
    (
        "invalid_target",
        "the federation's audience names no provider of a workload identity pool; check the file that GOOGLE_APPLICATION_CREDENTIALS names",
    ),
    (
        "iam.serviceAccounts.getAccessToken",
        "who asks may not act as the service account; grant the role Service Account Token Creator on it",
    ),
];

/// The error of an operation that got no token.
pub(crate) fn failed(operation: &'static str, error: &CredentialsError) -> Error {
    let text = chain(error);
    if let Some((_, message)) = TOLD.iter().find(|(part, _)| text.contains(part)) {
        // Where the metadata server does not answer, Google's crate says the same of a moment's failure as of a machine without one.
        return Error::new(ErrorKind::Unauthenticated, operation, *message)
            .retryable(error.is_transient())
            .caused_by(text);
    }
    if error.is_transient() {
        return Error::new(
            ErrorKind::Unavailable,
            operation,
            "the source of the credentials cannot be reached or failed; check the network, and try again later",
        )
        .caused_by(text);
    }
    Error::new(ErrorKind::Unauthenticated, operation, NO_CREDENTIALS).caused_by(text)
}

/// The error of credentials that cannot be made of what the variables name.
pub(crate) fn unusable(operation: &'static str, error: &BuildError) -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        operation,
        "the file of credentials cannot be used; check GOOGLE_APPLICATION_CREDENTIALS, or sign in (`gcloud auth application-default login`)",
    )
    .caused_by(chain(error))
}

/// The error of credentials that sign nothing.
#[cfg(feature = "bucket")]
pub(crate) fn cannot_sign(operation: &'static str, error: &BuildError) -> Error {
    if !error.is_not_supported() {
        return unusable(operation, error);
    }
    Error::new(
        ErrorKind::Unsupported,
        operation,
        "a URL is signed by a service account, and who asks is none; set GOOGLE_APPLICATION_CREDENTIALS to one's file, or sign in as one (`gcloud auth application-default login --impersonate-service-account=ACCOUNT`)",
    )
    .caused_by(chain(error))
}

/// The error of a signature that was not made.
#[cfg(feature = "bucket")]
pub(crate) fn unsigned(operation: &'static str, error: &SigningError) -> Error {
    let text = chain(error);
    let (kind, message) = if text.contains("PERMISSION_DENIED") || text.contains("403") {
        (
            ErrorKind::PermissionDenied,
            "the service account may not sign; grant it the role Service Account Token Creator on itself, and enable iamcredentials.googleapis.com",
        )
    } else if error.is_transport() {
        (
            ErrorKind::Unavailable,
            "the service that signs cannot be reached or failed; try again later",
        )
    } else {
        (
            ErrorKind::Unauthenticated,
            "the service account's key cannot sign; make a new key",
        )
    };
    Error::new(kind, operation, message).caused_by(text)
}

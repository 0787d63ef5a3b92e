//! Why there are no credentials, and what to do to get some: by which of the SDK's sources was asked, and what it said.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::result::ConnectorError;
use nephos_core::{Error, ErrorKind};

use super::{causes, chain};

/// What is said where there are no credentials.
pub(crate) const NO_CREDENTIALS: &str = "there are no credentials for AWS; sign in (`aws sso login`), set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws configure`";

/// What is said where a profile of single sign-on was asked, and nobody is signed in.
const SIGNED_OUT: &str = "the profile is one of single sign-on, and nobody is signed in; run `aws sso login --profile NAME` with the profile's name, and repeat the command";

/// What the SDK says when it has looked everywhere: a list of all those places, of which none was meant.
pub(super) const NOWHERE: &str = "no credentials found in chain";

/// Where the tokens of those who are signed in are kept, as the SDK names a file there that it cannot read.
const TOKENS: [&str; 2] = ["cached SSO token", "sso/cache"];

/// The error of an operation that has no credentials.
pub(crate) fn failed(operation: &'static str, found: &CredentialsError) -> Error {
    let text = chain(found);
    let new = |kind, message: &'static str| Error::new(kind, operation, message);
    let told = match found {
        CredentialsError::ProviderTimedOut(_) => new(
            ErrorKind::Unauthenticated,
            "the source of the credentials did not answer; try again, or set AWS_PROFILE to another",
        )
        .retryable(true),
        _ if text.contains("expired") => new(
            ErrorKind::Unauthenticated,
            "the credentials have expired; sign in again (`aws sso login`), or renew them",
        ),
        _ if TOKENS.iter().any(|words| text.contains(words)) => new(ErrorKind::Unauthenticated, SIGNED_OUT),
        CredentialsError::InvalidConfiguration(_) => new(
            ErrorKind::Unauthenticated,
            "the credentials' configuration cannot be used; check ~/.aws/config and the variables that begin with AWS_",
        ),
        _ => {
            let (kind, message) = by_source(found).unwrap_or((ErrorKind::Unauthenticated, NO_CREDENTIALS));
            new(kind, message)
        }
    };
    if text.contains(NOWHERE) {
        return told;
    }
    told.caused_by(text)
}

/// By what the source itself was answered, where that was one of AWS's interfaces.
fn by_source(found: &CredentialsError) -> Option<(ErrorKind, &'static str)> {
    #[cfg(feature = "deploy")]
    if let Some(meaning) = causes(found).find_map(portal::meaning) {
        return Some(meaning);
    }
    causes(found).find_map(unreachable)
}

/// The source cannot be reached: a profile's role, or its sign-in, lies behind the network.
fn unreachable(cause: &(dyn StdError + 'static)) -> Option<(ErrorKind, &'static str)> {
    let error = cause.downcast_ref::<ConnectorError>()?;
    (error.is_io() || error.is_timeout()).then_some((
        ErrorKind::Unavailable,
        "the source of the credentials cannot be reached; check the network, and the profile's regions in ~/.aws/config",
    ))
}

/// The portal of single sign-on, which gives credentials to whoever is signed in: only those who deploy sign in to it.
#[cfg(feature = "deploy")]
mod portal {
    use std::error::Error as StdError;

    use aws_sdk_sso::error::{ProvideErrorMetadata as _, SdkError};
    use aws_sdk_sso::operation::get_role_credentials::GetRoleCredentialsError;
    use nephos_core::ErrorKind;

    use super::SIGNED_OUT;

    pub(super) fn meaning(cause: &(dyn StdError + 'static)) -> Option<(ErrorKind, &'static str)> {
        let SdkError::ServiceError(answer) = cause.downcast_ref::<SdkError<GetRoleCredentialsError>>()?
        else {
            return None;
        };
        let error = answer.err();
        // The SDK does not always look at when a token ends, and a token can be taken back before.
        if error.is_unauthorized_exception() {
            return Some((ErrorKind::Unauthenticated, SIGNED_OUT));
        }
        let throttled = error.code().is_some_and(crate::error::is_throttling);
        if throttled || answer.raw().status().is_server_error() {
            return Some((
                ErrorKind::Unavailable,
                "the portal of single sign-on failed or is overloaded; try again later",
            ));
        }
        Some((
            ErrorKind::Unauthenticated,
            "the portal of single sign-on gives no credentials for the profile's account and role; check its `sso_account_id`, `sso_role_name` and `sso_region` in ~/.aws/config",
        ))
    }
}

#[cfg(test)]
mod tests;

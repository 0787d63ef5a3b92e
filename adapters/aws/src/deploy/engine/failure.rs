//! What AWS's interfaces answer to a deployment, as our errors, with the next step to take. What a code means is told by [`crate::error`], as everywhere;
//! here is what it means to whoever deploys.

use std::borrow::Cow;
use std::error::Error as StdError;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use nephos_core::{Error, ErrorKind};

use crate::error::{self, CODE};

/// The error of a call that failed. `message` says what could not be done.
pub(super) fn failed<E>(
    operation: &'static str,
    message: &'static str,
    error: SdkError<E, HttpResponse>,
) -> Error
where
    E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
{
    let told = match &error {
        SdkError::ServiceError(service) => {
            let error = service.err();
            let sentence = error.message().unwrap_or_default();
            match error.code() {
                Some(code) if sentence.is_empty() => code.to_owned(),
                Some(code) => format!("{code}: {sentence}"),
                None if sentence.is_empty() => error.to_string(),
                None => sentence.to_owned(),
            }
        }
        _ => String::new(),
    };
    of_meaning(operation, message, error::failed(operation, error), told)
}

/// What an error means to whoever deploys: what could not be done, what to do, and AWS's own words.
fn of_meaning(operation: &'static str, message: &'static str, meant: Error, told: String) -> Error {
    let throttled = error::code(&meant).is_some_and(error::is_throttling);
    let text: Cow<'static, str> = match meant.kind() {
        // What is to be done is all there is to say.
        ErrorKind::Unauthenticated => meant.message().to_owned().into(),
        ErrorKind::PermissionDenied => {
            format!("{message}: these credentials are not allowed to; have them allowed what AWS names below").into()
        }
        ErrorKind::Unavailable if throttled => format!(
            "{message}: AWS is asked more often than it allows, and all tries were used up; wait a few minutes, and repeat the command"
        )
        .into(),
        ErrorKind::DeadlineExceeded => {
            format!("{message}: AWS did not answer in time; check the network, and repeat the command").into()
        }
        ErrorKind::Unavailable => format!("{message}: {}", meant.message()).into(),
        _ => message.into(),
    };
    let mut error = Error::new(meant.kind(), operation, text).retryable(meant.is_retryable());
    if let Some(code) = error::code(&meant) {
        error = error.with(CODE, code.to_owned());
    }
    if !told.is_empty() {
        return error.caused_by(said(&told));
    }
    match StdError::source(&meant) {
        Some(cause) => error.caused_by(said(&cause.to_string())),
        None => error,
    }
}

/// No credentials were found.
pub(super) fn no_credentials(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        operation,
        error::credentials::NO_CREDENTIALS,
    )
}

/// What is lost with AWS while something is under way there, which goes on: what that is, and how to go on. Any other error stays what it is.
pub(super) fn cut_off(error: Error, message: &'static str) -> Error {
    let lost = matches!(
        error.kind(),
        ErrorKind::Unavailable | ErrorKind::DeadlineExceeded | ErrorKind::Unauthenticated
    );
    if !lost {
        return error;
    }
    Error::new(error.kind(), error.operation().to_owned(), message).caused_by(error)
}

/// A cause in words.
pub(super) fn said(text: &str) -> Box<dyn StdError + Send + Sync> {
    text.to_owned().into()
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    fn service(code: &str, message: &str) -> Error {
        let metadata = ErrorMetadata::builder().code(code).message(message).build();
        let error = aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityError::generic(metadata);
        let response = HttpResponse::new(StatusCode::try_from(400).unwrap(), SdkBody::empty());
        failed(
            "deploy.account",
            "the account cannot be told",
            SdkError::service_error(error, response),
        )
    }

    #[test]
    fn what_aws_says_is_the_cause_and_what_can_be_done_is_said() {
        let denied = service("AccessDenied", "User x is not authorized");
        assert_eq!(denied.kind(), ErrorKind::PermissionDenied);
        let chain = denied.chain();
        assert!(
            chain.starts_with(
                "deploy.account: the account cannot be told: these credentials are not allowed to"
            ) && chain.ends_with("AccessDenied: User x is not authorized"),
            "{chain}"
        );
        let expired = service(
            "ExpiredToken",
            "The security token included in the request is expired",
        );
        assert_eq!(expired.kind(), ErrorKind::Unauthenticated);
        assert!(expired.message().contains("sign in again"), "{expired}");
        let throttled = service("Throttling", "Rate exceeded");
        assert!(throttled.is_retryable() && throttled.message().contains("wait a few minutes"));
        let refused = service("ValidationError", "Template format error");
        assert_eq!(refused.message(), "the account cannot be told");
    }

    #[test]
    fn credentials_that_are_not_there_are_told_from_a_network_that_is_not() {
        let failure = |text: &str| {
            let error: SdkError<
                aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityError,
                HttpResponse,
            > = SdkError::dispatch_failure(ConnectorError::io(std::io::Error::other(text.to_owned()).into()));
            failed("deploy.account", "the account cannot be told", error)
        };
        let none = failure("the credential provider was not enabled");
        assert_eq!(none.kind(), ErrorKind::Unauthenticated);
        assert!(none.message().contains("AWS_PROFILE"), "{none}");
        let nowhere = failure("no credentials found in chain. Attempted: Environment: not set");
        assert!(!nowhere.chain().contains("Attempted"), "{nowhere:?}");
        assert_eq!(failure("connection refused").kind(), ErrorKind::Unavailable);
    }

    #[test]
    fn only_what_is_lost_with_aws_is_told_as_cut_off() {
        let lost = cut_off(service("ExpiredToken", "expired"), "it goes on");
        assert_eq!(
            (lost.kind(), lost.message()),
            (ErrorKind::Unauthenticated, "it goes on")
        );
        assert!(lost.chain().contains("sign in again"), "{}", lost.chain());
        let refused = cut_off(service("ValidationError", "no"), "it goes on");
        assert_eq!(refused.message(), "the account cannot be told");
    }
}

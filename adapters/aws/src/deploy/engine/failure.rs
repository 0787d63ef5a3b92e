//! What AWS's interfaces answer, as our errors, with the next step to take.

use std::error::Error as StdError;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use nephos_core::{Error, ErrorKind};

/// The error of a call that failed. `message` says what could not be done.
pub(super) fn failed<E, R>(operation: &'static str, message: &'static str, error: SdkError<E, R>) -> Error
where
    E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    match error {
        SdkError::ServiceError(service) => {
            let error = service.err();
            let code = error.code().unwrap_or_default();
            let text = text(code, error.message().unwrap_or_default(), error);
            of_credentials(operation, code)
                .unwrap_or_else(|| Error::new(kind(code), operation, message))
                .caused_by(said(&text))
        }
        SdkError::TimeoutError(_) => Error::new(ErrorKind::Unavailable, operation, message)
            .caused_by(said("AWS did not answer in time; is the network up?")),
        other => {
            let chain = causes(&other);
            if chain.contains(NOWHERE) {
                return no_credentials(operation);
            }
            if is_about_credentials(&chain) {
                return no_credentials(operation).caused_by(said(&chain));
            }
            Error::new(ErrorKind::Unavailable, operation, message)
                .caused_by(said(&format!("AWS cannot be reached: {chain}")))
        }
    }
}

/// No credentials were found.
pub(super) fn no_credentials(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        operation,
        "there are no credentials for AWS; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws configure` \
         (of a profile with single sign-on: `eval \"$(aws configure export-credentials --format env)\"`)",
    )
}

/// The codes that all services answer to credentials they do not take:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html>
fn of_credentials(operation: &'static str, code: &str) -> Option<Error> {
    let message = match code {
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => {
            "the credentials for AWS have expired; sign in again (`aws sso login`, or new keys), and repeat the command"
        }
        "InvalidClientTokenId" | "UnrecognizedClientException" | "InvalidAccessKeyId" | "InvalidToken" => {
            "AWS does not know these credentials; check AWS_PROFILE or AWS_ACCESS_KEY_ID, and that the region is enabled for the account"
        }
        "SignatureDoesNotMatch" | "IncompleteSignature" | "MissingAuthenticationToken" => {
            "AWS does not take the signature; check AWS_SECRET_ACCESS_KEY, and that this machine's clock is right"
        }
        _ => return None,
    };
    Some(Error::new(ErrorKind::Unauthenticated, operation, message))
}

/// What the SDK says when it has looked everywhere: a list of all those places, of which none was meant.
const NOWHERE: &str = "no credentials found in chain";

/// What went wrong before anything was sent, by the SDK's own words: it has no type for it.
fn is_about_credentials(chain: &str) -> bool {
    let chain = chain.to_ascii_lowercase();
    chain.contains("credential") || chain.contains("no providers in chain") || chain.contains("identity")
}

fn kind(code: &str) -> ErrorKind {
    match code {
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "InsufficientCapabilitiesException" => ErrorKind::PermissionDenied,
        "ResourceNotFoundException" | "ChangeSetNotFound" | "NoSuchBucket" | "NoSuchKey" => {
            ErrorKind::NotFound
        }
        "AlreadyExistsException" | "ResourceConflictException" | "OperationInProgressException" => {
            ErrorKind::Conflict
        }
        "LimitExceededException" | "CodeStorageExceededException" => ErrorKind::ResourceExhausted,
        "Throttling"
        | "ThrottlingException"
        | "TooManyRequestsException"
        | "ServiceUnavailable"
        | "ServiceException"
        | "InternalFailure"
        | "RequestLimitExceeded" => ErrorKind::Unavailable,
        "ValidationError" | "ValidationException" | "InvalidParameterValueException" => {
            ErrorKind::InvalidArgument
        }
        _ => ErrorKind::Internal,
    }
}

fn text(code: &str, message: &str, error: &dyn StdError) -> String {
    match (code, message) {
        ("", "") => error.to_string(),
        ("", text) => text.to_owned(),
        (code, "") => code.to_owned(),
        (code, text) => format!("{code}: {text}"),
    }
}

/// A cause in words.
pub(super) fn said(text: &str) -> Box<dyn StdError + Send + Sync> {
    text.to_owned().into()
}

fn causes(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::result::ServiceError;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    fn service(code: &str, message: &str) -> Error {
        let metadata = ErrorMetadata::builder().code(code).message(message).build();
        let error = aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityError::generic(metadata);
        let error: SdkError<_, ()> =
            SdkError::ServiceError(ServiceError::builder().source(error).raw(()).build());
        failed("deploy.account", "the account cannot be told", error)
    }

    #[test]
    fn what_aws_says_is_the_cause_and_credentials_have_a_next_step() {
        let denied = service("AccessDenied", "User x is not authorized");
        assert_eq!(denied.kind(), ErrorKind::PermissionDenied);
        assert_eq!(
            denied.chain(),
            "deploy.account: the account cannot be told: AccessDenied: User x is not authorized"
        );
        let expired = service(
            "ExpiredToken",
            "The security token included in the request is expired",
        );
        assert_eq!(expired.kind(), ErrorKind::Unauthenticated);
        assert!(expired.message().contains("sign in again"), "{expired}");
        assert!(service("Throttling", "Rate exceeded").is_retryable());
    }

    #[test]
    fn credentials_that_are_not_there_are_told_from_a_network_that_is_not() {
        let failure = |text: &str| {
            let error: SdkError<aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityError, ()> =
                SdkError::construction_failure(std::io::Error::other(text.to_owned()));
            failed("deploy.account", "the account cannot be told", error)
        };
        let none = failure("the credential provider was not enabled");
        assert_eq!(none.kind(), ErrorKind::Unauthenticated);
        assert!(none.message().contains("AWS_PROFILE"), "{none}");
        let nowhere = failure("no credentials found in chain. Attempted: Environment: not set");
        assert!(!nowhere.chain().contains("Attempted"), "{nowhere:?}");
        assert_eq!(failure("connection refused").kind(), ErrorKind::Unavailable);
    }
}

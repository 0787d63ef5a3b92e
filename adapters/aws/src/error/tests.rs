//! Tests of the SDK's errors as ours.

use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

use super::*;

/// Stands for the error type of any service.
#[derive(Debug)]
struct Modelled(ErrorMetadata);

impl fmt::Display for Modelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("modelled")
    }
}

impl StdError for Modelled {}

impl ProvideErrorMetadata for Modelled {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

fn response(status: u16) -> HttpResponse {
    HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::empty())
}

fn told(status: u16, code: &str, sentence: &str) -> Error {
    let meta = ErrorMetadata::builder()
        .code(code)
        .message(sentence)
        .custom("aws_request_id", "r-1")
        .build();
    failed(
        "queue.send",
        SdkError::service_error(Modelled(meta), response(status)),
    )
}

fn untold(error: SdkError<Modelled, HttpResponse>) -> Error {
    failed("queue.send", error)
}

#[test]
fn each_kind_of_refusal_has_its_kind_whether_to_retry_and_what_to_do() {
    use ErrorKind::{
        AlreadyExists, Conflict, InvalidArgument, NotFound, PermissionDenied, ResourceExhausted,
        Unauthenticated, Unavailable,
    };
    for (status, code, kind, retryable, advice) in [
        (
            403,
            "ExpiredTokenException",
            Unauthenticated,
            false,
            "aws sso login",
        ),
        (
            403,
            "UnrecognizedClientException",
            Unauthenticated,
            false,
            "AWS_PROFILE",
        ),
        (403, "SignatureDoesNotMatch", Unauthenticated, false, "clock"),
        (400, "AccessDeniedException", PermissionDenied, false, "`uses`"),
        (403, "AuthorizationError", PermissionDenied, false, "`uses`"),
        (
            400,
            "KMSAccessDeniedException",
            PermissionDenied,
            false,
            "kms:Decrypt",
        ),
        (400, "ResourceNotFoundException", NotFound, false, "deploy"),
        (400, "ResourceInUseException", Conflict, true, "try again"),
        (
            400,
            "ResourceExistsException",
            AlreadyExists,
            false,
            "another name",
        ),
        (
            400,
            "ConditionalCheckFailedException",
            Conflict,
            false,
            "meanwhile",
        ),
        (
            400,
            "TransactionConflictException",
            Unavailable,
            true,
            "try again",
        ),
        (400, "ThrottlingException", Unavailable, true, "quota"),
        (
            400,
            "ProvisionedThroughputExceededException",
            Unavailable,
            true,
            "quota",
        ),
        (400, "LimitExceededException", ResourceExhausted, false, "quota"),
        (400, "BatchRequestTooLong", ResourceExhausted, false, "bucket"),
        (400, "ValidationException", InvalidArgument, false, "invalid"),
        (503, "ServiceUnavailable", Unavailable, true, "later"),
        (500, "InternalServerError", Unavailable, true, "later"),
    ] {
        let error = told(status, code, "a sentence");
        assert_eq!((error.kind(), error.is_retryable()), (kind, retryable), "{code}");
        assert!(error.message().contains(advice), "{code}: {error}");
        assert_eq!(super::code(&error), Some(code));
        assert!(
            error.chain().ends_with("a sentence (request r-1)"),
            "{}",
            error.chain()
        );
    }
}

#[test]
fn a_code_is_known_with_the_prefixes_that_services_put_before_it() {
    for code in [
        "AWS.SimpleQueueService.NonExistentQueue",
        "com.amazonaws.sqs#QueueDoesNotExist",
        "QueueDoesNotExist",
    ] {
        assert_eq!(told(400, code, "").kind(), ErrorKind::NotFound, "{code}");
    }
}

#[test]
fn an_unknown_code_is_told_by_the_status() {
    for (status, kind, retryable) in [
        (400, ErrorKind::InvalidArgument, false),
        (401, ErrorKind::Unauthenticated, false),
        (403, ErrorKind::PermissionDenied, false),
        (404, ErrorKind::NotFound, false),
        (409, ErrorKind::Conflict, false),
        (413, ErrorKind::ResourceExhausted, false),
        (429, ErrorKind::Unavailable, true),
        (500, ErrorKind::Unavailable, true),
        (503, ErrorKind::Unavailable, true),
    ] {
        let error = told(status, "SomethingNew", "");
        assert_eq!(
            (error.kind(), error.is_retryable()),
            (kind, retryable),
            "{status}"
        );
    }
}

#[test]
fn what_is_too_large_is_told_from_what_is_invalid() {
    for sentence in [
        "Item size has exceeded the maximum allowed size",
        "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.",
        "Invalid parameter: Message too long",
        "Value at 'data' failed to satisfy constraint: Member must have length less than or equal to 1048576",
    ] {
        let error = told(400, "ValidationException", sentence);
        assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{sentence}");
    }
    let error = told(
        403,
        "InvalidParameterValue",
        "The security token included in the request is expired",
    );
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
}

#[test]
fn values_that_aws_quotes_are_not_repeated() {
    let error = told(
        400,
        "ValidationException",
        "2 validation errors detected: Value 'hunter2' at 'partitionKey' failed to satisfy constraint; Value 'it's hunter2' for 'x' is bad",
    );
    let text = format!("{error:?} {}", error.chain());
    assert!(!text.contains("hunter2"), "{text}");
    assert!(
        text.contains("at 'partitionKey' failed to satisfy constraint"),
        "{text}"
    );
}

#[test]
fn without_credentials_the_error_says_how_to_get_some() {
    let none = CredentialsError::not_loaded("no providers in chain provided credentials");
    let error = untold(SdkError::dispatch_failure(ConnectorError::other(
        none.into(),
        None,
    )));
    assert_eq!(
        (error.kind(), error.is_retryable()),
        (ErrorKind::Unauthenticated, false)
    );
    assert!(error.message().contains("there are no credentials"), "{error}");

    let expired = CredentialsError::provider_error("the SSO token has expired");
    let error = untold(SdkError::dispatch_failure(ConnectorError::other(
        expired.into(),
        None,
    )));
    assert!(error.message().contains("aws sso login"), "{error}");

    let slow = CredentialsError::provider_timed_out(std::time::Duration::from_secs(5));
    let error = untold(SdkError::construction_failure(slow));
    assert_eq!(
        (error.kind(), error.is_retryable()),
        (ErrorKind::Unauthenticated, true)
    );
}

#[test]
fn without_a_region_the_error_says_where_to_set_one() {
    let error = untold(SdkError::construction_failure(
        "Invalid Configuration: Missing Region",
    ));
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.message().contains("AWS_REGION"), "{error}");
}

#[test]
fn what_did_not_arrive_may_be_sent_again() {
    let refused = std::io::Error::other("connection refused");
    let error = untold(SdkError::dispatch_failure(ConnectorError::io(refused.into())));
    assert_eq!(
        (error.kind(), error.is_retryable()),
        (ErrorKind::Unavailable, true)
    );
    assert!(error.chain().contains("connection refused"), "{}", error.chain());

    let error = untold(SdkError::timeout_error("took too long"));
    assert_eq!(
        (error.kind(), error.is_retryable()),
        (ErrorKind::DeadlineExceeded, true)
    );

    let error = untold(SdkError::response_error("not JSON", response(502)));
    assert_eq!(
        (error.kind(), error.is_retryable()),
        (ErrorKind::Unavailable, true)
    );
    assert!(error.to_string().contains("status=502"), "{error}");
}

#[test]
fn an_entry_of_a_batch_has_the_same_meaning_as_a_call() {
    let error = of_entry("queue.send", "ThrottlingException", Some("slow down"));
    assert_eq!(
        (error.kind(), error.is_retryable()),
        (ErrorKind::Unavailable, true)
    );
    assert!(error.chain().contains("slow down"));
}

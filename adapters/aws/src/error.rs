//! The SDK's errors as ours: what kind by AWS's error code, whether trying again can help, and what to do. In one place, for all services.

use std::error::Error as StdError;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use nephos_core::{Error, ErrorKind};

/// The fact of an error that holds AWS's own code for it (`ThrottlingException`).
pub const CODE: &str = "aws_error";

/// The error of one call. `operation` is `resource.verb`.
///
/// The kind follows AWS's code for the error (<https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html> and each service's own list); of a code
/// that is not known here, the HTTP status tells. AWS's sentence is the cause, without the values that it quotes.
pub fn failed<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    match &error {
        SdkError::TimeoutError(_) => Error::new(
            ErrorKind::DeadlineExceeded,
            operation,
            "AWS did not answer in time; check the network, and raise the function's timeout if it is short",
        )
        .caused_by(chain(&error)),
        SdkError::ServiceError(context) => coded(
            operation,
            context.err().meta(),
            Some(context.raw().status().as_u16()),
        ),
        SdkError::ResponseError(context) => {
            // A proxy, or a connection that ended in the middle of an answer.
            Error::new(
                ErrorKind::Unavailable,
                operation,
                "the answer is not one of AWS; check what lies between here and the endpoint",
            )
            .with("status", context.raw().status().as_u16())
        }
        _ => not_sent(operation, &error),
    }
}

/// The error of one entry of a batch, which AWS tells by its code and a sentence.
pub fn of_entry(operation: &'static str, code: &str, sentence: Option<&str>) -> Error {
    let mut meta = ErrorMetadata::builder().code(code);
    if let Some(sentence) = sentence {
        meta = meta.message(sentence);
    }
    coded(operation, &meta.build(), None)
}

/// AWS's own code for the error, if it has one.
#[must_use]
pub fn code(error: &Error) -> Option<&str> {
    error
        .context()
        .find_map(|(name, value)| (name == CODE).then_some(value))
}

fn coded(operation: &'static str, meta: &ErrorMetadata, status: Option<u16>) -> Error {
    // `com.amazonaws.sqs#QueueDoesNotExist`, `AWS.SimpleQueueService.NonExistentQueue`
    let whole = meta.code().unwrap_or_default();
    let code = whole.rsplit(['#', '.']).next().unwrap_or(whole);
    let sentence = meta.message().unwrap_or_default();
    let meaning = meaning(code, sentence).unwrap_or_else(|| by_status(status));
    let mut error = Error::new(meaning.kind, operation, meaning.message);
    if !code.is_empty() {
        error = error.with(CODE, code);
    } else if let Some(status) = status {
        error = error.with("status", status);
    }
    if let Some(retryable) = meaning.retryable {
        error = error.retryable(retryable);
    }
    error.caused_by(Told {
        sentence: without_values(sentence),
        request: meta.extra("aws_request_id").map(str::to_owned),
    })
}

struct Meaning {
    kind: ErrorKind,
    message: &'static str,
    /// Where it is not what the kind says.
    retryable: Option<bool>,
}

impl Meaning {
    const fn new(kind: ErrorKind, message: &'static str) -> Self {
        Self {
            kind,
            message,
            retryable: None,
        }
    }
}

const MISSING: Meaning = Meaning::new(
    ErrorKind::NotFound,
    "AWS knows no such resource; deploy the app, and check region and account",
);
const INVALID: Meaning = Meaning::new(ErrorKind::InvalidArgument, "AWS refused the request as invalid");
const TOO_LARGE: Meaning = Meaning::new(
    ErrorKind::ResourceExhausted,
    "it is larger than AWS allows; put large content into a bucket",
);
const CONFLICT: Meaning = Meaning::new(
    ErrorKind::Conflict,
    "a condition does not hold: it was changed meanwhile",
);
const THROTTLED: Meaning = Meaning::new(
    ErrorKind::Unavailable,
    "AWS is asked more often than it allows; try again later, or have the quota raised",
);
const DENIED: Meaning = Meaning::new(
    ErrorKind::PermissionDenied,
    "AWS does not permit this; check the function's `uses` in nephos.toml and deploy again, or the permissions of who asks",
);
const BUSY: Meaning = Meaning::new(
    ErrorKind::Unavailable,
    "the service failed or is overloaded; try again later",
);

/// What AWS's code means; `None` for one that is not known here.
fn meaning(code: &str, sentence: &str) -> Option<Meaning> {
    Some(match code {
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" | "TokenRefreshRequired" => Meaning::new(
            ErrorKind::Unauthenticated,
            "the credentials have expired; sign in again (`aws sso login`), or renew them",
        ),
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "InvalidToken"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "AuthFailure"
        | "InvalidSecurity" => Meaning::new(
            ErrorKind::Unauthenticated,
            "AWS takes no such credentials; check AWS_PROFILE or AWS_ACCESS_KEY_ID, and the machine's clock",
        ),
        "OptInRequired" => Meaning::new(
            ErrorKind::PermissionDenied,
            "the account has not signed up for this service, or not in this region; enable it in the AWS console",
        ),
        "AccessDenied"
        | "AccessDeniedException"
        | "AccessDeniedError"
        | "UnauthorizedOperation"
        | "NotAuthorized"
        | "AuthorizationError"
        | "AuthorizationErrorException"
        | "InvalidSecurityException" => DENIED,
        "KMSAccessDeniedException"
        | "KmsAccessDenied"
        | "KMSAccessDenied"
        | "KMSDisabled"
        | "KMSDisabledException"
        | "KmsDisabled"
        | "KMSInvalidState"
        | "KMSInvalidStateException"
        | "KmsInvalidState"
        | "KMSNotFound"
        | "KMSNotFoundException"
        | "KmsNotFound"
        | "DecryptionFailure"
        | "DecryptionFailureException" => Meaning::new(
            ErrorKind::PermissionDenied,
            "the key that encrypts it cannot be used; permit `kms:Decrypt` and `kms:GenerateDataKey` on it, and check that it is enabled",
        ),
        "NotFound"
        | "NotFoundException"
        | "ResourceNotFoundException"
        | "QueueDoesNotExist"
        | "NonExistentQueue"
        | "NoSuchBucket"
        | "NoSuchKey"
        | "ParameterNotFound"
        | "ParameterVersionNotFound"
        | "NoSuchEntity"
        | "NoSuchEntityException"
        | "TableNotFoundException"
        | "LogGroupNotFound" => MISSING,
        "ResourceExistsException"
        | "ResourceAlreadyExistsException"
        | "AlreadyExistsException"
        | "EntityAlreadyExists"
        | "BucketAlreadyExists"
        | "BucketAlreadyOwnedByYou"
        | "QueueNameExists"
        | "QueueAlreadyExists"
        | "ResourceConflictException" => Meaning::new(
            ErrorKind::AlreadyExists,
            "there is one of this name already; choose another name, or remove that one",
        ),
        "ResourceInUseException" | "OperationAborted" | "OperationAbortedException" => Meaning {
            retryable: Some(true),
            ..Meaning::new(
                ErrorKind::Conflict,
                "another change of it is going on; try again when it is over",
            )
        },
        "ConditionalCheckFailed"
        | "ConditionalCheckFailedException"
        | "PreconditionFailed"
        | "ReceiptHandleIsInvalid"
        | "MessageNotInflight" => CONFLICT,
        "TransactionConflict"
        | "TransactionConflictException"
        | "TransactionInProgressException"
        | "ReplicatedWriteConflictException" => Meaning::new(
            ErrorKind::Unavailable,
            "another write of the same item is going on; try again",
        ),
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "ThrottlingError"
        | "Throttled"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "RequestThrottling"
        | "BandwidthLimitExceeded"
        | "PriorRequestNotComplete"
        | "SlowDown"
        | "EC2ThrottledException"
        | "ProvisionedThroughputExceeded"
        | "ProvisionedThroughputExceededException"
        | "KMSThrottling"
        | "KMSThrottlingException"
        | "KmsThrottled"
        | "OverLimit" => THROTTLED,
        "LimitExceededException"
        | "LimitExceeded"
        | "ServiceQuotaExceededException"
        | "TooManyBuckets"
        | "CodeStorageExceededException"
        | "ItemCollectionSizeLimitExceeded"
        | "ItemCollectionSizeLimitExceededException" => Meaning::new(
            ErrorKind::ResourceExhausted,
            "a quota of the account is used up; have it raised, or remove what is no longer used",
        ),
        "BatchRequestTooLong"
        | "EntityTooLarge"
        | "RequestEntityTooLarge"
        | "RequestEntityTooLargeException"
        | "RequestTooLargeException"
        | "MaxMessageLengthExceeded" => TOO_LARGE,
        "InvalidParameter"
        | "InvalidParameterException"
        | "InvalidParameterValue"
        | "InvalidParameterValueException"
        | "ParameterValueInvalid"
        | "ValidationError"
        | "ValidationException"
        | "InvalidArgument"
        | "InvalidArgumentException" => {
            if says_too_large(sentence) {
                TOO_LARGE
            } else if sentence.to_ascii_lowercase().contains("security token") && sentence.contains("expired")
            {
                return meaning("ExpiredToken", "");
            } else {
                INVALID
            }
        }
        // Secrets Manager says so of a secret that is to be deleted.
        "InvalidRequestException"
            if sentence.contains("marked for deletion") || sentence.contains("marked deleted") =>
        {
            MISSING
        }
        "InvalidAction"
        | "UnsupportedOperation"
        | "UnknownOperationException"
        | "NotImplemented"
        | "InvalidMessageContents"
        | "InvalidAttributeName"
        | "InvalidAttributeValue"
        | "InvalidRequest"
        | "InvalidRequestException"
        | "InvalidKeyId"
        | "InvalidAddress"
        | "MalformedQueryString"
        | "MissingParameter"
        | "SerializationException" => INVALID,
        "InternalFailure"
        | "InternalError"
        | "InternalServerError"
        | "InternalServiceError"
        | "InternalErrorException"
        | "InternalFailureException"
        | "InternalServerException"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "ServiceException"
        | "Unavailable"
        | "RequestTimeout"
        | "RequestTimeoutException" => BUSY,
        _ => return None,
    })
}

/// DynamoDB, SQS, SNS and Kinesis have no code of its own for what is too large.
fn says_too_large(sentence: &str) -> bool {
    [
        "size has exceeded",
        "size exceeded",
        "exceeds the maximum",
        "must be shorter than",
        "too long",
        "Member must have length less than",
        "cannot be larger than",
    ]
    .iter()
    .any(|part| sentence.contains(part))
}

fn by_status(status: Option<u16>) -> Meaning {
    match status {
        Some(401) => Meaning::new(
            ErrorKind::Unauthenticated,
            "AWS takes no such credentials; check them",
        ),
        Some(403) => DENIED,
        Some(404) => MISSING,
        Some(409 | 412) => CONFLICT,
        Some(413) => TOO_LARGE,
        Some(429) => THROTTLED,
        Some(400..=499) => INVALID,
        _ => BUSY,
    }
}

/// A request that did not leave this machine, or whose answer did not come.
fn not_sent(operation: &'static str, error: &(dyn StdError + 'static)) -> Error {
    let text = chain(error);
    let new = |kind, message: &'static str| Error::new(kind, operation, message);
    let found = causes(error).find_map(|cause| cause.downcast_ref::<CredentialsError>());
    let translated = match found {
        Some(CredentialsError::ProviderTimedOut(_)) => new(
            ErrorKind::Unauthenticated,
            "the source of the credentials did not answer; try again, or set AWS_PROFILE to another",
        )
        .retryable(true),
        Some(_) if text.contains("expired") => new(
            ErrorKind::Unauthenticated,
            "the credentials have expired; sign in again (`aws sso login`), or renew them",
        ),
        Some(CredentialsError::InvalidConfiguration(_)) => new(
            ErrorKind::Unauthenticated,
            "the credentials' configuration cannot be used; check ~/.aws/config and the variables that begin with AWS_",
        ),
        Some(_) => new(
            ErrorKind::Unauthenticated,
            "there are no credentials for AWS; sign in (`aws sso login`), or set AWS_PROFILE",
        ),
        None if text.to_ascii_lowercase().contains("missing region")
            || text.contains("region must be set") =>
        {
            new(
                ErrorKind::InvalidArgument,
                "no region is chosen; set `region` of the target in nephos.toml, or AWS_REGION",
            )
        }
        None if text.contains("failed to construct request")
            || text.contains("was required but it was not set") =>
        {
            new(
                ErrorKind::InvalidArgument,
                "the request cannot be made of what was given",
            )
        }
        None => new(
            ErrorKind::Unavailable,
            "AWS cannot be reached; check the network, the region, and AWS_ENDPOINT_URL if it is set",
        ),
    };
    translated.caused_by(text)
}

fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| {
        (*error).source()
    })
}

/// The error and its causes on one line.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut line = String::new();
    for cause in causes(error) {
        let text = cause.to_string();
        if line.contains(&text) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&text);
    }
    line
}

/// AWS quotes what it refuses (`Value 'x' at 'y' failed to satisfy constraint`): that may be a payload.
fn without_values(sentence: &str) -> String {
    let mut text = String::with_capacity(sentence.len());
    let mut rest = sentence;
    while let Some(start) = rest.find("alue '") {
        let (before, quoted) = rest.split_at(start + "alue '".len());
        text.push_str(before);
        text.push_str("…'");
        // The value may hold quotes itself: it ends where the sentence goes on.
        rest = ["' at '", "' for ", "' is "]
            .iter()
            .filter_map(|end| quoted.find(end))
            .min()
            .map_or("", |end| &quoted[end + 1..]);
    }
    text.push_str(rest);
    text
}

/// What AWS said.
#[derive(Debug)]
struct Told {
    sentence: String,
    request: Option<String>,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.sentence.is_empty() {
            "AWS said nothing more"
        } else {
            &self.sentence
        })?;
        match &self.request {
            Some(request) => write!(f, " (request {request})"),
            None => Ok(()),
        }
    }
}

impl StdError for Told {}

#[cfg(test)]
mod tests;

//! AWS's codes for errors, of all services: <https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html>, and each service's own list.

use nephos_core::ErrorKind;
use nephos_core::error::Meaning;

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
const GOING_ON: Meaning = Meaning {
    kind: ErrorKind::Conflict,
    message: "another change of it is going on; try again when it is over",
    retryable: Some(true),
};
const BUSY: Meaning = Meaning::new(
    ErrorKind::Unavailable,
    "the service failed or is overloaded; try again later",
);

/// The codes of requests that came too often.
pub(super) const THROTTLING: [&str; 20] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "ThrottlingError",
    "Throttled",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "RequestThrottling",
    "BandwidthLimitExceeded",
    "PriorRequestNotComplete",
    "SlowDown",
    "EC2ThrottledException",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "KMSThrottling",
    "KMSThrottlingException",
    "KmsThrottled",
    "OverLimit",
];

/// What AWS's code means; `None` for one that is not known here.
pub(super) fn of_code(code: &str, sentence: &str) -> Option<Meaning> {
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
        | "InvalidSecurityException"
        | "InsufficientCapabilitiesException" => DENIED,
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
        | "LogGroupNotFound"
        | "ChangeSetNotFound" => MISSING,
        // Lambda says both of it by one code.
        "ResourceConflictException" if is_going_on(sentence) => GOING_ON,
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
        "ResourceInUseException"
        | "OperationAborted"
        | "OperationAbortedException"
        | "OperationInProgressException" => GOING_ON,
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
        code if THROTTLING.contains(&code) => THROTTLED,
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
                return of_code("ExpiredToken", "");
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

fn is_going_on(sentence: &str) -> bool {
    ["in progress", "cannot be performed at this time"]
        .iter()
        .any(|part| sentence.contains(part))
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

/// What an HTTP status means, of an error whose code says nothing.
pub(super) fn of_status(status: Option<u16>) -> Meaning {
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

//! Azure's codes for errors: of [storage](https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes) and
//! [its queues](https://learn.microsoft.com/rest/api/storageservices/queue-service-error-codes),
//! [Cosmos DB](https://learn.microsoft.com/rest/api/cosmos-db/http-status-codes-for-cosmosdb),
//! [Key Vault](https://learn.microsoft.com/azure/key-vault/general/rest-error-codes), Event Grid, Event Hubs and Service Bus.

use nephos_core::ErrorKind;
use nephos_core::error::Meaning;

const MISSING: Meaning = Meaning::new(
    ErrorKind::NotFound,
    "Azure knows no such resource; deploy the app, and check the subscription",
);
const INVALID: Meaning = Meaning::new(ErrorKind::InvalidArgument, "Azure refused the request as invalid");
const TOO_LARGE: Meaning = Meaning::new(
    ErrorKind::ResourceExhausted,
    "it is larger than Azure allows; put large content into a bucket",
);
const CONFLICT: Meaning = Meaning::new(
    ErrorKind::Conflict,
    "a condition does not hold: it was changed meanwhile",
);
const EXISTS: Meaning = Meaning::new(
    ErrorKind::AlreadyExists,
    "there is one of this name already; choose another name, or remove that one",
);
const THROTTLED: Meaning = Meaning::new(
    ErrorKind::Unavailable,
    "Azure is asked more often than it allows; try again later, or have the limit raised",
);
const DENIED: Meaning = Meaning::new(
    ErrorKind::PermissionDenied,
    "Azure does not permit this; check the function's `uses` in nephos.toml and deploy again, or the roles of who asks; a new role takes some minutes to hold",
);
const FIREWALL: Meaning = Meaning::new(
    ErrorKind::PermissionDenied,
    "the resource's firewall does not let this network in; permit it in the resource's networking settings",
);
const UNKNOWN: Meaning = Meaning::new(
    ErrorKind::Unauthenticated,
    "Azure takes no such credentials; sign in (`az login`), and check AZURE_CLIENT_ID, the tenant, and the machine's clock",
);
const DISABLED: Meaning = Meaning::new(
    ErrorKind::PermissionDenied,
    "the account or the vault's object is disabled; enable it in the Azure portal",
);
const FULL: Meaning = Meaning::new(
    ErrorKind::ResourceExhausted,
    "a quota of the account or the partition is used up; have it raised, or remove what is no longer used",
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
const MOVED: Meaning = Meaning::new(
    ErrorKind::Unavailable,
    "the partition was moved or split meanwhile; try again",
);
const LATE: Meaning = Meaning::new(
    ErrorKind::DeadlineExceeded,
    "the service did not finish in time; try again",
);

/// What a code means; `None` for one that is not known here.
pub(super) fn of_code(code: &str) -> Option<Meaning> {
    Some(match code {
        "QueueNotFound" | "ContainerNotFound" | "BlobNotFound" | "ResourceNotFound" | "AccountNotFound"
        | "SecretNotFound" | "KeyNotFound" | "VaultNotFound" | "TopicNotFound" | "NotFound" => MISSING,
        "ContainerBeingDeleted" | "QueueBeingDeleted" | "AccountBeingCreated" | "ResourceBeingDeleted" => {
            GOING_ON
        }
        "MessageNotFound" | "PopReceiptMismatch" | "ConditionNotMet" | "PreconditionFailed"
        | "MessageLockLost" | "SessionLockLost" => CONFLICT,
        "QueueAlreadyExists" | "ContainerAlreadyExists" | "BlobAlreadyExists" | "ResourceAlreadyExists" => {
            EXISTS
        }
        "AuthenticationFailed"
        | "InvalidAuthenticationInfo"
        | "NoAuthenticationInformation"
        | "Unauthorized"
        | "InvalidAudience"
        | "TokenExpired" => UNKNOWN,
        "AuthorizationFailure" | "IpAddressNotAllowed" | "ForbiddenByFirewall" => FIREWALL,
        "AuthorizationFailed"
        | "AuthorizationPermissionMismatch"
        | "InsufficientAccountPermissions"
        | "AuthorizationProtocolMismatch"
        | "AuthorizationResourceTypeMismatch"
        | "AuthorizationServiceMismatch"
        | "KeyBasedAuthenticationNotPermitted"
        | "PublicAccessNotPermitted"
        | "ForbiddenByRbac"
        | "ForbiddenByPolicy"
        | "AccessDenied"
        | "Forbidden" => DENIED,
        "AccountIsDisabled" | "SecretDisabled" => DISABLED,
        "RequestBodyTooLarge"
        | "MessageTooLarge"
        | "RequestEntityTooLarge"
        | "PayloadTooLarge"
        | "OutOfCapacity"
        | "MessageSizeExceeded" => TOO_LARGE,
        "QuotaExceeded" | "AccountLimitExceeded" => FULL,
        "ServerBusy" | "TooManyRequests" | "Throttled" | "ThrottlingException" => THROTTLED,
        "InternalError" | "ServiceUnavailable" => BUSY,
        "OperationTimedOut" | "RequestTimeout" => LATE,
        _ => return None,
    })
}

/// What Cosmos DB says beside the status.
pub(super) fn of_substatus(status: u16, substatus: u32) -> Option<Meaning> {
    Some(match (status, substatus) {
        (400, 1001) => Meaning::new(
            ErrorKind::InvalidArgument,
            "the item's key attribute is not the container's partition key; the table was deployed with another key",
        ),
        (403, 1014) => FULL,
        (403, 5300..=5399) => DENIED,
        (404, 1002) => Meaning::new(
            ErrorKind::Unavailable,
            "the replica that answered has not seen the last write yet; try again",
        ),
        (404, 1003) => MISSING,
        (410, _) => MOVED,
        (429, 3200) => THROTTLED,
        _ => return None,
    })
}

/// What an HTTP status means, of an error whose code says nothing.
pub(super) fn of_status(status: u16) -> Meaning {
    match status {
        401 => UNKNOWN,
        403 => DENIED,
        404 => MISSING,
        408 => LATE,
        409 | 412 => CONFLICT,
        410 => MOVED,
        413 => TOO_LARGE,
        // A write that met another one: Cosmos DB wants it to be made again.
        449 => Meaning {
            kind: ErrorKind::Conflict,
            message: "another write of the same item was going on; try again",
            retryable: Some(true),
        },
        429 => THROTTLED,
        400..=499 => INVALID,
        _ => BUSY,
    }
}

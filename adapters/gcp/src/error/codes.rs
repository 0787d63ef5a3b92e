//! Google's names for errors: [reasons](https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto) of `google.rpc.ErrorInfo`, and
//! [statuses](https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto), which gRPC has too.

use nephos_core::ErrorKind;
use nephos_core::error::Meaning;

const MISSING: Meaning = Meaning::new(
    ErrorKind::NotFound,
    "Google Cloud knows no such resource; deploy the app, and check the project",
);
const INVALID: Meaning = Meaning::new(
    ErrorKind::InvalidArgument,
    "Google Cloud refused the request as invalid",
);
const CONFLICT: Meaning = Meaning::new(
    ErrorKind::Conflict,
    "a condition does not hold: it was changed meanwhile",
);
const EXISTS: Meaning = Meaning::new(
    ErrorKind::AlreadyExists,
    "there is one of this name already; choose another name, or remove that one",
);
const ABORTED: Meaning = Meaning {
    kind: ErrorKind::Conflict,
    message: "another change of it was going on; try again",
    retryable: Some(true),
};
const DENIED: Meaning = Meaning::new(
    ErrorKind::PermissionDenied,
    "Google Cloud does not permit this; check the function's `uses` in nephos.toml and deploy again, or the roles of who asks; a new role takes some minutes to hold",
);
const DISABLED: Meaning = Meaning::new(
    ErrorKind::PermissionDenied,
    "the service's interface is not enabled in the project; enable it (`gcloud services enable SERVICE`) and wait a few minutes",
);
const BILLING: Meaning = Meaning::new(
    ErrorKind::PermissionDenied,
    "the project has no billing account that is in order; link one in the Google Cloud console",
);
const UNKNOWN: Meaning = Meaning::new(
    ErrorKind::Unauthenticated,
    "Google Cloud takes no such credentials; sign in (`gcloud auth application-default login`), and check GOOGLE_APPLICATION_CREDENTIALS and the machine's clock",
);
const THROTTLED: Meaning = Meaning::new(
    ErrorKind::Unavailable,
    "Google Cloud is asked more often than it allows; try again later, or have the quota raised",
);
pub(super) const FULL: Meaning = Meaning::new(
    ErrorKind::ResourceExhausted,
    "a quota of the project is used up; have it raised, or remove what is no longer used",
);
const TOO_LARGE: Meaning = Meaning::new(
    ErrorKind::ResourceExhausted,
    "it is larger than Google Cloud allows; put large content into a bucket",
);
const LATE: Meaning = Meaning::new(
    ErrorKind::DeadlineExceeded,
    "Google Cloud did not answer in time; try again later",
);
const BUSY: Meaning = Meaning::new(
    ErrorKind::Unavailable,
    "the service failed or is overloaded; try again later",
);
const NOT_THERE: Meaning = Meaning::new(
    ErrorKind::Unsupported,
    "the service does not do this, in this region or at all",
);

/// What a reason means; `None` for one that is not known here, or says no more than the status.
pub(super) fn of_reason(reason: &str) -> Option<Meaning> {
    Some(match reason {
        "SERVICE_DISABLED" | "SERVICE_NOT_ACTIVATED" | "API_DISABLED" | "accessNotConfigured" => DISABLED,
        "BILLING_DISABLED" | "CONSUMER_SUSPENDED" => BILLING,
        "RATE_LIMIT_EXCEEDED" | "rateLimitExceeded" | "userRateLimitExceeded" => THROTTLED,
        "RESOURCE_QUOTA_EXCEEDED" => FULL,
        "API_KEY_INVALID"
        | "ACCESS_TOKEN_EXPIRED"
        | "ACCESS_TOKEN_TYPE_UNSUPPORTED"
        | "CREDENTIALS_MISSING"
        | "ACCOUNT_STATE_INVALID"
        | "SESSION_COOKIE_INVALID" => UNKNOWN,
        "IAM_PERMISSION_DENIED"
        | "ACCESS_TOKEN_SCOPE_INSUFFICIENT"
        | "SECURITY_POLICY_VIOLATED"
        | "USER_PROJECT_DENIED"
        | "CONSUMER_INVALID"
        | "ORG_RESTRICTION_VIOLATION" => DENIED,
        _ => return None,
    })
}

/// What a status means.
pub(super) fn of_status(status: &str) -> Option<Meaning> {
    Some(match status {
        "INVALID_ARGUMENT" | "OUT_OF_RANGE" => INVALID,
        "FAILED_PRECONDITION" => CONFLICT,
        "UNAUTHENTICATED" => UNKNOWN,
        "PERMISSION_DENIED" => DENIED,
        "NOT_FOUND" => MISSING,
        "ALREADY_EXISTS" => EXISTS,
        "ABORTED" => ABORTED,
        // Of a rate, which passes; a quota of things that there are says so in its reason.
        "RESOURCE_EXHAUSTED" => THROTTLED,
        "DEADLINE_EXCEEDED" | "CANCELLED" => LATE,
        "UNIMPLEMENTED" => NOT_THERE,
        "UNAVAILABLE" | "INTERNAL" | "UNKNOWN" | "DATA_LOSS" => BUSY,
        _ => return None,
    })
}

/// What a status of HTTP means, of an answer that says no more.
pub(super) fn of_http(status: u16) -> Meaning {
    match status {
        401 => UNKNOWN,
        403 => DENIED,
        404 | 410 => MISSING,
        408 | 504 => LATE,
        409 | 412 => CONFLICT,
        413 => TOO_LARGE,
        429 => THROTTLED,
        501 => NOT_THERE,
        400..=499 => INVALID,
        _ => BUSY,
    }
}

//! What Google refuses of those who deploy, as a sentence with the next step; and the error that an operation ends with.

use std::error::Error as _;

use http::HeaderMap;
use nephos_core::{Error, ErrorKind};
use serde_json::{Value, json};

use crate::error::{REASON, STATUS, answered};

/// A fact of an error.
pub(super) fn fact<'a>(error: &'a Error, name: &str) -> Option<&'a str> {
    error
        .context()
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// What Google said, if that is in the error.
fn said(error: &Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

/// Whether an interface is not enabled.
pub(super) fn is_disabled(error: &Error) -> bool {
    matches!(
        fact(error, REASON),
        Some("SERVICE_DISABLED" | "SERVICE_NOT_ACTIVATED" | "API_DISABLED" | "accessNotConfigured")
    )
}

/// Whether something else is going on with a resource, or it was changed since it was read.
pub(super) fn is_overtaken(error: &Error) -> bool {
    // Firestore says of an etag that is no longer the one that a precondition fails.
    let is_of_etag = || fact(error, STATUS) != Some("FAILED_PRECONDITION") || said(error).contains("etag");
    error.kind() == ErrorKind::Conflict && is_of_etag()
}

/// Whether it says that an account is not known, which one is some seconds after it was made (<https://cloud.google.com/iam/docs/service-accounts-create>), or that what a service may do
/// is not known yet, as of one that was enabled just now (<https://cloud.google.com/eventarc/docs/troubleshooting>).
pub(super) fn is_too_early(error: &Error) -> bool {
    let said = said(error).to_ascii_lowercase();
    let names = said.contains("service account") || said.contains("iam.serviceaccounts.actas");
    let is_unknown = ["does not exist", "may not exist", "not found"]
        .iter()
        .any(|words| said.contains(words));
    match error.kind() {
        ErrorKind::InvalidArgument | ErrorKind::NotFound | ErrorKind::PermissionDenied => names && is_unknown,
        ErrorKind::Conflict => said.contains("may take a few minutes"),
        _ => false,
    }
}

/// The same error in the words of those who deploy, where a function's would say something else.
pub(super) fn of_deployment(error: Error) -> Error {
    let said = said(&error);
    let (kind, message) = match (fact(&error, REASON), error.kind()) {
        _ if is_disabled(&error) => {
            let host = fact(&error, "service").unwrap_or("SERVICE").to_owned();
            (
                ErrorKind::PermissionDenied,
                format!(
                    "an interface is not enabled in the project; enable it (`gcloud services enable {host}`) and wait a few minutes, or set `enable_apis = true` of the target in nephos.toml"
                ),
            )
        }
        (Some("CONSUMER_INVALID" | "USER_PROJECT_DENIED"), _) => (
            ErrorKind::PermissionDenied,
            "there is no such project, or who deploys has no role in it; check `project` of the target in nephos.toml, GOOGLE_CLOUD_PROJECT and GOOGLE_CLOUD_QUOTA_PROJECT".to_owned(),
        ),
        (_, ErrorKind::PermissionDenied) if said.contains("'locations/") => (
            ErrorKind::InvalidArgument,
            "there is no such region, or not for this project; set `region` of the target in nephos.toml to one of `gcloud run regions list`".to_owned(),
        ),
        (Some("BILLING_DISABLED" | "CONSUMER_SUSPENDED"), _) => return error,
        (_, ErrorKind::PermissionDenied) => (
            ErrorKind::PermissionDenied,
            "who deploys may not do this; have a role given that has the permission; the book's chapter on Google Cloud lists the narrowest".to_owned(),
        ),
        _ => return error,
    };
    let mut told = Error::new(kind, error.operation().to_owned(), message);
    for (name, value) in error.context() {
        told = told.with(name.to_owned(), value);
    }
    told.retryable(error.is_retryable()).caused_by(said)
}

/// The error that an operation ended with: <https://cloud.google.com/apis/design/errors#error_model>.
pub(super) fn of_operation(operation: &'static str, status: &Value) -> Error {
    let code = status.get("code").and_then(Value::as_u64).unwrap_or(2);
    let body = json!({"error": {
        "message": status.get("message"), "status": name(code), "details": status.get("details").cloned().unwrap_or_else(|| json!([])),
    }});
    of_deployment(answered(
        operation,
        500,
        &HeaderMap::new(),
        body.to_string().as_bytes(),
    ))
}

/// <https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto>
const fn name(code: u64) -> &'static str {
    match code {
        1 => "CANCELLED",
        3 => "INVALID_ARGUMENT",
        4 => "DEADLINE_EXCEEDED",
        5 => "NOT_FOUND",
        6 => "ALREADY_EXISTS",
        7 => "PERMISSION_DENIED",
        8 => "RESOURCE_EXHAUSTED",
        9 => "FAILED_PRECONDITION",
        10 => "ABORTED",
        11 => "OUT_OF_RANGE",
        12 => "UNIMPLEMENTED",
        13 => "INTERNAL",
        14 => "UNAVAILABLE",
        15 => "DATA_LOSS",
        16 => "UNAUTHENTICATED",
        _ => "UNKNOWN",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, body: &Value) -> Error {
        of_deployment(answered(
            "deploy.apply",
            status,
            &HeaderMap::new(),
            body.to_string().as_bytes(),
        ))
    }

    fn body(status: &str, message: &str, reason: &str, metadata: &Value) -> Value {
        json!({"error": {"status": status, "message": message, "details": [
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com", "metadata": metadata},
        ]}})
    }

    #[test]
    fn who_deploys_is_told_the_next_step() {
        let disabled = body(
            "PERMISSION_DENIED",
            "it is disabled",
            "SERVICE_DISABLED",
            &json!({"service": "run.googleapis.com"}),
        );
        let error = refused(403, &disabled);
        assert!(
            error
                .message()
                .contains("gcloud services enable run.googleapis.com"),
            "{error}"
        );
        assert!(is_disabled(&error));
        let denied = body(
            "PERMISSION_DENIED",
            "Permission denied",
            "IAM_PERMISSION_DENIED",
            &json!({"permission": "run.services.create", "resource": "projects/p"}),
        );
        let error = refused(403, &denied);
        assert!(
            error.to_string().contains("permission=run.services.create"),
            "{error}"
        );
        let project = body("PERMISSION_DENIED", "denied", "CONSUMER_INVALID", &json!({}));
        assert!(refused(403, &project).message().contains("GOOGLE_CLOUD_PROJECT"));
        let region = json!({"error": {"status": "PERMISSION_DENIED", "message": "Permission denied on 'locations/mars' (or it may not exist)."}});
        let error = refused(403, &region);
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.chain().contains("mars"), "{}", error.chain());
    }

    #[test]
    fn what_is_not_known_yet_is_told_from_what_is_not_there() {
        let said = |code: u64, message: &str| {
            is_too_early(&of_operation(
                "deploy.apply",
                &json!({"code": code, "message": message}),
            ))
        };
        assert!(said(
            3,
            "Service account a@p.iam.gserviceaccount.com does not exist."
        ));
        assert!(said(
            7,
            "Permission 'iam.serviceaccounts.actAs' denied on service account a (or it may not exist)."
        ));
        assert!(said(
            9,
            "If you recently started to use Eventarc, it may take a few minutes before all necessary permissions are propagated"
        ));
        assert!(!said(
            7,
            "Permission 'run.services.create' denied on resource 'x' (or it may not exist)."
        ));
        assert!(!said(5, "Resource not found (resource=jobs)."));
        assert!(!said(9, "Revision 'r' is not ready and cannot serve traffic."));
    }

    #[test]
    fn an_operations_error_is_read_as_an_answers_is() {
        let error = of_operation(
            "deploy.apply",
            &json!({"code": 9, "message": "Revision 'r' is not ready"}),
        );
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(!is_overtaken(&error));
        assert!(error.chain().contains("not ready"), "{}", error.chain());
        assert!(is_overtaken(&of_operation(
            "deploy.apply",
            &json!({"code": 10, "message": "etag"})
        )));
    }
}

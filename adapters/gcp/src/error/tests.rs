//! Tests of Google's errors as ours.

use google_cloud_auth::errors::CredentialsError;

use super::*;

fn body(status: &str, details: &str) -> String {
    format!(r#"{{"error":{{"code":1,"message":"said\nmore","status":"{status}","details":[{details}]}}}}"#)
}

fn info(reason: &str) -> String {
    format!(
        r#"{{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"{reason}","domain":"googleapis.com","metadata":{{"service":"pubsub.googleapis.com","consumer":"projects/1"}}}}"#
    )
}

#[test]
fn the_reason_tells_the_kind_then_the_status_and_then_http() {
    use ErrorKind::{
        AlreadyExists, Conflict, DeadlineExceeded, InvalidArgument, NotFound, PermissionDenied,
        ResourceExhausted, Unauthenticated, Unavailable, Unsupported,
    };
    for (http, status, reason, kind, retryable, part) in [
        (
            403,
            "PERMISSION_DENIED",
            "SERVICE_DISABLED",
            PermissionDenied,
            false,
            "gcloud services enable",
        ),
        (
            403,
            "PERMISSION_DENIED",
            "BILLING_DISABLED",
            PermissionDenied,
            false,
            "billing",
        ),
        (
            403,
            "PERMISSION_DENIED",
            "IAM_PERMISSION_DENIED",
            PermissionDenied,
            false,
            "uses",
        ),
        (
            429,
            "RESOURCE_EXHAUSTED",
            "RATE_LIMIT_EXCEEDED",
            Unavailable,
            true,
            "later",
        ),
        (
            429,
            "RESOURCE_EXHAUSTED",
            "RESOURCE_QUOTA_EXCEEDED",
            ResourceExhausted,
            false,
            "raised",
        ),
        (
            401,
            "UNAUTHENTICATED",
            "ACCESS_TOKEN_EXPIRED",
            Unauthenticated,
            false,
            "sign in",
        ),
        (403, "PERMISSION_DENIED", "NEW", PermissionDenied, false, "roles"),
        (404, "NOT_FOUND", "", NotFound, false, "deploy"),
        (409, "ALREADY_EXISTS", "", AlreadyExists, false, "name"),
        (409, "ABORTED", "", Conflict, true, "again"),
        (400, "FAILED_PRECONDITION", "", Conflict, false, "changed"),
        (400, "INVALID_ARGUMENT", "", InvalidArgument, false, "invalid"),
        (504, "DEADLINE_EXCEEDED", "", DeadlineExceeded, true, "later"),
        (501, "UNIMPLEMENTED", "", Unsupported, false, "region"),
        (401, "", "", Unauthenticated, false, "sign in"),
        (412, "", "", Conflict, false, "changed"),
        (413, "", "", ResourceExhausted, false, "bucket"),
        (429, "", "", Unavailable, true, "later"),
        (503, "", "", Unavailable, true, "later"),
    ] {
        let details = if reason.is_empty() {
            String::new()
        } else {
            info(reason)
        };
        let text = body(status, &details);
        for text in [text.clone(), format!("[{text}]")] {
            let error = answered("queue.send", http, &HeaderMap::new(), text.as_bytes());
            assert_eq!(
                (error.kind(), error.is_retryable()),
                (kind, retryable),
                "{http} {status} {reason}: {error}"
            );
            assert!(error.message().contains(part), "{error}");
            assert!(error.chain().ends_with("said"), "{}", error.chain());
            assert_eq!(super::status(&error), (!status.is_empty()).then_some(status));
            assert_eq!(
                error.to_string().contains("pubsub.googleapis.com"),
                !reason.is_empty()
            );
        }
    }
    let error = answered("queue.send", 502, &HeaderMap::new(), b"<html>");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("502"), "{error}");
}

#[test]
fn it_tells_when_to_ask_again() {
    let delay = r#"{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.5s"}"#;
    let mut header = HeaderMap::new();
    header.insert("retry-after", http::HeaderValue::from_static("7"));
    for (headers, seconds) in [(HeaderMap::new(), "2"), (header, "7")] {
        let text = body("UNAVAILABLE", delay);
        let error = answered("table.put", 503, &headers, text.as_bytes());
        assert!(
            error.context().any(|fact| fact == (RETRY_AFTER, seconds)),
            "{error}"
        );
    }
}

#[test]
fn what_proves_who_asks_is_never_told() {
    for sentence in [
        "the token ya29.hush is expired",
        "Bearer eyJhush.x.y is refused",
        "refresh 1//hush is gone",
        "cannot get https://storage.googleapis.com/b/a?X-Goog-Signature=hush now",
        "sum X-Goog-Signature=hush",
        "first line\nhush in the second",
    ] {
        let clean = without_secrets(sentence);
        assert!(!clean.contains("hush"), "{clean}");
    }
    let harmless = "see https://cloud.google.com/a1//b of projects/p/topics/t";
    assert_eq!(without_secrets(harmless), harmless);
    assert!(without_secrets(&"x".repeat(9999)).chars().count() <= LONGEST + 1);
}

#[test]
fn who_has_no_credentials_is_told_how_to_get_some() {
    for (said, told) in [
        (
            "To setup local credentials, run `gcloud auth application-default login`.",
            "GOOGLE_APPLICATION_CREDENTIALS",
        ),
        ("body=<{\"error\":\"invalid_grant\"}>", "expired"),
        (
            "{\"error\":\"invalid_grant\",\"error_subtype\":\"invalid_rapt\"}",
            "renewed",
        ),
        (
            "Permission 'iam.serviceAccounts.getAccessToken' denied",
            "Token Creator",
        ),
        ("something else", "gcloud auth application-default login"),
    ] {
        let error = credentials::failed("table.get", &CredentialsError::from_msg(false, said));
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{said}");
        assert!(error.message().contains(told), "{error}");
    }
    let error = credentials::failed(
        "table.get",
        &CredentialsError::from_msg(true, "connection refused"),
    );
    assert_eq!(
        (error.kind(), error.is_retryable()),
        (ErrorKind::Unavailable, true)
    );
}

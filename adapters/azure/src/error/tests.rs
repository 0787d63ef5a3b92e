//! Tests of Azure's errors as ours.

use azure_core::http::RawResponse;

use super::*;

fn response(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> azure_core::Error {
    let mut of = Headers::new();
    for (name, value) in headers {
        of.insert(*name, *value);
    }
    let raw = RawResponse::from_bytes(status.into(), of, body.as_bytes().to_vec());
    azure_core::Error::new(
        AzureKind::HttpResponse {
            status: status.into(),
            error_code: None,
            raw_response: Some(Box::new(raw)),
        },
        "refused",
    )
}

fn xml(code: &str, message: &str) -> String {
    format!(
        "\u{feff}<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}\nRequestId:1</Message></Error>"
    )
}

#[test]
fn the_code_tells_the_kind_and_the_status_where_there_is_none() {
    use ErrorKind::{
        AlreadyExists, Conflict, DeadlineExceeded, InvalidArgument, NotFound, PermissionDenied,
        ResourceExhausted, Unauthenticated, Unavailable,
    };
    for (status, code, kind, retryable) in [
        (404, "QueueNotFound", NotFound, false),
        (404, "MessageNotFound", Conflict, false),
        (400, "PopReceiptMismatch", Conflict, false),
        (409, "QueueBeingDeleted", Conflict, true),
        (409, "BlobAlreadyExists", AlreadyExists, false),
        (403, "AuthenticationFailed", Unauthenticated, false),
        (403, "AuthorizationPermissionMismatch", PermissionDenied, false),
        (413, "RequestBodyTooLarge", ResourceExhausted, false),
        (503, "ServerBusy", Unavailable, true),
        (400, "InvalidQueryParameterValue", InvalidArgument, false),
        (401, "", Unauthenticated, false),
        (403, "", PermissionDenied, false),
        (404, "", NotFound, false),
        (408, "", DeadlineExceeded, true),
        (412, "", Conflict, false),
        (429, "", Unavailable, true),
        (449, "", Conflict, true),
        (500, "", Unavailable, true),
    ] {
        for answer in [
            response(status, &[], &xml(code, "said")),
            response(
                status,
                &[],
                &format!(r#"{{"error":{{"code":"{code}","message":"said"}}}}"#),
            ),
            response(status, &[], &format!(r#"{{"code":"{code}","message":"said"}}"#)),
        ] {
            let error = failed("queue.send", answer);
            assert_eq!(
                (error.kind(), error.is_retryable()),
                (kind, retryable),
                "{status} {code}: {error}"
            );
            assert!(error.chain().contains("said"), "{}", error.chain());
            if !code.is_empty() {
                assert_eq!(super::code(&error), Some(code));
            }
        }
    }
}

#[test]
fn the_header_comes_before_the_body_and_cosmos_tells_more_beside_the_status() {
    let error = failed(
        "queue.send",
        response(
            403,
            &[("x-ms-error-code", "AuthorizationFailure")],
            &xml("Other", "x"),
        ),
    );
    assert_eq!(code(&error), Some("AuthorizationFailure"));
    assert!(error.message().contains("firewall"), "{error}");

    for (status, substatus, kind) in [
        (403, "1014", ErrorKind::ResourceExhausted),
        (403, "5300", ErrorKind::PermissionDenied),
        (404, "1002", ErrorKind::Unavailable),
        (410, "1002", ErrorKind::Unavailable),
    ] {
        let error = failed(
            "table.get",
            response(status, &[("x-ms-substatus", substatus)], "{}"),
        );
        assert_eq!(error.kind(), kind, "{status} {substatus}");
        assert!(error.to_string().contains(substatus), "{error}");
    }
}

#[test]
fn it_tells_when_to_ask_again_and_by_which_number_support_finds_it() {
    for (name, value, seconds) in [
        ("retry-after", "7", "7"),
        ("x-ms-retry-after-ms", "1500", "2"),
        ("retry-after-ms", "10", "1"),
    ] {
        let error = failed(
            "table.put",
            response(429, &[(name, value), ("x-ms-request-id", "4711")], ""),
        );
        let facts: Vec<_> = error.context().collect();
        assert!(facts.contains(&(RETRY_AFTER, seconds)), "{error}");
        assert!(facts.contains(&("request", "4711")), "{error}");
    }
}

#[test]
fn what_proves_who_asks_and_what_was_sent_is_never_told() {
    let sentence = "The MAC signature found in the HTTP request 'c2VjcmV0LXNpZw==' is not the same as any computed signature. Server used following string to sign: 'POST";
    for (sentence, hidden) in [
        (sentence, "c2VjcmV0LXNpZw=="),
        (
            "cannot get https://a.blob.core.windows.net/b?sv=1&sig=hush now",
            "hush",
        ),
        ("token sig=hush&x", "hush"),
        ("Bearer eyJhush.x.y is refused", "hush"),
        ("The value 'it's hush' is not allowed", "hush"),
        ("first line\nhush in the second", "hush"),
    ] {
        let clean = without_secrets(sentence);
        assert!(!clean.contains(hidden), "{clean}");
        let error = failed(
            "queue.send",
            response(403, &[], &xml("AuthenticationFailed", sentence)),
        );
        assert!(
            !format!("{error:?} {}", error.chain()).contains(hidden),
            "{error:?}"
        );
    }
    assert_eq!(
        without_secrets("Queue 'jobs' is not there"),
        "Queue 'jobs' is not there"
    );
    assert!(without_secrets(&"x".repeat(9999)).chars().count() <= LONGEST + 1);
}

#[test]
fn a_connection_that_fails_can_be_tried_again() {
    let refused = azure_core::Error::with_error(
        AzureKind::Connection,
        std::io::Error::other("connection refused (http://127.0.0.1:1/a?sig=hush)"),
        "failed to execute request",
    );
    let error = failed("queue.send", refused);
    assert_eq!(
        (error.kind(), error.is_retryable()),
        (ErrorKind::Unavailable, true)
    );
    assert!(error.chain().contains("connection refused"), "{}", error.chain());
    assert!(!error.chain().contains("hush"), "{}", error.chain());
}

#[test]
fn who_has_no_credentials_is_told_how_to_get_some() {
    let of = |text: &'static str| {
        let inner = azure_core::Error::with_message(AzureKind::Credential, text);
        failed("table.get", inner)
    };
    for (said, told) in [
        ("Please run 'az login' to set up an account", "az login"),
        ("Azure CLI not found on path", "az login"),
        ("AADSTS90002: Tenant 'x' not found", "no such tenant"),
        (
            "AADSTS7000215: Invalid client secret provided",
            "AZURE_CLIENT_SECRET",
        ),
        (
            "AADSTS700016: Application with identifier 'x' was not found",
            "AZURE_CLIENT_ID",
        ),
        ("Identity not found", "deploy"),
    ] {
        let error = of(said);
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{said}");
        assert!(error.message().contains(told), "{error}");
        assert!(!error.is_retryable());
    }
    // Wrapped by the pipeline, and unreachable.
    let unreachable = azure_core::Error::with_error(
        AzureKind::Credential,
        azure_core::Error::with_message(AzureKind::Connection, "connection refused"),
        "no token",
    );
    let wrapped = azure_core::Error::with_error(AzureKind::Other, unreachable, "cannot authorize");
    let error = failed("table.get", wrapped);
    assert_eq!(
        (error.kind(), error.is_retryable()),
        (ErrorKind::Unavailable, true),
        "{error:?}"
    );
}

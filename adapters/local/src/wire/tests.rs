//! Tests of what both sides agree on.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use nephos_core::handler::PathParams;
use nephos_core::resource::ResourceKind;
use nephos_core::{Error, ErrorKind, TraceContext};
use proptest::prelude::*;

use super::{
    DELIVERY, DeliveryKind, MAX_CAUSES, Meta, PATH_PARAMS, SecretReply, WireError, decode_path_params,
    encode_path_params, kind_of_status, millis, object_path, problem, resource_path, status_of_kind,
    strip_reserved,
};

const KINDS: [ErrorKind; 18] = [
    ErrorKind::NotFound,
    ErrorKind::AlreadyExists,
    ErrorKind::Conflict,
    ErrorKind::InvalidArgument,
    ErrorKind::PermissionDenied,
    ErrorKind::Unauthenticated,
    ErrorKind::ResourceExhausted,
    ErrorKind::Unsupported,
    ErrorKind::DeadlineExceeded,
    ErrorKind::Unavailable,
    ErrorKind::Decode,
    ErrorKind::DataLoss,
    ErrorKind::Rejected,
    ErrorKind::Handler,
    ErrorKind::Panicked,
    ErrorKind::Crashed,
    ErrorKind::Cancelled,
    ErrorKind::Internal,
];

fn there_and_back(error: &Error) -> Error {
    let json = serde_json::to_vec(&WireError::from(error)).unwrap();
    serde_json::from_slice::<WireError>(&json).unwrap().into()
}

#[test]
fn a_chain_of_causes_without_end_is_cut_and_does_not_end_the_stack() {
    let mut wire = WireError::from(&Error::new(ErrorKind::Handler, "handler", "it failed"));
    wire.causes = (0..1_000_000).map(|cause| cause.to_string()).collect();
    let kept = WireError::from(&Error::from(wire.clone())).causes;
    assert_eq!(kept, wire.causes[..MAX_CAUSES]);
}

#[test]
fn every_kind_of_error_comes_over_with_all_that_it_says() {
    for kind in KINDS {
        for retryable in [true, false] {
            let inner = Error::new(ErrorKind::DataLoss, "disk.read", "unreadable").caused_by("bit rot");
            let error = Error::new(kind, "queue.send", "it failed")
                .with("queue", "orders")
                .with("n", 3)
                .retryable(retryable)
                .caused_by(inner);
            let back = there_and_back(&error);
            assert_eq!(format!("{back:?}"), format!("{error:?}"));
            assert_eq!(back.chain(), error.chain());
            assert_eq!((back.kind(), back.is_retryable()), (kind, retryable));
            assert_eq!(back.disposition(), error.disposition());
        }
    }
}

#[test]
fn a_kind_of_a_newer_side_is_a_defect_and_not_a_lost_error() {
    let json = r#"{"kind":"moon_phase","operation":"a.b","message":"c","retryable":true}"#;
    let error: Error = serde_json::from_str::<WireError>(json).unwrap().into();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Internal, true));
    assert_eq!(error.to_string(), "a.b: c");
}

#[test]
fn a_problem_holds_the_whole_error() {
    let error = Error::new(ErrorKind::Conflict, "table.write", "another version by now").with("key", "ann");
    let status = status_of_kind(error.kind());
    let json = problem(&error, status);
    let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(value["status"], 412);
    assert_eq!(value["title"], "Precondition Failed");
    assert_eq!(value["detail"], "table.write: another version by now (key=ann)");
    let back: Error = serde_json::from_slice::<WireError>(&json).unwrap().into();
    assert_eq!(format!("{back:?}"), format!("{error:?}"));
}

#[test]
fn a_status_without_a_body_still_tells_what_a_bucket_must_tell() {
    for kind in [
        ErrorKind::NotFound,
        ErrorKind::AlreadyExists,
        ErrorKind::Conflict,
        ErrorKind::InvalidArgument,
        ErrorKind::PermissionDenied,
        ErrorKind::Unauthenticated,
        ErrorKind::ResourceExhausted,
        ErrorKind::Unsupported,
        ErrorKind::DeadlineExceeded,
        ErrorKind::Unavailable,
        ErrorKind::Internal,
    ] {
        assert_eq!(kind_of_status(status_of_kind(kind)), kind);
    }
}

#[test]
fn meta_survives_its_headers_and_a_missing_one_is_named() {
    let meta = Meta {
        invocation_id: "0198".to_owned(),
        timeout: Duration::from_millis(1500),
        attempt: 3,
        trace: TraceContext {
            parent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
            state: Some("vendor=1".to_owned()),
        },
    };
    let mut headers = HeaderMap::new();
    meta.write(DeliveryKind::Event, &mut headers);
    assert_eq!(DeliveryKind::of(&headers), Some(DeliveryKind::Event));
    assert_eq!(Meta::read(&headers).unwrap(), meta);

    for (value, field) in [
        ("event;attempt=1;timeout-ms=soon;id=i", "timeout-ms"),
        ("event;attempt=-1;timeout-ms=9;id=i", "attempt"),
        ("event;attempt=1;timeout-ms=9", "id"),
        ("event", "attempt"),
    ] {
        headers.insert(DELIVERY, HeaderValue::from_static(value));
        let error = Meta::read(&headers).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        let told = error.to_string();
        assert!(
            told.contains("nephos-delivery") && told.contains(&format!("field={field}")),
            "{told}"
        );
    }
    headers.remove(DELIVERY);
    assert_eq!(DeliveryKind::of(&headers), None);
    assert!(Meta::read(&headers).is_err());
}

#[test]
fn strangers_cannot_speak_for_the_host() {
    let mut headers = HeaderMap::new();
    headers.insert("nephos-attempt", HeaderValue::from_static("9"));
    headers.append("nephos-meta-a", HeaderValue::from_static("1"));
    headers.append("nephos-meta-a", HeaderValue::from_static("2"));
    headers.insert("accept", HeaderValue::from_static("*/*"));
    strip_reserved(&mut headers);
    assert_eq!(headers.len(), 1);
    assert!(headers.contains_key("accept"));
}

#[test]
fn paths_keep_every_key_apart() {
    assert_eq!(
        resource_path(ResourceKind::Queue, "orders", "send"),
        "/v1/queue/orders/send"
    );
    assert_eq!(
        object_path("snapshots", "2026/a b%20ü?.jpg"),
        "/v1/bucket/snapshots/2026/a%20b%2520%C3%BC%3F.jpg"
    );
}

#[test]
fn no_time_is_lost_by_rounding() {
    assert_eq!(millis(Duration::from_nanos(1)), 1);
    assert_eq!(millis(Duration::from_millis(7)), 7);
    assert_eq!(millis(Duration::MAX), u64::MAX);
}

#[test]
fn a_secret_is_not_shown() {
    let reply = SecretReply {
        base64: "hunter2".into(),
        version: None,
    };
    assert!(!format!("{reply:?}").contains("hunter2"));
    let json = serde_json::to_string(&reply).unwrap();
    assert_eq!(serde_json::from_str::<SecretReply>(&json).unwrap(), reply);
}

proptest! {
    #[test]
    fn any_path_parameters_pass_through_a_header(params in prop::collection::btree_map("\\PC{0,8}|[\\x00-\\x7f]{0,4}", "\\PC{0,20}|[\\x00-\\x7f]{0,9}", 0..4)) {
        let params = PathParams(params);
        let mut headers = HeaderMap::new();
        headers.insert(PATH_PARAMS, encode_path_params(&params).unwrap());
        prop_assert_eq!(decode_path_params(&headers).unwrap(), params);
    }

    #[test]
    fn any_error_text_comes_over(operation in ".*", message in ".*", facts in prop::collection::vec((".*", ".*"), 0..3), causes in prop::collection::vec(".*", 0..3)) {
        let wire = WireError { kind: ErrorKind::Internal, operation, message, context: facts, retryable: true, causes };
        let error = Error::from(wire.clone());
        prop_assert_eq!(WireError::from(&there_and_back(&error)), wire);
    }
}

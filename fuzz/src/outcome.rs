//! A function's answers: whatever is read can be passed on and is read again as the same, and no answer speaks for records that were not given.

use bytes::Bytes;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use http::response::Parts;
use nephos_core::event::{Body, Request};
use nephos_core::{Disposition, ErrorKind, Outcome};
use nephos_local::events::{decode_outcome, encode_outcome};
use nephos_local::wire::{OUTCOME, WireError};

/// The records that were delivered.
const RECORDS: [&str; 2] = ["a", "b"];

/// Reads `data` as an answer: the outcome's kind, a space, the content type, a line's end, the body.
pub fn check(data: &[u8]) {
    let Some((line, body)) = crate::first_line(data) else {
        return;
    };
    let (kind, content_type) = line.split_once(' ').unwrap_or((line, ""));
    let mut parts = http::Response::new(()).into_parts().0;
    for (name, value) in [(OUTCOME, kind), (CONTENT_TYPE, content_type)] {
        if let (Ok(value), false) = (HeaderValue::from_str(value), value.is_empty()) {
            parts.headers.insert(name, value);
        }
    }
    let outcome = match decode_outcome(parts, Bytes::copy_from_slice(body), &RECORDS) {
        Ok(outcome) => outcome,
        Err(error) => {
            // Nothing of the batch may be acknowledged, nor dead-lettered, over an answer that cannot be read.
            assert_eq!(
                (error.kind(), error.disposition()),
                (ErrorKind::Internal, Disposition::Retry)
            );
            return crate::check_error(&error);
        }
    };
    if let Outcome::Batch(batch) = &outcome {
        let strangers = batch
            .failures()
            .iter()
            .any(|failure| !RECORDS.contains(&failure.id.as_str()));
        assert!(!strangers, "{batch:?}");
    }
    let (outcome, first) = shown(outcome);
    let (parts, body) = passed_on(outcome);
    let again = decode_outcome(parts, body, &RECORDS).expect("our own answer is read");
    let (_, second) = shown(again);
    assert_eq!(first, second);
}

fn passed_on(outcome: Outcome) -> (Parts, Bytes) {
    let (parts, body) = encode_outcome(outcome).into_parts();
    (parts, whole(body))
}

/// All of an outcome that its reader can see, as text; and the outcome, its body still unread.
fn shown(outcome: Outcome) -> (Outcome, String) {
    match outcome {
        Outcome::Http(response) => {
            let (parts, body) = response.into_parts();
            let body = whole(body);
            let text = format!("{parts:?} {body:?}");
            (
                Outcome::Http(http::Response::from_parts(parts, Body::from(body))),
                text,
            )
        }
        Outcome::Failed(error) => {
            let text = format!("{:?}", WireError::from(&error));
            (Outcome::Failed(error), text)
        }
        other => {
            let text = format!("{other:?}");
            (other, text)
        }
    }
}

fn whole(body: Body) -> Bytes {
    crate::cloudevents::buffered(Request::new(body)).body
}

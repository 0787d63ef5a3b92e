//! Lambda's documents: whatever is read keeps its bytes, loses no record, and can be written as CloudEvents; whatever is answered is JSON.

use bytes::Bytes;
use nephos_aws::events::{Wiring, decode, encode};
use nephos_core::event::{AuthDecision, Data};
use nephos_core::{ErrorKind, Outcome};

/// Reads `data` as a document that Lambda delivers.
pub fn check(data: &[u8]) {
    let document = Bytes::copy_from_slice(data);
    let decoded = match decode(&document, &Wiring::default()) {
        Ok(decoded) => decoded,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
            return crate::check_error(&error);
        }
    };
    for outcome in [
        Outcome::Ack,
        Outcome::Auth(Box::new(AuthDecision::allow().confirmed())),
    ] {
        match encode(decoded.kind, &document, outcome) {
            Ok(reply) => assert!(serde_json::to_vec(&reply).is_ok(), "an answer that is not JSON"),
            Err(error) => crate::check_error(&error),
        }
    }
    let records = || {
        let value: serde_json::Value = serde_json::from_slice(data).ok()?;
        Some(value.get("Records")?.as_array()?.len())
    };
    if decoded.kind.has_records() {
        let [event] = decoded.events.as_slice() else {
            panic!("records are one event");
        };
        let read = event.record_ids().len() + event.undecodable.len();
        assert_eq!(Some(read), records(), "a record was lost or doubled");
    }
    for mut event in decoded.events {
        let raw = event.raw.take().expect("an event keeps its document");
        assert_eq!(raw.bytes, document);
        // A receipt has no message that could travel.
        if !matches!(event.data, Data::Email(_)) {
            crate::cloudevents::comes_back(event);
        }
    }
}

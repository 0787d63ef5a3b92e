//! The bodies of the local resource API: what is read, and turned into the core's types and back, is written as the same.

use nephos_core::event::Payload;
use nephos_core::resource::queue::{Outgoing, Received};
use nephos_core::resource::stream::{Append, StreamPage};
use nephos_core::resource::topic::Publication;
use nephos_local::wire::{
    AckBody, AppendBody, ExtendBody, IdsReply, MAX_CAUSES, NackBody, PublishBody, ReadBody, ReadReply,
    ReceiveBody, ReceiveReply, SecretBody, SecretReply, SendBody, SequencesReply, WireAppend, WireError,
    WireOutgoing, WirePublication, WireReceived,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reads `data` as the name of an operation, a line's end, and the body that it takes or answers with.
pub fn check(data: &[u8]) {
    let Some((operation, body)) = crate::first_line(data) else {
        return;
    };
    match operation {
        "send" => both_ways(body, |body: &SendBody| {
            for message in &body.messages {
                let neutral = Outgoing::from(message.clone());
                assert_eq!(WireOutgoing::from(&neutral), *message);
                check_payload(&neutral.body);
            }
        }),
        "receive" => both_ways(body, |_: &ReceiveBody| {}),
        "received" => both_ways(body, |body: &ReceiveReply| {
            for message in &body.messages {
                assert_eq!(WireReceived::from(Received::from(message.clone())), *message);
            }
        }),
        "ack" => both_ways(body, |_: &AckBody| {}),
        "nack" => both_ways(body, |_: &NackBody| {}),
        "extend" => both_ways(body, |_: &ExtendBody| {}),
        "publish" => both_ways(body, |body: &PublishBody| {
            for notification in &body.notifications {
                let neutral = Publication::from(notification.clone());
                assert_eq!(WirePublication::from(&neutral), *notification);
            }
        }),
        "append" => both_ways(body, |body: &AppendBody| {
            for record in &body.records {
                assert_eq!(WireAppend::from(&Append::from(record.clone())), *record);
            }
        }),
        "read" => both_ways(body, |_: &ReadBody| {}),
        "records" => both_ways(body, |body: &ReadReply| {
            assert_eq!(ReadReply::from(StreamPage::from(body.clone())), *body);
        }),
        "ids" => both_ways(body, |_: &IdsReply| {}),
        "sequences" => both_ways(body, |_: &SequencesReply| {}),
        "secret" => both_ways(body, |_: &SecretBody| {}),
        "value" => both_ways(body, |_: &SecretReply| {}),
        "error" => both_ways(body, |body: &WireError| {
            let mut kept = body.clone();
            kept.causes.truncate(MAX_CAUSES);
            assert_eq!(WireError::from(&nephos_core::Error::from(body.clone())), kept);
        }),
        _ => {}
    }
}

/// Reads `T`, writes it, reads that, and compares.
fn both_ways<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(json: &[u8], more: impl Fn(&T)) {
    let Ok(read) = serde_json::from_slice::<T>(json) else {
        return;
    };
    more(&read);
    let written = serde_json::to_vec(&read).expect("a wire type has a JSON form");
    let again: T = serde_json::from_slice(&written).expect("our own JSON is read");
    assert_eq!(again, read);
}

/// A body is whatever its reader asks for, and bytes always.
fn check_payload(payload: &Payload) {
    let bytes: bytes::Bytes = payload.decode().expect("any body is bytes");
    assert_eq!(bytes, payload.bytes);
    for error in [
        payload.decode::<String>().err(),
        payload.decode::<serde_json::Value>().err(),
        payload.decode::<Vec<Option<u8>>>().err(),
    ] {
        if let Some(error) = error {
            assert_eq!(error.kind(), nephos_core::ErrorKind::Decode, "{error}");
            crate::check_error(&error);
        }
    }
}

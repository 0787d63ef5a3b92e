//! Rules of payloads that are not what they should be: cut off, damaged, or none at all. They come from the network; a process must survive them.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use nephos_core::ErrorKind;
use nephos_core::event::Data;

use super::{declared, natives};
use crate::ensure;
use crate::happening::Native;
use crate::harness::Harness;
use crate::rule::{Rule, Verdict, Violation, rule};

type Subject = Arc<dyn Harness>;

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!(
        "events.truncated.is-an-error-at-every-byte",
        "half an event must never be handled as a whole one",
        "STYLE, decode without guessing",
        HalfTaken,
        truncated
    ),
    rule!(
        "events.malformed.is-refused-or-raw",
        "what is no event of a kind must not be made into one",
        "STYLE, decode without guessing",
        HalfTaken,
        malformed
    ),
    rule!(
        "events.damaged.never-ends-the-process",
        "one byte that anyone may send must not end a process that others share",
        "STYLE, decode without guessing",
        DecoderPanics,
        damaged
    ),
];

/// Every document that the provider sends.
async fn documents(harness: &Subject) -> Result<Vec<Native>, Violation> {
    let mut documents = Vec::new();
    for happening in declared(&**harness) {
        documents.extend(natives(&**harness, &happening).await?);
    }
    documents.retain(|native| native.is_document);
    ensure!(!documents.is_empty(), "the provider has no document of any kind");
    Ok(documents)
}

fn with_body(native: &Native, body: impl Into<Bytes>) -> Native {
    let mut changed = native.clone();
    *changed.message.body_mut() = body.into();
    changed
}

/// Does something in a task of its own, and says what it was about if it ends in a panic.
async fn survived(
    told: impl for<'a> FnOnce(Arc<Mutex<String>>) -> futures::future::BoxFuture<'static, Verdict>,
) -> Verdict {
    let place = Arc::new(Mutex::new(String::new()));
    match tokio::spawn(told(Arc::clone(&place))).await {
        Ok(verdict) => verdict,
        Err(_) => Err(Violation::new(format!(
            "the decoder panics at {}",
            place.lock().unwrap_or_else(PoisonError::into_inner)
        ))),
    }
}

async fn truncated(harness: Subject) -> Verdict {
    let documents = documents(&harness).await?;
    survived(|place| {
        Box::pin(async move {
            for native in documents {
                let whole = native.message.body().clone();
                for end in 0..whole.trim_ascii_end().len() {
                    *place.lock().unwrap_or_else(PoisonError::into_inner) =
                        format!("byte {end} of a payload ({}) that is cut off there", native.form);
                    match harness.decode(&with_body(&native, whole.slice(..end))).await {
                        Err(error) if error.kind() == ErrorKind::Decode => {}
                        Err(error) => {
                            return Err(Violation::new(format!(
                                "the first {end} bytes of {} ({}) are an error of another kind than decode: {error:?}",
                                whole.len(),
                                native.form
                            )));
                        }
                        Ok(events) => {
                            return Err(Violation::new(format!(
                                "the first {end} bytes of {} ({}) are taken for {} events",
                                whole.len(),
                                native.form,
                                events.len()
                            )));
                        }
                    }
                }
            }
            Ok(())
        })
    })
    .await
}

async fn malformed(harness: Subject) -> Verdict {
    let documents = documents(&harness).await?;
    let deep = "[".repeat(20_000);
    let deep_object = format!("{{\"Records\":{}", "[{\"a\":".repeat(10_000));
    let bodies: Vec<Bytes> = [
        "",
        " ",
        "\u{feff}{}",
        "null",
        "true",
        "7",
        "1e999",
        "\"text\"",
        "[]",
        "{}",
        "{\"\":",
        "[{}]",
        "[null]",
        "\"\\ud800\"",
        "{\"Records\":[]}",
        "{\"Records\":[{}]}",
        "{\"Records\":null}",
        "{\"specversion\":\"1.0\"}",
        "<xml/>",
        "a=b&c=d",
        &deep,
        &deep_object,
    ]
    .into_iter()
    .map(|text| Bytes::copy_from_slice(text.as_bytes()))
    .chain([
        Bytes::from_static(&[0xff, 0xfe, 0x00]),
        Bytes::from(vec![0; 4096]),
    ])
    .collect();
    survived(|place| {
        Box::pin(async move {
            for native in documents {
                for body in &bodies {
                    let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
                    *place.lock().unwrap_or_else(PoisonError::into_inner) =
                        format!("`{shown}` in the place of a payload ({})", native.form);
                    // An error of the kind that says so, or the author's own.
                    match harness.decode(&with_body(&native, body.clone())).await {
                        Err(error) if error.kind() == ErrorKind::Decode => {}
                        Err(error) => {
                            return Err(Violation::new(format!(
                                "`{shown}` ({}) is an error of another kind than decode: {error:?}",
                                native.form
                            )));
                        }
                        Ok(events) => {
                            for delivered in events {
                                let is_raw =
                                    matches!(&delivered.event.data, Data::Raw(raw) if raw.bytes == *body);
                                ensure!(
                                    is_raw,
                                    "`{shown}` ({}) is taken for {:?}",
                                    native.form,
                                    delivered.event.data
                                );
                            }
                        }
                    }
                }
            }
            Ok(())
        })
    })
    .await
}

async fn damaged(harness: Subject) -> Verdict {
    /// What a byte is replaced by, in turn, and every how many bytes one is.
    const BY: [u8; 7] = [0, 0xff, b'"', b'9', b'{', b'\\', b']'];
    const STEP: usize = 5;
    let documents = documents(&harness).await?;
    survived(|place| {
        Box::pin(async move {
            for native in documents {
                let whole = native.message.body().clone();
                for at in (0..whole.len()).step_by(STEP) {
                    let mut bytes = whole.to_vec();
                    bytes[at] = BY[(at / STEP) % BY.len()];
                    *place.lock().unwrap_or_else(PoisonError::into_inner) = format!(
                        "byte {at} of a payload ({}) that is {:#04x}",
                        native.form, bytes[at]
                    );
                    // Whether it is still an event is not the question here; reading it is part of it.
                    for delivered in harness
                        .decode(&with_body(&native, bytes))
                        .await
                        .unwrap_or_default()
                    {
                        drop(crate::neutral::of(delivered.event).await);
                    }
                }
            }
            Ok(())
        })
    })
    .await
}

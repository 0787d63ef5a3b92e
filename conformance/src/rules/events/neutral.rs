//! Rules of neutral equality, kind by kind.

use std::sync::Arc;

use bytes::Bytes;
use nephos_core::TriggerKind;
use nephos_core::event::{AuthStage, Data, Payload, VoiceRequestKind};
use serde_json::json;

use super::samples;
use super::{equal, natives, one};
use crate::happening::{Happening, What};
use crate::harness::{AuthCapabilities, Capabilities, Harness};
use crate::rule::{Rule, Verdict, Violation, rule};
use crate::{ensure, ensure_eq};

type Subject = Arc<dyn Harness>;

/// Of a kind: whether it is declared, and the negative.
macro_rules! kinds {
    ($($module:ident, $kind:ident, $sample:expr;)*) => {$(
        mod $module {
            use super::{Capabilities, Subject, TriggerKind, Verdict, samples};

            pub(super) fn declared(capabilities: &Capabilities) -> bool {
                capabilities.host.kinds.contains(&TriggerKind::$kind)
            }

            pub(super) async fn refused(harness: Subject) -> Verdict {
                super::super::refused(&*harness, &$sample).await
            }
        }
    )*};
}

kinds! {
    bucket, Bucket, samples::created("a");
    queue, Queue, samples::queue(&[samples::message("1", samples::json_body())]);
    topic, Topic, samples::topic(samples::notification(samples::json_body()));
    stream, Stream, samples::stream(&[samples::record("1", samples::json_body())]);
    schedule, Schedule, samples::tick();
    email, Email, samples::email();
    auth, Auth, samples::auth(nephos_core::event::AuthStage::BeforeSignUp);
    voice, Voice, samples::voice(samples::intent());
    request, Http, samples::request(b"");
    raw, Raw, samples::raw();
}

fn repeats(capabilities: &Capabilities) -> bool {
    request::declared(capabilities) && capabilities.host.query_values
}

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!("events.bucket.created.neutral-equal", "a function that handles a new object is the same function everywhere", "DESIGN, the four ports; functions-framework-conformance", KindConfused, created, needs bucket::declared, bucket::refused),
    rule!("events.bucket.deleted.neutral-equal", "what is gone must not be taken for what is new", "DESIGN, the four ports; functions-framework-conformance", KindConfused, deleted, needs bucket::declared, bucket::refused),
    rule!("events.bucket.key.unicode-and-percent", "an object is found only under its exact key, and providers write keys in forms of their own", "S3 notification documentation, form-encoded keys; Go CDK drivertest, weird keys", DecodedTwice, keys, needs bucket::declared, bucket::refused),
    rule!("events.queue.message.neutral-equal", "a message is its body and what its sender said of it, whoever carried it", "DESIGN, the four ports; functions-framework-conformance", AttributesDropped, message, needs queue::declared, queue::refused),
    rule!("events.queue.batch.in-order", "a report of failures names records by id, so each must have its own content", "AWS Lambda partial batch response", OrderReversed, batch, needs queue::declared, queue::refused),
    rule!("events.queue.body.binary", "bytes that are no text must arrive as the bytes they were", "Go CDK drivertest, non-UTF-8 body", BodyUtf8Lossy, queue_binary, needs queue::declared, queue::refused),
    rule!("events.queue.body.no-double-wrap", "a text stays this text, and JSON within a text is decoded once, not twice and not never", "Dapr components-contrib issue 381", DoubleWrapped, queue_wrap, needs queue::declared, queue::refused),
    rule!("events.queue.body.largest", "what a queue takes, a function is given whole", "SQS and Pub/Sub message size limits", BodyTruncated, largest, needs queue::declared, queue::refused),
    rule!("events.topic.notification.neutral-equal", "a subscriber is told what was published, whoever carried it", "DESIGN, the four ports; functions-framework-conformance", AttributesDropped, notification, needs topic::declared, topic::refused),
    rule!("events.topic.body.binary-and-no-double-wrap", "an envelope of the provider's must be taken off, and only that", "Dapr issue 2308", DecodedTwice, topic_wrap, needs topic::declared, topic::refused),
    rule!("events.stream.records.neutral-equal", "records of a stream keep their order, key and sequence", "DESIGN, the four ports; Kinesis documentation", OrderReversed, records, needs stream::declared, stream::refused),
    rule!("events.stream.body.binary-and-no-double-wrap", "a reading is bytes: the provider's own encoding of them is not the function's affair", "Kinesis documentation, base64 data", BodyUtf8Lossy, stream_wrap, needs stream::declared, stream::refused),
    rule!("events.schedule.tick.neutral-equal", "a tick is of its schedule, and of the time it was due, not of the time it came", "EventBridge Scheduler documentation, scheduled-time", TimeLost, tick, needs schedule::declared, schedule::refused),
    rule!("events.email.message.neutral-equal", "a message is its envelope, its headers, its text and its attachments", "DESIGN, the four ports; RFC 5322", PartLost, email, needs email::declared, email::refused),
    rule!("events.auth.stages.neutral-equal", "a refusal at the wrong step of a sign-up lets in whom it should not", "DESIGN, the four ports; Cognito Lambda trigger documentation", PartLost, stages, needs auth::declared, auth::refused),
    rule!("events.auth.client", "who may sign in to one application may not be let into another", "Cognito Lambda trigger documentation, callerContext; Microsoft Entra documentation, clientServicePrincipal", PartLost, client, needs auth::declared, auth::refused),
    rule!("events.voice.requests.neutral-equal", "what the user said is an intent with its slots, whoever understood it", "DESIGN, the four ports; Alexa Skills Kit request reference", PartLost, spoken, needs voice::declared, voice::refused),
    rule!("events.http.request.neutral-equal", "a request is its method, path, query, headers and body, whatever front it came through", "functions-framework-conformance, HTTP", QueryHidden, request, needs request::declared, request::refused),
    rule!("events.http.query.several-values", "a name that is there twice has two values; where the provider's front joins them, each is still told", "WHATWG URL, application/x-www-form-urlencoded", QueryHidden, repeated, needs repeats, repeated_joined, kills QueryHidden),
    rule!("events.http.headers.several-values-and-cookies", "a header that is there twice counts twice, and each cookie is one", "RFC 9110, section 5.3; RFC 6265", ValuesLost, request, needs request::declared, request::refused),
    rule!("events.http.body.binary", "an upload must arrive as the bytes it was", "AWS Lambda function URL payload, isBase64Encoded", BodyUtf8Lossy, request_binary, needs request::declared, request::refused),
    rule!("events.raw.document.untouched", "what no kind fits is the author's own, to the byte", "DESIGN, the four ports", BodyTruncated, raw, needs raw::declared, raw::refused),
];

async fn each(harness: &Subject, happenings: impl IntoIterator<Item = Happening>) -> Verdict {
    for happening in happenings {
        equal(&**harness, &happening).await?;
    }
    Ok(())
}

async fn created(harness: Subject) -> Verdict {
    each(&harness, [samples::created("in/a.jpg")]).await
}

async fn deleted(harness: Subject) -> Verdict {
    each(&harness, [samples::deleted("in/a.jpg")]).await
}

async fn keys(harness: Subject) -> Verdict {
    let keys = [
        "a b+c/d e",
        "100%",
        "a%20b%2Fc",
        "%ff",
        "ä/日本/🦀",
        "e\u{301}",
        "a\\b\"c'd",
        "a?b=c&d#e;f",
        "<x>{y}|z~^`",
    ];
    let told: Vec<Happening> = keys
        .iter()
        .flat_map(|key| [samples::created(key), samples::deleted(key)])
        .collect();
    each(&harness, told).await
}

async fn message(harness: Subject) -> Verdict {
    each(
        &harness,
        [samples::queue(&[samples::message("1", samples::json_body())])],
    )
    .await
}

async fn batch(harness: Subject) -> Verdict {
    let messages: Vec<_> = (1..=9)
        .map(|n: u32| samples::message(&n.to_string(), Payload::text(format!("message {n}"))))
        .collect();
    each(&harness, [samples::queue(&messages)]).await
}

/// Bodies that are no text, or hardly.
fn odd() -> Vec<Payload> {
    let every: Vec<u8> = (0..=255).collect();
    vec![
        Payload::bytes(every),
        Payload::bytes(vec![0xff, 0xfe]),
        Payload::bytes(Vec::new()),
        Payload {
            content_type: None,
            bytes: Bytes::from_static(b"\x00\x01\x02"),
        },
        Payload::text("\u{0}\u{1f}\r\n\u{fffe}"),
        Payload {
            content_type: Some("image/png".to_owned()),
            bytes: Bytes::from_static(b"\x89PNG\r\n\x1a\n"),
        },
    ]
}

/// Bodies that look as if they were wrapped, or ask to be unwrapped once more.
fn wrapped() -> Vec<Payload> {
    let json = |text: &'static str| Payload {
        content_type: Some("application/json".to_owned()),
        bytes: Bytes::from_static(text.as_bytes()),
    };
    vec![
        Payload::text("plain"),
        Payload::text("{\"looks\": \"like JSON\"}"),
        Payload::text("\"quoted\""),
        Payload::text("aGVsbG8="),
        Payload::text("a%20b+c"),
        json("\"a text\""),
        json("\"{\\\"inner\\\": 1}\""),
        json("\"\\\"twice\\\"\""),
        json("{\"Message\": \"{}\", \"Records\": [], \"specversion\": \"1.0\", \"data\": \"x\"}"),
        json("[1,  2]"),
        json("null"),
        json("7"),
    ]
}

async fn queue_binary(harness: Subject) -> Verdict {
    each(
        &harness,
        odd()
            .into_iter()
            .map(|body| samples::queue(&[samples::message("1", body)])),
    )
    .await
}

async fn queue_wrap(harness: Subject) -> Verdict {
    each(
        &harness,
        wrapped()
            .into_iter()
            .map(|body| samples::queue(&[samples::message("1", body)])),
    )
    .await?;
    // What the handler is given, which asks for the type.
    let read = async |text: &'static str| {
        let body = Payload {
            content_type: Some("application/json".to_owned()),
            bytes: Bytes::from_static(text.as_bytes()),
        };
        let happening = samples::queue(&[samples::message("1", body)]);
        let mut read = Vec::new();
        for native in natives(&*harness, &happening).await? {
            match one(&*harness, &native).await?.event.data {
                Data::Queue(messages) => {
                    let [message] = messages.as_slice() else {
                        return Err(Violation::new("one message is another number of them"));
                    };
                    read.push(message.body.decode::<serde_json::Value>()?);
                }
                other => return Err(Violation::new(format!("a message is {other:?}"))),
            }
        }
        Ok(read)
    };
    for value in read("\"{\\\"inner\\\": 1}\"").await? {
        ensure_eq!(
            value,
            json!("{\"inner\": 1}"),
            "JSON within a text, as the handler is given it"
        );
    }
    for value in read("{\"inner\": \"2\"}").await? {
        ensure_eq!(
            value,
            json!({"inner": "2"}),
            "an object, as the handler is given it"
        );
    }
    Ok(())
}

async fn largest(harness: Subject) -> Verdict {
    /// What an attribute or an envelope may need.
    const REST: usize = 4096;
    let limit = harness
        .queue(nephos_core::app::QueueSpec::default())
        .await?
        .capabilities()
        .max_message_bytes
        .clamp(REST, 4 << 20);
    let text = "ü".repeat((limit - REST) / 2);
    each(
        &harness,
        [samples::queue(&[samples::message("1", Payload::text(text))])],
    )
    .await
}

async fn notification(harness: Subject) -> Verdict {
    let with = |subject: Option<&str>| {
        let mut notification = samples::notification(samples::json_body());
        notification.subject = subject.map(str::to_owned);
        samples::topic(notification)
    };
    each(
        &harness,
        [with(Some("An order")), with(None), with(Some("Grüße\nan alle"))],
    )
    .await
}

async fn topic_wrap(harness: Subject) -> Verdict {
    let bodies = odd().into_iter().chain(wrapped());
    each(
        &harness,
        bodies.map(|body| samples::topic(samples::notification(body))),
    )
    .await
}

async fn records(harness: Subject) -> Verdict {
    let records: Vec<_> = (1..=9)
        .map(|n: u32| samples::record(&n.to_string(), Payload::text(format!("record {n}"))))
        .collect();
    each(
        &harness,
        [
            samples::stream(&records),
            samples::stream(&[samples::record("1", samples::json_body())]),
        ],
    )
    .await
}

async fn stream_wrap(harness: Subject) -> Verdict {
    let bodies = odd().into_iter().chain(wrapped());
    each(
        &harness,
        bodies.map(|body| samples::stream(&[samples::record("1", body)])),
    )
    .await
}

async fn tick(harness: Subject) -> Verdict {
    each(&harness, [samples::tick()]).await
}

async fn email(harness: Subject) -> Verdict {
    each(&harness, [samples::email()]).await
}

async fn stages(harness: Subject) -> Verdict {
    let told = harness.host().auth;
    ensure!(
        !told.stages.is_empty(),
        "a function is asked at no step of sign-in"
    );
    for stage in AuthCapabilities::all().stages {
        let mut happening = samples::auth(stage.clone());
        if !told.stages.contains(&stage) {
            super::refused(&*harness, &happening).await?;
            continue;
        }
        if let What::Auth(step) = &mut happening.what {
            if !told.client_data {
                step.client_data.clear();
            }
            if stage == AuthStage::BeforeSignUp && !told.user_before_sign_up {
                step.user = None;
            }
        }
        let expected = crate::neutral::of(happening.event()).await?;
        for native in natives(&*harness, &happening).await? {
            let mut actual = crate::neutral::of(one(&*harness, &native).await?.event).await?;
            // What a directory tells besides is its own.
            if let Some(attributes) = actual["data"]["attributes"].as_object_mut() {
                attributes.retain(|name, _| expected["data"]["attributes"].get(name).is_some());
            }
            // The client has a rule of its own.
            actual["data"]["client"] = expected["data"]["client"].clone();
            if let Some(differences) = crate::neutral::differences(&expected, &actual) {
                return Err(Violation::new(format!(
                    "a payload ({}) of the step {} is another neutral event: {differences}",
                    native.form,
                    stage.name()
                )));
            }
        }
    }
    Ok(())
}

async fn client(harness: Subject) -> Verdict {
    for stage in harness.host().auth.stages {
        let happening = samples::auth(stage.clone());
        let What::Auth(step) = &happening.what else {
            return Err(Violation::new("the sample is of another kind"));
        };
        for native in natives(&*harness, &happening).await? {
            let Data::Auth(told) = one(&*harness, &native).await?.event.data else {
                return Err(Violation::new("a step is another event"));
            };
            ensure_eq!(
                told.client,
                step.client,
                "the client of the step {} ({})",
                stage.name(),
                native.form
            );
        }
    }
    Ok(())
}

async fn spoken(harness: Subject) -> Verdict {
    let ended = VoiceRequestKind::SessionEnded {
        reason: "USER_INITIATED".to_owned(),
    };
    each(
        &harness,
        [samples::intent(), VoiceRequestKind::Launch, ended].map(samples::voice),
    )
    .await
}

async fn request(harness: Subject) -> Verdict {
    each(
        &harness,
        [samples::request("der Körper".as_bytes()), samples::request(b"")],
    )
    .await
}

async fn repeated(harness: Subject) -> Verdict {
    each(&harness, [samples::repeated()]).await
}

/// The negative: joined by commas, or as they were.
async fn repeated_joined(harness: Subject) -> Verdict {
    if !harness.host().kinds.contains(&TriggerKind::Http) {
        return request::refused(harness).await;
    }
    for native in natives(&*harness, &samples::repeated()).await? {
        let Data::Http(request) = one(&*harness, &native).await?.event.data else {
            return Err(Violation::new("a request is another event"));
        };
        let query = request.uri().query().unwrap_or_default().to_owned();
        ensure!(
            ["x=1&x=2&y=%C3%A9", "x=1%2C2&y=%C3%A9", "x=1,2&y=%C3%A9"].contains(&query.as_str()),
            "a query with two values of one name ({}) is `{query}`",
            native.form
        );
    }
    Ok(())
}

async fn request_binary(harness: Subject) -> Verdict {
    let every: Vec<u8> = (0..=255).collect();
    each(
        &harness,
        [samples::request(&every), samples::request(&every.repeat(4096))],
    )
    .await
}

async fn raw(harness: Subject) -> Verdict {
    let with = |text: &'static str| {
        let raw = nephos_core::event::Raw::json(text);
        samples::happening(What::Raw(raw))
    };
    each(
        &harness,
        [
            samples::raw(),
            with("\"a text\""),
            with("7"),
            with("[]"),
            with("{}"),
        ],
    )
    .await
}

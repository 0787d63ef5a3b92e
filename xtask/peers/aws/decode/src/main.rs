//! Decodes the payloads of the adapter's tests, in turn by `nephos_aws::events::decode`, as the host does it, and by `serde_json` into the type of
//! `aws_lambda_events`. Prints one line of JSON a payload: the nanoseconds that a tenth of each side's
//! turns stay below, and their ratio. What else the machine does only ever adds time, so the quick turns tell what the code takes.
//!
//! The first argument is the folder of the payloads, the second one trigger that is measured alone.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use aws_lambda_events::cognito::CognitoEventUserPoolsPreSignup;
use aws_lambda_events::dynamodb;
use aws_lambda_events::eventbridge::EventBridgeEvent;
use aws_lambda_events::kinesis::KinesisEvent;
use aws_lambda_events::lambda_function_urls::LambdaFunctionUrlRequest;
use aws_lambda_events::s3::S3Event;
use aws_lambda_events::ses::SimpleEmailEvent;
use aws_lambda_events::sns::SnsEvent;
use aws_lambda_events::sqs::SqsEvent;
use bytes::Bytes;
use nephos_aws::events::{Kind, TableKeys, Wiring, decode};
use serde::de::DeserializeOwned;

/// How long one side decodes before it is the other's turn.
const TURN: Duration = Duration::from_millis(1);
const ROUNDS: usize = 301;

type Error = Box<dyn std::error::Error>;

/// Reads a document, or says why not; what was read is dropped.
type Reader = fn(&[u8]) -> Result<(), serde_json::Error>;

fn typed<T: DeserializeOwned>(document: &[u8]) -> Result<(), serde_json::Error> {
    black_box(serde_json::from_slice::<T>(document)?);
    Ok(())
}

/// A trigger, its payload, the kind that it must be, and how the peer reads it.
const PAYLOADS: [(&str, &str, Kind, Reader); 11] = [
    (
        "S3",
        "bucket/example-s3-event-with-decoded.json",
        Kind::Bucket,
        typed::<S3Event>,
    ),
    (
        "SQS",
        "queue/example-sqs-event-obj.json",
        Kind::Queue,
        typed::<SqsEvent>,
    ),
    (
        "SNS",
        "topic/with-attributes.json",
        Kind::Topic,
        typed::<SnsEvent>,
    ),
    (
        "Kinesis",
        "stream/example-kinesis-event-encrypted.json",
        Kind::Stream,
        typed::<KinesisEvent>,
    ),
    (
        "DynamoDB",
        "table/all-types.json",
        Kind::Table,
        typed::<dynamodb::Event>,
    ),
    (
        "EventBridge rule",
        "schedule/rule.json",
        Kind::Rule,
        typed::<EventBridgeEvent>,
    ),
    (
        "function URL",
        "http/function-url.json",
        Kind::Http,
        typed::<LambdaFunctionUrlRequest>,
    ),
    (
        "HTTP API",
        "http/example-apigw-v2-request-jwt-authorizer.json",
        Kind::Http,
        typed::<ApiGatewayV2httpRequest>,
    ),
    (
        "SES",
        "email/example-ses-event.json",
        Kind::Email,
        typed::<SimpleEmailEvent>,
    ),
    (
        "Cognito",
        "auth/example-cognito-event-userpools-presignup.json",
        Kind::Auth,
        typed::<CognitoEventUserPoolsPreSignup>,
    ),
    // The peer has no type for it.
    (
        "Alexa",
        "voice/intent.json",
        Kind::Voice,
        typed::<serde_json::Value>,
    ),
];

fn main() -> Result<(), Error> {
    let folder = std::env::args().nth(1).ok_or("name the folder of the payloads")?;
    let only = std::env::args().nth(2);
    let wanted = |trigger: &str| only.as_deref().is_none_or(|only| only == trigger);
    for (trigger, file, kind, theirs) in PAYLOADS.into_iter().filter(|(trigger, ..)| wanted(trigger)) {
        let path = Path::new(&folder).join(file);
        let document = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let figures = compare(Bytes::from(document), kind, theirs)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        println!(
            "{}",
            serde_json::json!({
                "trigger": trigger,
                "nephos_ns": figures.0,
                "peer_ns": figures.1,
                "ratio": figures.2,
            })
        );
    }
    Ok(())
}

fn compare(document: Bytes, kind: Kind, theirs: Reader) -> Result<(f64, f64, f64), Error> {
    let wiring = wiring();
    let decoded = decode(&document, &wiring)?;
    if decoded.kind != kind || decoded.events.iter().any(|event| !event.undecodable.is_empty()) {
        return Err("it is not read as what it is".into());
    }
    theirs(&document)?;
    let mut ours = || black_box(decode(black_box(&document), &wiring)).map(drop).is_ok();
    let mut theirs = || theirs(black_box(&document)).is_ok();
    let calls = calibrated(&mut ours).max(calibrated(&mut theirs));
    let mut rounds = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS {
        rounds.push(if round % 2 == 0 {
            let first = time(&mut ours, calls);
            (first, time(&mut theirs, calls))
        } else {
            let first = time(&mut theirs, calls);
            (time(&mut ours, calls), first)
        });
    }
    let ours = quick(rounds.iter().map(|(ours, _)| *ours));
    let theirs = quick(rounds.iter().map(|(_, theirs)| *theirs));
    Ok((ours, theirs, ours / theirs))
}

/// How many calls fill a turn.
fn calibrated(call: &mut impl FnMut() -> bool) -> u32 {
    let started = Instant::now();
    let mut calls = 0;
    while started.elapsed() < TURN {
        call();
        calls += 1;
    }
    calls
}

/// Nanoseconds a call.
fn time(call: &mut impl FnMut() -> bool, calls: u32) -> f64 {
    let started = Instant::now();
    let mut all_read = true;
    for _ in 0..calls {
        all_read &= call();
    }
    let elapsed = started.elapsed();
    assert!(all_read, "what could be read once can be read again");
    elapsed.as_secs_f64() * 1e9 / f64::from(calls)
}

/// What a tenth of the values stay below.
fn quick(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 10).copied().unwrap_or_default()
}

/// What deployment tells a function of what it watches.
fn wiring() -> Wiring {
    let keys = TableKeys {
        key: "id".to_owned(),
        sort: Some("at".to_owned()),
    };
    Wiring {
        sources: [(
            "arn:aws:dynamodb:us-east-1:000000000000:table/faces".to_owned(),
            "faces".to_owned(),
        )]
        .into_iter()
        .collect(),
        keys: [("faces".to_owned(), keys)].into(),
        ..Wiring::default()
    }
}

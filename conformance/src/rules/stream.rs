//! Rules of streams.

use std::sync::Arc;

use nephos_core::app::StreamSpec;
use nephos_core::event::{Payload, Record};
use nephos_core::resource::stream::{Append, Position, Stream};

use crate::harness::{Capabilities, Harness};
use crate::mutants::portable;
use crate::rule::{Rule, Verdict, Violation, rule};
use crate::{ensure, ensure_eq, ensure_fails};

type Subject = Arc<dyn Harness>;

fn readable(capabilities: &Capabilities) -> bool {
    capabilities.stream.read
}

fn sequenced(capabilities: &Capabilities) -> bool {
    capabilities.stream.sequences && capabilities.stream.read
}

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!("stream.append.then-read", "what is appended is what is read", "Nephos", BodyTruncated, append_read, needs readable, refused),
    rule!("stream.append.order-per-key", "a device's readings stay in order", "Kinesis and Kafka documentation", OrderReversed, order, needs readable, refused),
    rule!("stream.append.sequences-in-order", "a sequence belongs to the record that it was returned for", "Nephos", IdsReversed, sequences, needs sequenced, sequences_refused),
    rule!("stream.append.any-number", "a driver splits what its provider limits", "Go CDK drivertest", BatchLosesLast, many, needs readable, refused),
    rule!("stream.append.empty-key-is-refused", "without a key there is no order", "Kinesis documentation", RefusalLeftOut, empty_key, needs readable, refused),
    rule!(
        "stream.append.too-large-is-refused",
        "a record is refused before it is sent",
        "Nephos",
        LimitNotHeld,
        too_large
    ),
    rule!("stream.body.binary-and-media-type", "a body is bytes of a type, not text", "Go CDK drivertest", BodyUtf8Lossy, binary, needs readable, refused),
    rule!(
        "stream.attributes.round-trip",
        "attributes carry what is not in the body",
        "Nephos",
        AttributesDropped,
        attributes,
        needs | capabilities | capabilities.stream.attributes && capabilities.stream.read,
        attributes_refused
    ),
    rule!("stream.read.positions-resume", "a reader goes on where it stopped", "Kafka documentation", PositionStuck, resume, needs readable, refused),
    rule!("stream.read.end-keeps-the-position", "a reader that has read all waits for more, and misses none", "Kafka documentation", PositionReset, end, needs readable, refused),
    rule!("stream.read.foreign-position-is-refused", "a position of something else must not read from the beginning", "Nephos", ForeignPositionTaken, foreign, needs readable, refused),
    rule!("stream.read.at-most-max", "a reader takes no more than it can hold", "Nephos", MaxIgnored, at_most, needs readable, refused),
    rule!("stream.read.does-not-consume", "readers do not take from each other", "Kafka documentation", ReadConsumes, readers, needs readable, refused),
];

async fn open(harness: &Subject) -> Result<Stream, Violation> {
    Ok(harness.stream(StreamSpec::default()).await?)
}

/// All records, by pages.
async fn read_all(
    stream: &Stream,
    from: Position,
    max: usize,
) -> Result<(Vec<Record<Payload>>, Position), Violation> {
    let (mut records, mut position) = (Vec::new(), from);
    for _ in 0..100 {
        let page = stream.read(&position, max).await?;
        ensure!(
            page.records.len() <= max,
            "a page of at most {max} holds {}",
            page.records.len()
        );
        position = page.next;
        if page.records.is_empty() {
            return Ok((records, position));
        }
        records.extend(page.records);
    }
    Err(Violation::new("the stream does not end"))
}

fn texts(records: &[Record<Payload>]) -> Vec<String> {
    records
        .iter()
        .map(|record| String::from_utf8_lossy(&record.body.bytes).into_owned())
        .collect()
}

async fn refused(harness: Subject) -> Verdict {
    let stream = open(&harness).await?;
    stream.append(Append::new("k", "x")).await?;
    ensure_fails!(
        stream.read(&Position::Oldest, 1).await,
        Unsupported,
        "a read where a stream can only trigger"
    );
    Ok(())
}

async fn append_read(harness: Subject) -> Verdict {
    let stream = open(&harness).await?;
    let sequence = stream.append(Append::new("device-1", "23 °C")).await?;
    let (records, _) = read_all(&stream, Position::Oldest, 10).await?;
    ensure_eq!(records.len(), 1, "records");
    if let Some(sequence) = sequence {
        ensure_eq!(records[0].sequence, sequence, "the sequence");
    }
    ensure_eq!(records[0].partition_key, "device-1", "the partition key");
    ensure_eq!(texts(&records), ["23 °C"], "the body");
    Ok(())
}

async fn order(harness: Subject) -> Verdict {
    let stream = open(&harness).await?;
    stream
        .append_batch(
            (0..10)
                .map(|n| Append::new(if n % 2 == 0 { "even" } else { "odd" }, n.to_string()))
                .collect(),
        )
        .await?;
    stream.append(Append::new("even", "10")).await?;
    let (records, _) = read_all(&stream, Position::Oldest, 3).await?;
    for (key, expected) in [
        ("even", vec!["0", "2", "4", "6", "8", "10"]),
        ("odd", vec!["1", "3", "5", "7", "9"]),
    ] {
        let of: Vec<_> = records
            .iter()
            .filter(|record| record.partition_key == key)
            .cloned()
            .collect();
        ensure_eq!(texts(&of), expected, "records of the key `{key}`");
    }
    Ok(())
}

async fn sequences(harness: Subject) -> Verdict {
    let stream = open(&harness).await?;
    let sequences = stream
        .append_batch((0..4).map(|n| Append::new("k", n.to_string())).collect())
        .await?;
    let (records, _) = read_all(&stream, Position::Oldest, 10).await?;
    let read: Vec<_> = records
        .iter()
        .map(|record| Some(record.sequence.clone()))
        .collect();
    ensure_eq!(sequences, read, "sequences as told, and as read");
    Ok(())
}

/// The negative: one that is made up would be looked for and never found.
async fn sequences_refused(harness: Subject) -> Verdict {
    let stream = open(&harness).await?;
    let sequences = stream
        .append_batch((0..4).map(|n| Append::new("k", n.to_string())).collect())
        .await?;
    if !stream.capabilities().sequences {
        ensure_eq!(
            sequences,
            vec![None; 4],
            "sequences of 4 records where none are told"
        );
        return Ok(());
    }
    ensure_fails!(
        stream.read(&Position::Oldest, 1).await,
        Unsupported,
        "a read where a stream can only trigger"
    );
    Ok(())
}

async fn many(harness: Subject) -> Verdict {
    let stream = open(&harness).await?;
    let sequences = stream
        .append_batch((0..520).map(|n| Append::new("k", n.to_string())).collect())
        .await?;
    let (records, _) = read_all(&stream, Position::Oldest, 100).await?;
    ensure_eq!(
        (sequences.len(), records.len()),
        (520, 520),
        "sequences and records of 520"
    );
    Ok(())
}

async fn empty_key(harness: Subject) -> Verdict {
    let stream = open(&harness).await?;
    let none = portable::partition_key(&stream, "");
    ensure_fails!(
        stream.append(Append::new(none, "x")).await,
        InvalidArgument,
        "an empty partition key"
    );
    ensure_eq!(
        stream.read(&Position::Oldest, 10).await?.records.len(),
        0,
        "records after the refusal"
    );
    Ok(())
}

async fn too_large(harness: Subject) -> Verdict {
    let stream = open(&harness).await?;
    let size = stream.capabilities().max_record_bytes + 1;
    ensure_fails!(
        stream.append(Append::new("k", "x".repeat(size))).await,
        ResourceExhausted,
        "a record of {size} bytes"
    );
    Ok(())
}

async fn binary(harness: Subject) -> Verdict {
    let stream = open(&harness).await?;
    let bodies = [
        Payload::bytes((0..=255).rev().collect::<Vec<u8>>()),
        Payload::text(""),
        Payload::json(&[1, 2])?,
    ];
    stream
        .append_batch(
            bodies
                .iter()
                .map(|body| Append {
                    body: body.clone(),
                    ..Append::new("k", "")
                })
                .collect(),
        )
        .await?;
    let (records, _) = read_all(&stream, Position::Oldest, 10).await?;
    let read: Vec<_> = records.into_iter().map(|record| record.body).collect();
    ensure!(read == bodies, "bodies changed on their way: {read:?}");
    Ok(())
}

async fn attributes(harness: Subject) -> Verdict {
    let stream = open(&harness).await?;
    let attributes = [("unit".to_owned(), "°C".to_owned())].into();
    stream
        .append(Append {
            attributes,
            ..Append::new("k", "x")
        })
        .await?;
    let (records, _) = read_all(&stream, Position::Oldest, 10).await?;
    ensure_eq!(
        records[0].attributes.get("unit").map(String::as_str),
        Some("°C"),
        "an attribute"
    );
    Ok(())
}

async fn attributes_refused(harness: Subject) -> Verdict {
    let stream = open(&harness).await?;
    let attributes = [("unit".to_owned(), "°C".to_owned())].into();
    let appended = stream
        .append(Append {
            attributes,
            ..Append::new("k", "x")
        })
        .await;
    if stream.capabilities().attributes {
        ensure_fails!(
            stream.read(&Position::Oldest, 1).await,
            Unsupported,
            "a read where a stream can only trigger"
        );
        return Ok(());
    }
    ensure_fails!(appended, Unsupported, "attributes where none are carried");
    Ok(())
}

async fn resume(harness: Subject) -> Verdict {
    let stream = open(&harness).await?;
    stream
        .append_batch((0..5).map(|n| Append::new("k", n.to_string())).collect())
        .await?;
    let first = stream.read(&Position::Oldest, 2).await?;
    ensure_eq!(texts(&first.records), ["0", "1"], "the first page");
    let (rest, _) = read_all(&stream, first.next.clone(), 2).await?;
    ensure_eq!(texts(&rest), ["2", "3", "4"], "the pages after it");
    let again = stream.read(&first.next, 2).await?;
    ensure_eq!(texts(&again.records), ["2", "3"], "the second page, read again");
    Ok(())
}

async fn end(harness: Subject) -> Verdict {
    let stream = open(&harness).await?;
    let nothing = stream.read(&Position::Oldest, 10).await?;
    ensure_eq!(nothing.records.len(), 0, "records of an empty stream");
    stream.append(Append::new("k", "1")).await?;
    let one = stream.read(&nothing.next, 10).await?;
    ensure_eq!(texts(&one.records), ["1"], "what came after an empty page");
    let end = stream.read(&one.next, 10).await?;
    ensure_eq!(end.records.len(), 0, "records at the end");
    stream.append(Append::new("k", "2")).await?;
    ensure_eq!(
        texts(&stream.read(&end.next, 10).await?.records),
        ["2"],
        "what came after the end was reached"
    );
    Ok(())
}

async fn foreign(harness: Subject) -> Verdict {
    let stream = open(&harness).await?;
    stream.append(Append::new("k", "1")).await?;
    for position in ["", "not a position", "-1", "💥"] {
        let foreign = Position::After(position.to_owned());
        ensure_fails!(
            stream.read(&foreign, 10).await,
            InvalidArgument,
            "the position {position:?}"
        );
    }
    Ok(())
}

async fn at_most(harness: Subject) -> Verdict {
    let stream = open(&harness).await?;
    stream
        .append_batch((0..5).map(|n| Append::new("k", n.to_string())).collect())
        .await?;
    ensure_eq!(
        stream.read(&Position::Oldest, 3).await?.records.len(),
        3,
        "records of a read of at most 3"
    );
    ensure_fails!(
        stream.read(&Position::Oldest, 0).await,
        InvalidArgument,
        "a read of at most 0"
    );
    Ok(())
}

async fn readers(harness: Subject) -> Verdict {
    let stream = open(&harness).await?;
    stream
        .append_batch((0..3).map(|n| Append::new("k", n.to_string())).collect())
        .await?;
    for reader in 1..=2 {
        let (records, _) = read_all(&stream, Position::Oldest, 2).await?;
        ensure_eq!(
            texts(&records),
            ["0", "1", "2"],
            "what reader number {reader} reads"
        );
    }
    Ok(())
}

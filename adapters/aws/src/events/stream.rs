//! Records of Kinesis: <https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html>.

use std::borrow::Cow;

use nephos_core::event::{Data, Payload, Record, RecordFailure};
use nephos_core::{Event, Result};
use serde::Deserialize;

use super::text::Text;
use super::time::seconds;
use super::{Wiring, base64, records};
use crate::payload;

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(default, borrow, rename = "eventSource")]
    service: Text<'a>,
    #[serde(borrow)]
    kinesis: Kinesis<'a>,
    #[serde(borrow, rename = "eventSourceARN")]
    source: Cow<'a, str>,
    #[serde(default, borrow, rename = "awsRegion")]
    region: Text<'a>,
    /// `shardId-000000000000:sequence`.
    #[serde(default, borrow, rename = "eventID")]
    id: Text<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kinesis<'a> {
    partition_key: String,
    sequence_number: String,
    #[serde(borrow)]
    data: Cow<'a, str>,
    #[serde(default)]
    approximate_arrival_timestamp: Option<f64>,
}

pub(super) fn decode(document: &str, wiring: &Wiring) -> Result<Event> {
    let (mut facts, mut is_ours) = (None, true);
    let (read, undecodable) = records::read(
        document,
        |record| record.get("kinesis")?.get("sequenceNumber")?.as_str(),
        |entry: Entry<'_>| {
            if facts.is_none() {
                is_ours = entry.service.is("aws:kinesis");
                let shard = entry.id.as_deref().and_then(|id| id.split(':').next());
                facts = Some([
                    ("awsregion", entry.region.as_deref().map(str::to_owned)),
                    ("awsshard", shard.map(str::to_owned)),
                ]);
            }
            record(entry, wiring)
        },
    )?;
    if !is_ours {
        return Err(records::of_another_source());
    }
    Ok(records::event(Data::Stream(read), facts, undecodable))
}

fn record(entry: Entry<'_>, wiring: &Wiring) -> std::result::Result<Record<Payload>, RecordFailure> {
    let kinesis = entry.kinesis;
    let read = base64::decode(&kinesis.data, "the record's data is not base64")
        .and_then(|bytes| payload::unframe(bytes.into()))
        .map_err(|error| records::failure(&kinesis.sequence_number, error));
    let (body, attributes) = read?;
    Ok(Record {
        sequence: kinesis.sequence_number,
        stream: wiring.source(&entry.source).to_owned(),
        partition_key: kinesis.partition_key,
        body,
        attributes,
        appended_at: kinesis.approximate_arrival_timestamp.and_then(seconds),
    })
}

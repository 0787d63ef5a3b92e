//! Reading all shards, parents before their children, so that records of a key stay in order when shards are split or merged.

use aws_sdk_kinesis::types::{Record as KinesisRecord, Shard, ShardIteratorType};
use bytes::Bytes;
use chrono::DateTime;
use nephos_core::event::{Payload, Record};
use nephos_core::resource::stream::{Position, StreamPage};
use nephos_core::{Error, ErrorKind, Result};

use super::AwsStream;
use super::position::{Place, Places};
use crate::error::failed;
use crate::payload;

const OPERATION: &str = "stream.read";

/// The most records of one request: <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html>
const MAX_RECORDS: usize = 10_000;

pub(super) async fn read(stream: &AwsStream, position: &Position, max: usize) -> Result<StreamPage> {
    let mut places = Places::of(OPERATION, &stream.stream, position).map_err(|error| stream.of(error))?;
    let shards = shards(stream).await?;
    // What is older than the stream's retention is no longer listed.
    places
        .shards
        .retain(|id, _| shards.iter().any(|shard| shard.shard_id() == id));
    let mut records = Vec::new();
    let mut visited = Vec::new();
    while records.len() < max {
        let Some(shard) = next(&shards, &places, &visited) else {
            break;
        };
        let id = shard.shard_id();
        let (some, place) = read_shard(stream, id, places.shards.get(id), max - records.len()).await?;
        if let Some(place) = place {
            places.shards.insert(id.to_owned(), place);
        }
        if !some.is_empty() {
            places.last = Some(id.to_owned());
            records.extend(some);
        }
        visited.push(id.to_owned());
    }
    Ok(StreamPage {
        records,
        next: places.position(),
    })
}

/// The shard to read next: behind the one that was read last, none twice, and none before its parents were read to their end.
fn next<'a>(shards: &'a [Shard], places: &Places, visited: &[String]) -> Option<&'a Shard> {
    let last = places.last.as_deref().unwrap_or_default();
    let is_over = |id: &str| {
        places.shards.get(id) == Some(&Place::Ended) || !shards.iter().any(|shard| shard.shard_id() == id)
    };
    let is_ready = |shard: &&Shard| {
        let id = shard.shard_id();
        !visited.iter().any(|visited| visited == id)
            && places.shards.get(id) != Some(&Place::Ended)
            && [shard.parent_shard_id(), shard.adjacent_parent_shard_id()]
                .into_iter()
                .flatten()
                .all(is_over)
    };
    let ready = || shards.iter().filter(is_ready);
    ready()
        .find(|shard| shard.shard_id() > last)
        .or_else(|| ready().next())
}

/// All shards that still hold records, by their ids.
async fn shards(stream: &AwsStream) -> Result<Vec<Shard>> {
    let mut all = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let mut request = stream.client.list_shards();
        // The token stands for the stream's name: Kinesis refuses both together.
        request = match token {
            None => request.stream_name(&stream.stream),
            Some(token) => request.next_token(token),
        };
        let listed = request
            .send()
            .await
            .map_err(|error| stream.of(failed(OPERATION, error)))?;
        all.extend(listed.shards.unwrap_or_default());
        token = listed.next_token;
        if token.is_none() {
            all.sort_by(|a, b| a.shard_id().cmp(b.shard_id()));
            return Ok(all);
        }
    }
}

/// Up to `max` records of a shard, and where it was left, if it was moved on.
async fn read_shard(
    stream: &AwsStream,
    shard: &str,
    place: Option<&Place>,
    max: usize,
) -> Result<(Vec<Record<Payload>>, Option<Place>)> {
    let mut request = stream
        .client
        .get_shard_iterator()
        .stream_name(&stream.stream)
        .shard_id(shard);
    request = match place {
        Some(Place::After(number)) => request
            .shard_iterator_type(ShardIteratorType::AfterSequenceNumber)
            .starting_sequence_number(number),
        _ => request.shard_iterator_type(ShardIteratorType::TrimHorizon),
    };
    let mut iterator = request
        .send()
        .await
        .map_err(|error| stream.of(failed(OPERATION, error)))?
        .shard_iterator;
    let mut records: Vec<Record<Payload>> = Vec::new();
    let mut place = None;
    while records.len() < max {
        let Some(from) = iterator.take() else {
            // Without an iterator there is nothing behind: the shard was closed.
            return Ok((records, Some(Place::Ended)));
        };
        let limit = i32::try_from((max - records.len()).min(MAX_RECORDS)).unwrap_or(1);
        let got = stream
            .client
            .get_records()
            .shard_iterator(from)
            .limit(limit)
            .send()
            .await
            .map_err(|error| stream.of(failed(OPERATION, error)))?;
        let behind = got.millis_behind_latest.unwrap_or_default();
        iterator = got.next_shard_iterator;
        for record in got.records {
            place = Some(Place::After(record.sequence_number().to_owned()));
            records.push(read_record(stream, record)?);
        }
        // Kinesis may answer with nothing although there is something further on.
        if behind == 0 && iterator.is_some() {
            break;
        }
    }
    Ok((records, place))
}

fn read_record(stream: &AwsStream, record: KinesisRecord) -> Result<Record<Payload>> {
    let data = Bytes::from(record.data.into_inner());
    let (body, attributes) = match payload::unframe(data.clone()) {
        Ok(content) => content,
        // One record that cannot be read must not keep those behind it from being read: it comes as it is.
        Err(error) => {
            tracing::warn!(error = %error.chain(), sequence = record.sequence_number, "a record cannot be decoded");
            let body = Payload {
                content_type: None,
                bytes: data,
            };
            (body, std::collections::BTreeMap::new())
        }
    };
    let appended_at = record
        .approximate_arrival_timestamp
        .map(|time| {
            DateTime::from_timestamp(time.secs(), time.subsec_nanos()).ok_or_else(|| {
                stream.of(Error::new(
                    ErrorKind::Internal,
                    OPERATION,
                    "Kinesis told a time that is none",
                ))
            })
        })
        .transpose()?;
    Ok(Record {
        sequence: record.sequence_number,
        stream: stream.name.clone(),
        partition_key: record.partition_key,
        body,
        attributes,
        appended_at,
    })
}

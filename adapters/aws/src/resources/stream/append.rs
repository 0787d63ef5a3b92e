//! Appending in order.
//!
//! `PutRecords` keeps no order within a request, `PutRecord` does for a key, if it is told which number the one before got
//! (<https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html>). So keys that a batch has once go together, and those that it has more often
//! one record after the other, several keys at a time.

use std::collections::BTreeMap;

use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use bytes::Bytes;
use futures::future::try_join_all;
use nephos_core::resource::stream::Append;
use nephos_core::{Error, ErrorKind, Result};

use super::{AwsStream, MAX_RECORD};
use crate::error::{failed, of_entry};
use crate::payload;
use nephos_core::resource::parts::{PartLimits, parts};

const OPERATION: &str = "stream.append";

/// The most that one request appends, in number and in bytes of records with their keys:
/// <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html>. Kinesis takes 10 MiB since 2025; older regions and stores took 5.
const PUT: PartLimits = PartLimits {
    entries: 500,
    bytes: 5 << 20,
};

/// How many keys are appended to at a time.
const CHAINS: usize = 8;

/// A record as Kinesis takes it.
struct Prepared<'a> {
    /// Its place in the batch.
    index: usize,
    key: &'a str,
    data: Bytes,
}

impl Prepared<'_> {
    fn size(&self) -> usize {
        self.key.len() + self.data.len()
    }
}

pub(super) async fn append(stream: &AwsStream, batch: &[Append]) -> Result<Vec<Option<String>>> {
    let mut by_key: BTreeMap<&str, Vec<Prepared<'_>>> = BTreeMap::new();
    for (index, record) in batch.iter().enumerate() {
        let prepared = Prepared {
            index,
            key: &record.partition_key,
            data: payload::frame(&record.body, &record.attributes),
        };
        if prepared.size() > MAX_RECORD {
            return Err(stream
                .of(Error::new(
                    ErrorKind::ResourceExhausted,
                    OPERATION,
                    "the record with its attributes is larger than Kinesis allows; put the content into a bucket and append its key",
                ))
                .with("bytes", prepared.size())
                .with("max_bytes", MAX_RECORD));
        }
        by_key.entry(prepared.key).or_default().push(prepared);
    }
    let (mut single, mut chains) = (Vec::new(), Vec::new());
    for (_, mut records) in by_key {
        if records.len() == 1 {
            single.append(&mut records);
        } else {
            chains.push(records);
        }
    }
    let mut sequences = vec![None; batch.len()];
    for part in parts(&single, PUT, Prepared::size) {
        for (index, sequence) in put_part(stream, part).await? {
            sequences[index] = Some(sequence);
        }
    }
    for some in chains.chunks(CHAINS) {
        let appended = try_join_all(some.iter().map(|chain| put_chain(stream, chain))).await?;
        for (index, sequence) in appended.into_iter().flatten() {
            sequences[index] = Some(sequence);
        }
    }
    Ok(sequences)
}

async fn put_part(stream: &AwsStream, part: &[Prepared<'_>]) -> Result<Vec<(usize, String)>> {
    let mut request = stream.client.put_records().stream_name(&stream.stream);
    for record in part {
        let entry = PutRecordsRequestEntry::builder()
            .partition_key(record.key)
            .data(Blob::new(record.data.clone()))
            .build()
            .map_err(|error| {
                stream
                    .of(Error::new(
                        ErrorKind::Internal,
                        OPERATION,
                        "the request lacks something that Kinesis demands",
                    ))
                    .caused_by(error)
            })?;
        request = request.records(entry);
    }
    let put = request
        .send()
        .await
        .map_err(|error| stream.of(failed(OPERATION, error)))?;
    let mut sequences = Vec::with_capacity(part.len());
    for (record, result) in part.iter().zip(put.records()) {
        match result.sequence_number() {
            Some(number) => sequences.push((record.index, number.to_owned())),
            None => {
                let code = result.error_code().unwrap_or("InternalFailure");
                let error = of_entry(OPERATION, code, result.error_message());
                return Err(stream
                    .of(error)
                    .with("failed", put.failed_record_count().unwrap_or_default()));
            }
        }
    }
    if sequences.len() != part.len() {
        return Err(stream.of(Error::new(
            ErrorKind::Unavailable,
            OPERATION,
            "Kinesis did not say what became of a record",
        )));
    }
    Ok(sequences)
}

async fn put_chain(stream: &AwsStream, chain: &[Prepared<'_>]) -> Result<Vec<(usize, String)>> {
    let mut sequences = Vec::with_capacity(chain.len());
    let mut before = None;
    for record in chain {
        let put = stream
            .client
            .put_record()
            .stream_name(&stream.stream)
            .partition_key(record.key)
            .data(Blob::new(record.data.clone()))
            .set_sequence_number_for_ordering(before)
            .send()
            .await
            .map_err(|error| stream.of(failed(OPERATION, error)))?;
        sequences.push((record.index, put.sequence_number().to_owned()));
        before = Some(put.sequence_number().to_owned());
    }
    Ok(sequences)
}

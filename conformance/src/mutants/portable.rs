//! The portable types made wrong. What they refuse or do by themselves never reaches a driver, so no wrong driver can show that a rule notices
//! its absence: such a rule passes its arguments through here, where they are made what a portable type without the refusal would go on with.

use std::borrow::Cow;

use nephos_core::Result;
use nephos_core::resource::bucket::Bucket;
use nephos_core::resource::queue::{Outgoing, Queue};
use nephos_core::resource::stream::Stream;
use nephos_core::resource::table::{Table, Write};

use super::{Fault, bucket, queue, stream, table};

/// A key; without what no key may have, where that is not refused.
pub(crate) fn key<'a>(bucket: &Bucket, key: &'a str) -> Cow<'a, str> {
    if bucket::fault(bucket) != Some(Fault::RefusalLeftOut) {
        return key.into();
    }
    let segments: Vec<String> = key
        .split('/')
        .map(|segment| segment.chars().filter(|c| !c.is_control()).collect())
        .filter(|segment: &String| !["", ".", ".."].contains(&segment.as_str()))
        .collect();
    if segments.is_empty() {
        return "unnamed".into();
    }
    segments.join("/").into()
}

/// A prefix; of whole segments, where it is not any text.
pub(crate) fn prefix<'a>(bucket: &Bucket, prefix: &'a str) -> Cow<'a, str> {
    match bucket::fault(bucket) {
        Some(Fault::PrefixBySegments) if !prefix.is_empty() && !prefix.ends_with('/') => {
            format!("{prefix}/").into()
        }
        _ => prefix.into(),
    }
}

/// How many objects to list; one, where none is not refused.
pub(crate) fn limit(bucket: &Bucket, limit: usize) -> usize {
    at_least_one(bucket::fault(bucket), limit)
}

/// How many messages to receive; one, where none is not refused.
pub(crate) fn max(queue: &Queue, max: usize) -> usize {
    at_least_one(queue::fault(queue), max)
}

/// Sends a batch; one by one up to the first that is refused, where a batch is not looked at as a whole.
pub(crate) async fn send_batch(queue: &Queue, batch: Vec<Outgoing>) -> Result<Vec<String>> {
    if queue::fault(queue) != Some(Fault::BatchNotAtomic) {
        return queue.send_batch(batch).await;
    }
    let mut ids = Vec::new();
    for message in batch {
        ids.push(queue.send(message).await?);
    }
    Ok(ids)
}

/// Writes of a batch; the last one only, where two of one key are not refused.
pub(crate) fn of_one_key(table: &Table, mut writes: Vec<Write>) -> Vec<Write> {
    if table::fault(table) == Some(Fault::RefusalLeftOut) {
        writes.drain(..writes.len().saturating_sub(1));
    }
    writes
}

/// A partition key; one for all, where none is not refused.
pub(crate) fn partition_key<'a>(stream: &Stream, key: &'a str) -> &'a str {
    match stream::fault(stream) {
        Some(Fault::RefusalLeftOut) if key.is_empty() => "unnamed",
        _ => key,
    }
}

fn at_least_one(fault: Option<Fault>, number: usize) -> usize {
    match fault {
        Some(Fault::RefusalLeftOut) => number.max(1),
        _ => number,
    }
}

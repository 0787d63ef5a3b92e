//! Streams of several shards.

use std::collections::BTreeMap;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use nephos_aws::harness::emulator::Emulator;
use nephos_core::ErrorKind;
use nephos_core::event::{Payload, Record};
use nephos_core::resource::ResourceKind;
use nephos_core::resource::stream::{Append, Position, Stream};

async fn create(emulator: &Emulator, shards: i32) -> (Client, Stream) {
    let client = Client::new(&emulator.config());
    client
        .create_stream()
        .stream_name("readings")
        .shard_count(shards)
        .send()
        .await
        .unwrap();
    let active = client.describe_stream_summary().stream_name("readings");
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let described = active.clone().send().await.unwrap();
        if described
            .stream_description_summary()
            .unwrap()
            .stream_status()
            .as_str()
            == "ACTIVE"
        {
            break;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "the stream is not active in time"
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let stream = super::open(emulator, ResourceKind::Stream, "readings", &[])
        .stream("it")
        .unwrap();
    (client, stream)
}

fn text(record: &Record<Payload>) -> String {
    String::from_utf8(record.body.bytes.to_vec()).unwrap()
}

/// All records from `position` on by pages of `max`, by their keys, and where the reading ended.
async fn read(stream: &Stream, position: Position, max: usize) -> (BTreeMap<String, Vec<String>>, Position) {
    let (mut by_key, mut position) = (BTreeMap::<String, Vec<String>>::new(), position);
    loop {
        let page = stream.read(&position, max).await.unwrap();
        assert!(page.records.len() <= max);
        position = page.next;
        if page.records.is_empty() {
            return (by_key, position);
        }
        for record in &page.records {
            by_key
                .entry(record.partition_key.clone())
                .or_default()
                .push(text(record));
        }
    }
}

fn batch(first: usize) -> Vec<Append> {
    (first..first + 40)
        .map(|n| Append::new(format!("device-{}", n % 7), format!("{n:03}")))
        .collect()
}

fn expected(first: usize) -> BTreeMap<String, Vec<String>> {
    let mut by_key = BTreeMap::<String, Vec<String>>::new();
    for record in batch(first) {
        let body = String::from_utf8(record.body.bytes.to_vec()).unwrap();
        by_key.entry(record.partition_key).or_default().push(body);
    }
    by_key
}

#[tokio::test]
async fn all_shards_are_read_each_key_in_order_by_pages_of_any_size() {
    let emulator = Emulator::start().await.unwrap();
    let (_, stream) = create(&emulator, 4).await;
    let sequences = stream.append_batch(batch(0)).await.unwrap();
    let different: std::collections::BTreeSet<_> = sequences.iter().flatten().collect();
    assert_eq!(different.len(), 40);
    let mut end = Position::Oldest;
    for max in [1, 3, 40, 1000] {
        let (by_key, at) = read(&stream, Position::Oldest, max).await;
        assert_eq!(by_key, expected(0), "pages of {max}");
        end = at;
    }
    stream.append_batch(batch(40)).await.unwrap();
    let (more, _) = read(&stream, end, 5).await;
    assert_eq!(more, expected(40));
}

#[tokio::test]
async fn a_busy_shard_does_not_keep_the_others_from_being_read() {
    let emulator = Emulator::start().await.unwrap();
    let (_, stream) = create(&emulator, 4).await;
    stream.append_batch(batch(0)).await.unwrap();
    let mut position = Position::Oldest;
    let mut keys = std::collections::BTreeSet::new();
    for _ in 0..4 {
        let page = stream.read(&position, 1).await.unwrap();
        keys.extend(page.records.iter().map(|record| record.partition_key.clone()));
        position = page.next;
    }
    assert!(keys.len() > 1, "four pages of one record are all of {keys:?}");
}

#[tokio::test]
async fn what_others_appended_is_read_as_it_is() {
    let emulator = Emulator::start().await.unwrap();
    let (client, stream) = create(&emulator, 1).await;
    for data in [&b"{\"a\":1}"[..], b"\xff\x00", b"nephos/1 damaged"] {
        client
            .put_record()
            .stream_name("readings")
            .partition_key("k")
            .data(Blob::new(data))
            .send()
            .await
            .unwrap();
    }
    let page = stream.read(&Position::Oldest, 10).await.unwrap();
    let seen: Vec<_> = page
        .records
        .iter()
        .map(|record| (record.body.content_type.as_deref(), record.body.bytes.as_ref()))
        .collect();
    let expected: [(Option<&str>, &[u8]); 3] = [
        (Some("application/json"), b"{\"a\":1}"),
        (None, b"\xff\x00"),
        (None, b"nephos/1 damaged"),
    ];
    assert_eq!(seen, expected);
    assert!(page.records.iter().all(|record| record.appended_at.is_some()));
}

#[tokio::test]
async fn a_position_of_another_stream_is_refused() {
    let emulator = Emulator::start().await.unwrap();
    let (client, stream) = create(&emulator, 1).await;
    client
        .create_stream()
        .stream_name("others")
        .shard_count(1)
        .send()
        .await
        .unwrap();
    let others = super::open(&emulator, ResourceKind::Stream, "others", &[])
        .stream("it")
        .unwrap();
    let end = stream.read(&Position::Oldest, 1).await.unwrap().next;
    let error = others.read(&end, 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

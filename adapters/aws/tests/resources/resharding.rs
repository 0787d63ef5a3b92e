//! A stream whose shards were split: what AWS documents of closed shards, played by a stub, because the emulator drops them at once
//! (<https://docs.aws.amazon.com/streams/latest/dev/kinesis-using-sdk-java-after-resharding.html>).

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_types::region::Region;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nephos_aws::resources::AwsDrivers;
use nephos_core::resource::stream::{Position, Stream};
use nephos_core::resource::{Binding, ResourceKind, Resources};
use nephos_core::wiring::PHYSICAL;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A shard: its parents, whether it takes more, and its records.
struct Shard {
    parents: &'static [&'static str],
    is_closed: bool,
    records: &'static [&'static str],
}

type Shards = BTreeMap<&'static str, Shard>;

/// What Kinesis answers. An iterator is the shard and how many records lie before it; one that stands at the end of a closed shard is none.
fn answer(shards: &Shards, operation: &str, asked: &Value) -> Value {
    match operation {
        "ListShards" => {
            let listed: Vec<Value> = shards
                .iter()
                .map(|(id, shard)| {
                    let mut told = json!({
                        "ShardId": id,
                        "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "1"},
                        "SequenceNumberRange": {"StartingSequenceNumber": "0"},
                    });
                    for (name, parent) in ["ParentShardId", "AdjacentParentShardId"]
                        .into_iter()
                        .zip(shard.parents)
                    {
                        told[name] = json!(parent);
                    }
                    told
                })
                .collect();
            json!({"Shards": listed})
        }
        "GetShardIterator" => {
            let id = asked["ShardId"].as_str().unwrap();
            let before = match asked["ShardIteratorType"].as_str().unwrap() {
                "TRIM_HORIZON" => 0,
                "AFTER_SEQUENCE_NUMBER" => {
                    let (_, n) = asked["StartingSequenceNumber"]
                        .as_str()
                        .unwrap()
                        .split_once('/')
                        .unwrap();
                    n.parse::<usize>().unwrap() + 1
                }
                other => panic!("{other}"),
            };
            json!({"ShardIterator": format!("{id}/{before}")})
        }
        "GetRecords" => {
            let (id, before) = asked["ShardIterator"].as_str().unwrap().split_once('/').unwrap();
            let shard = &shards[id];
            let before: usize = before.parse().unwrap();
            let limit = usize::try_from(asked["Limit"].as_u64().unwrap()).unwrap();
            let records: Vec<Value> = (before..shard.records.len())
                .take(limit)
                .map(|n| {
                    json!({
                        "SequenceNumber": format!("{id}/{n}"),
                        "PartitionKey": "k",
                        "Data": STANDARD.encode(shard.records[n]),
                    })
                })
                .collect();
            let after = before + records.len();
            let mut answer = json!({"Records": records, "MillisBehindLatest": shard.records.len() - after});
            if !(shard.is_closed && after == shard.records.len()) {
                answer["NextShardIterator"] = json!(format!("{id}/{after}"));
            }
            answer
        }
        other => panic!("{other}"),
    }
}

/// Serves requests of one connection, one after the other.
async fn serve(mut connection: TcpStream, shards: Arc<Shards>) -> Option<()> {
    let mut bytes = Vec::new();
    loop {
        let head = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if connection.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        };
        let text = String::from_utf8(bytes[..head].to_vec())
            .unwrap()
            .to_ascii_lowercase();
        let header = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap().trim_start_matches(':').trim().to_owned()
        };
        let length: usize = header("content-length").parse().unwrap();
        while bytes.len() < head + length {
            connection.read_buf(&mut bytes).await.ok()?;
        }
        let asked: Value = serde_json::from_slice(&bytes[head..head + length]).unwrap();
        bytes.drain(..head + length);
        let target = header("x-amz-target");
        let operation = ["ListShards", "GetShardIterator", "GetRecords"]
            .into_iter()
            .find(|operation| target.ends_with(&operation.to_ascii_lowercase()))
            .unwrap();
        let body = answer(&shards, operation, &asked).to_string();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        connection
            .write_all(format!("{head}{body}").as_bytes())
            .await
            .ok()?;
    }
}

/// A stream of these shards, and what ends it.
async fn open(shards: Shards) -> (Stream, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let shards = Arc::new(shards);
    let server = tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(serve(connection, Arc::clone(&shards)));
        }
    });
    let config: SdkConfig = nephos_aws::config::load(Some("us-east-1".to_owned()), None)
        .await
        .into_builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(
            Credentials::new("key", "secret", None, None, "test"),
        ))
        .build();
    let binding = Binding {
        name: "it".to_owned(),
        kind: ResourceKind::Stream,
        access: ResourceKind::Stream.access().iter().copied().collect(),
        url: None,
        properties: BTreeMap::from([(PHYSICAL.to_owned(), "readings".to_owned())]),
    };
    let resources = Resources::new(Arc::new(AwsDrivers::new(&config)), [binding]);
    (resources.stream("it").unwrap(), server)
}

async fn read(stream: &Stream, max: usize) -> Vec<String> {
    let (mut bodies, mut position) = (Vec::new(), Position::Oldest);
    loop {
        let page = stream.read(&position, max).await.unwrap();
        position = page.next;
        if page.records.is_empty() {
            return bodies;
        }
        assert!(page.records.len() <= max);
        bodies.extend(
            page.records
                .iter()
                .map(|record| String::from_utf8(record.body.bytes.to_vec()).unwrap()),
        );
    }
}

fn closed(parents: &'static [&'static str], records: &'static [&'static str]) -> Shard {
    Shard {
        parents,
        is_closed: true,
        records,
    }
}

fn at_work(parents: &'static [&'static str], records: &'static [&'static str]) -> Shard {
    Shard {
        is_closed: false,
        ..closed(parents, records)
    }
}

#[tokio::test]
async fn a_shard_is_read_to_its_end_before_what_it_was_split_into() {
    for max in [1, 2, 3, 100] {
        let (stream, server) = open(BTreeMap::from([
            // A child's id may come before its parent's: the order is that of the parents, not of the names.
            ("shard-1", at_work(&["shard-9"], &["4", "5"])),
            ("shard-9", closed(&["gone"], &["1", "2", "3"])),
        ]))
        .await;
        assert_eq!(
            read(&stream, max).await,
            ["1", "2", "3", "4", "5"],
            "pages of {max}"
        );
        server.abort();
    }
}

#[tokio::test]
async fn both_halves_are_read_to_their_end_before_what_they_were_merged_into() {
    for max in [1, 2, 100] {
        let (stream, server) = open(BTreeMap::from([
            ("shard-a", closed(&[], &["1"])),
            ("shard-b", closed(&[], &["2"])),
            ("shard-c", at_work(&["shard-a", "shard-b"], &["3", "4"])),
        ]))
        .await;
        assert_eq!(read(&stream, max).await, ["1", "2", "3", "4"], "pages of {max}");
        server.abort();
    }
}

#[tokio::test]
async fn a_closed_shard_without_records_does_not_hide_its_children() {
    let (stream, server) = open(BTreeMap::from([
        ("shard-a", closed(&[], &[])),
        ("shard-b", at_work(&["shard-a"], &["1"])),
    ]))
    .await;
    assert_eq!(read(&stream, 10).await, ["1"]);
    server.abort();
}

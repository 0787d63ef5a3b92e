//! Buckets, by Google's own host name and with tokens.

use bytes::Bytes;
use nephos_conformance::edge::Edge;
use nephos_conformance::gcs::{Interruption, Options, Storage};
use nephos_core::ErrorKind;
use nephos_core::env::Environment;
use nephos_core::resource::ResourceKind;
use nephos_core::resource::bucket::Bucket;
use nephos_gcp::config::{Config, EMULATOR_TOKEN, ENDPOINTS};
use nephos_gcp::harness::operator;
use object_store::{Attribute, Attributes, PutOptions};

use serde_json::json;

use super::open;

const TOKEN: &str = "ya29.a-token";

struct Cloud {
    storage: Storage,
    bucket: Bucket,
    _edge: Edge,
}

async fn cloud() -> Cloud {
    let storage = Storage::start(Options {
        tokens: vec![TOKEN.to_owned()],
        ..Options::default()
    })
    .await
    .unwrap();
    storage.create_bucket("photos-1").unwrap();
    let edge = Edge::start().await.unwrap();
    edge.route("storage.googleapis.com", &storage.url());
    let config = operator::config(&Environment::default(), TOKEN, &edge).unwrap();
    let bucket = open(&config, ResourceKind::Bucket, "photos-1", &[])
        .bucket("it")
        .unwrap();
    Cloud {
        storage,
        bucket,
        _edge: edge,
    }
}

#[tokio::test]
async fn a_bucket_is_asked_with_the_token_of_whoever_asks_and_says_so_if_it_is_refused() {
    let cloud = cloud().await;
    cloud.bucket.put("a", "x").await.unwrap();
    assert_eq!(cloud.bucket.get("a").await.unwrap(), "x");
    cloud.storage.expire_tokens();
    let error = cloud.bucket.get("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{}", error.chain());
    assert!(
        !format!("{error:?}{}", error.chain()).contains(TOKEN),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_content_that_comes_back_is_another_version_all_the_same() {
    let cloud = cloud().await;
    let first = cloud.bucket.put("a", "x").await.unwrap().unwrap();
    cloud.bucket.put("a", "y").await.unwrap();
    let third = cloud.bucket.put("a", "x").await.unwrap().unwrap();
    assert_ne!(first, third);
    assert_eq!(cloud.bucket.head("a").await.unwrap().etag, Some(third));
    let error = cloud.bucket.put_if_match("a", "z", &first).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{}", error.chain());
    for foreign in ["\"5d41402abc4b2a76b9719d911017c592\"", ""] {
        let error = cloud.bucket.put_if_match("a", "z", foreign).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{}", error.chain());
    }
    assert_eq!(cloud.bucket.get("a").await.unwrap(), "x");
}

#[tokio::test]
async fn what_is_stored_as_gzip_is_read_as_it_is_stored() {
    let cloud = cloud().await;
    // An empty file, packed.
    let packed: &[u8] = &[
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    let attributes = Attributes::from_iter([(Attribute::ContentEncoding, "gzip")]);
    let options = PutOptions {
        attributes,
        ..PutOptions::default()
    };
    let store = cloud.bucket.driver().store();
    store
        .put_opts(&"a.gz".into(), Bytes::from_static(packed).into(), options)
        .await
        .unwrap();
    assert_eq!(cloud.bucket.get("a.gz").await.unwrap(), packed);
    assert_eq!(cloud.bucket.head("a.gz").await.unwrap().size, 20);
    assert_eq!(cloud.bucket.get_range("a.gz", 1..3).await.unwrap(), &packed[1..3]);
}

#[tokio::test]
async fn a_write_that_failed_is_sent_again_and_a_conditional_one_whose_answer_was_lost_is_not() {
    let cloud = cloud().await;
    // Without the proxy, which makes an answer of a connection that is cut.
    let endpoints = json!({"https://storage.googleapis.com": cloud.storage.url()}).to_string();
    let variables = [(ENDPOINTS, endpoints.as_str()), (EMULATOR_TOKEN, TOKEN)];
    let config = Config::load(&variables.into_iter().collect()).unwrap();
    let bucket = open(&config, ResourceKind::Bucket, "photos-1", &[])
        .bucket("it")
        .unwrap();
    cloud
        .storage
        .interrupt("PUT /photos%2D1/a", 1, Interruption::Status(503));
    bucket.put("a", "x").await.unwrap();
    let etag = bucket.head("a").await.unwrap().etag.unwrap();
    cloud
        .storage
        .interrupt("PUT /photos%2D1/a", 1, Interruption::CutAfterwards);
    // It was written: a second try would seem to come too late, and its failure would be told as somebody else's write.
    let error = bucket.put_if_match("a", "y", &etag).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.chain());
    assert_eq!(bucket.get("a").await.unwrap(), "y");
}

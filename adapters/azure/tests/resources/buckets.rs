//! Buckets, over the emulator.

use std::collections::BTreeMap;
use std::time::Duration;

use nephos_conformance::Harness as _;
use nephos_core::ErrorKind;
use nephos_core::resource::bucket::{PutOptionsExt, SignedMethod};
use object_store::{GetOptions, GetRange};

use super::harness;

#[tokio::test]
async fn metadata_of_any_name_comes_back() {
    let harness = harness().await;
    let bucket = harness.bucket().await.unwrap();
    let metadata: BTreeMap<String, String> = [
        ("exposure-ms", "12"),
        ("2nd", "a"),
        ("a.b!c", "x"),
        ("under_score", "y"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let options = PutOptionsExt {
        content_type: Some("image/png".to_owned()),
        metadata: metadata.clone(),
    };
    bucket.put_with("a", "x", options).await.unwrap();
    assert_eq!(bucket.open("a").await.unwrap().metadata, metadata);
    bucket.copy("a", "b").await.unwrap();
    assert_eq!(bucket.open("b").await.unwrap().metadata, metadata);
}

#[tokio::test]
async fn a_key_that_storage_would_change_is_refused_by_every_operation() {
    let harness = harness().await;
    let bucket = harness.bucket().await.unwrap();
    bucket.put("back/slash", "another").await.unwrap();
    for error in [
        bucket.put("back\\slash", "x").await.unwrap_err(),
        bucket.get("back\\slash").await.unwrap_err(),
        bucket.delete("back\\slash").await.unwrap_err(),
        bucket.copy("back/slash", "back\\slash").await.unwrap_err(),
        bucket
            .signed_url(SignedMethod::Put, "back\\slash", Duration::from_secs(60))
            .await
            .unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error:?}");
        assert!(error.message().contains("backslash"), "{error}");
    }
    assert_eq!(bucket.get("back/slash").await.unwrap(), "another");
}

#[tokio::test]
async fn the_end_of_an_object_is_read_however_long_it_is() {
    let harness = harness().await;
    let bucket = harness.bucket().await.unwrap();
    for (content, read) in [("0123456789", "789"), ("01", "01"), ("", "")] {
        bucket.put("a", content).await.unwrap();
        let options = GetOptions {
            range: Some(GetRange::Suffix(3)),
            ..GetOptions::default()
        };
        let object = bucket.open_with("a", options).await.unwrap();
        assert_eq!(object.bytes().await.unwrap(), read, "{content:?}");
    }
}

//! What `object_store` holds each of its stores to, and Google's own among them: its own integration tests, and what they leave out.

use std::time::Duration;

use nephos_conformance::gcs::Options;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::signer::Signer as _;
use object_store::{
    Attribute, Attributes, GetOptions, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions,
    UpdateVersion, integration,
};

use crate::client::{BUCKET, Gcs};

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_own_tests_of_objects_hold() {
    let gcs = Gcs::start().await;
    let store = gcs.store();
    integration::put_get_delete_list(&store).await;
    integration::list_uses_directories_correctly(&store).await;
    integration::list_with_delimiter(&store).await;
    integration::list_with_offset_exclusivity(&store).await;
    integration::rename_and_copy(&store).await;
    integration::copy_if_not_exists(&store).await;
    integration::copy_rename_nonexistent_object(&store).await;
    // `get_opts` expects a bucket with versions of objects, and `put_get_attributes` has `gzip` as the encoding of what is no gzip.
    integration::put_opts(&store, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_own_tests_of_uploads_in_parts_hold() {
    let gcs = Gcs::start().await;
    let store = gcs.store();
    integration::stream_get(&store).await;
    integration::multipart(&store, &store).await;
    integration::multipart_with_opts(&store, &store).await;
    integration::multipart_race_condition(&store, true).await;
    integration::multipart_out_of_order(&store).await;
    integration::multipart_put_part_out_of_order(&store, &store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_own_tests_of_pages_hold() {
    let gcs = Gcs::start().await;
    let store = gcs.store();
    integration::list_paginated(&store, &store).await;
    // All objects of some pages come, and each once.
    let small = Gcs::start_with(Options {
        page: 3,
        ..Options::default()
    })
    .await;
    let store = small.store();
    for at in 0..10 {
        store.put(&format!("a/{at}").into(), "x".into()).await.unwrap();
    }
    let names: Vec<_> = futures::TryStreamExt::try_collect(store.list(None))
        .await
        .map(|all: Vec<object_store::ObjectMeta>| all.iter().map(|one| one.location.to_string()).collect())
        .unwrap();
    let expected: Vec<_> = (0..10).map(|at| format!("a/{at}")).collect();
    assert_eq!(names, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_come_back_as_they_were_put() {
    let gcs = Gcs::start().await;
    let store = gcs.store();
    let attributes = Attributes::from_iter([
        (Attribute::CacheControl, "max-age=604800"),
        (
            Attribute::ContentDisposition,
            "attachment; filename=\"test.html\"",
        ),
        (Attribute::ContentEncoding, "br"),
        (Attribute::ContentLanguage, "en-US"),
        (Attribute::ContentType, "text/html; charset=utf-8"),
        (Attribute::Metadata("test_key".into()), "test_value"),
    ]);
    let path = "attributes".into();
    store
        .put_opts(&path, "<p>".into(), attributes.clone().into())
        .await
        .unwrap();
    let got = store.get(&path).await.unwrap();
    assert_eq!(got.attributes, attributes);
    let (at_once, etag) = (got.meta.last_modified, got.meta.e_tag.clone());
    for (options, holds) in [
        (GetOptions::new().with_if_match(etag.clone()), true),
        (GetOptions::new().with_if_match(Some("\"other\"")), false),
        (GetOptions::new().with_if_none_match(etag), false),
        (GetOptions::new().with_if_modified_since(Some(at_once)), false),
        (GetOptions::new().with_if_unmodified_since(Some(at_once)), true),
        (GetOptions::new().with_version(got.meta.version.clone()), true),
        (GetOptions::new().with_version(Some("1")), false),
        (GetOptions::new().with_range(Some(1..2)), true),
    ] {
        let text = format!("{options:?}");
        assert_eq!(store.get_opts(&path, options).await.is_ok(), holds, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_names_the_generation_that_it_replaces() {
    let gcs = Gcs::start().await;
    let store = gcs.store();
    let path = "counter".into();
    let first = store.put(&path, "1".into()).await.unwrap();
    let update = |version: Option<String>| PutOptions {
        mode: PutMode::Update(UpdateVersion { e_tag: None, version }),
        ..PutOptions::default()
    };
    let second = store
        .put_opts(&path, "2".into(), update(first.version.clone()))
        .await
        .unwrap();
    assert!(second.version > first.version);
    let late = store.put_opts(&path, "3".into(), update(first.version)).await;
    assert!(
        matches!(late, Err(object_store::Error::Precondition { .. })),
        "{late:?}"
    );
    assert_eq!(&store.get(&path).await.unwrap().bytes().await.unwrap()[..], b"2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_url_counts_by_itself_and_for_what_it_says_only() {
    let gcs = Gcs::start().await;
    let store = gcs.store();
    let path = "folder/öbject 1".into();
    let url = store
        .signed_url(http::Method::PUT, &path, Duration::from_secs(60))
        .await
        .unwrap();
    let put = gcs
        .send(http::Method::PUT, url.as_str(), &[], b"signed")
        .await
        .unwrap();
    assert_eq!(put.status, 200, "{}", put.text());
    let other = gcs.send(http::Method::GET, url.as_str(), &[], b"").await.unwrap();
    assert_eq!(other.refusal(), (403, "SignatureDoesNotMatch".to_owned()));
    let url = store
        .signed_url(http::Method::GET, &path, Duration::from_secs(60))
        .await
        .unwrap();
    let got = gcs.send(http::Method::GET, url.as_str(), &[], b"").await.unwrap();
    assert_eq!((got.status, &got.bytes[..]), (200, &b"signed"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_tokens_is_answered_only_where_that_is_allowed() {
    for anonymous in [true, false] {
        let gcs = Gcs::start_with(Options {
            anonymous,
            ..Options::default()
        })
        .await;
        let _ = rustls::crypto::ring::default_provider().install_default();
        let store = GoogleCloudStorageBuilder::new()
            .with_bucket_name(BUCKET)
            .with_service_account_key(gcs.key(true))
            .with_client_options(object_store::ClientOptions::new().with_allow_http(true))
            .build()
            .unwrap();
        let put = store.put(&"a".into(), "x".into()).await;
        if anonymous {
            put.unwrap();
        } else {
            assert!(
                matches!(put, Err(object_store::Error::Unauthenticated { .. })),
                "{put:?}"
            );
        }
    }
}

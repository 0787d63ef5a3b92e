//! What is refused before anything is connected to, and how credentials are read.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use nephos_core::resource::bucket::Bucket;
use nephos_core::resource::secret::{Secret, SecretCapabilities, SecretDriver, SecretValue};
use nephos_core::resource::{Binding, ExternalBuckets as _, ResourceKind};
use nephos_core::{ErrorKind, Result};
use object_store::CredentialProvider as _;

use super::{S3Buckets, SecretCredentials};

fn binding(url: &str, endpoint: Option<&str>) -> Binding {
    let mut properties = BTreeMap::new();
    if let Some(endpoint) = endpoint {
        properties.insert("endpoint".to_owned(), endpoint.to_owned());
    }
    Binding {
        name: "archive".into(),
        kind: ResourceKind::Bucket,
        access: ResourceKind::Bucket.access().iter().copied().collect(),
        url: Some(url.into()),
        properties,
    }
}

/// A secret that counts how often it is read.
#[derive(Debug)]
struct Counted {
    text: &'static str,
    reads: AtomicUsize,
}

#[async_trait]
impl SecretDriver for Counted {
    fn capabilities(&self) -> SecretCapabilities {
        SecretCapabilities { versions: false }
    }

    async fn get(&self, _version: Option<&str>) -> Result<SecretValue> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        Ok(SecretValue::new(self.text, None))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn secret(text: &'static str) -> (Arc<Counted>, Secret) {
    let driver = Arc::new(Counted {
        text,
        reads: AtomicUsize::default(),
    });
    (Arc::clone(&driver), Secret::new("archive-keys", driver))
}

#[test]
fn urls_and_endpoints_that_cannot_be_used_are_refused_with_the_reason() {
    for (url, endpoint, kind, reason) in [
        ("gs://evidence", None, ErrorKind::Unsupported, "s3://"),
        ("evidence", None, ErrorKind::Unsupported, "s3://"),
        ("s3://", None, ErrorKind::InvalidArgument, "s3://bucket"),
        ("s3://a b", None, ErrorKind::InvalidArgument, "s3://bucket"),
        ("s3://evidence/../x", None, ErrorKind::InvalidArgument, "prefix"),
        (
            "s3://evidence",
            Some("storage.example.net"),
            ErrorKind::InvalidArgument,
            "https://",
        ),
        (
            "s3://evidence",
            Some("http://storage.example.net"),
            ErrorKind::InvalidArgument,
            "https://",
        ),
        (
            "s3://evidence",
            Some("http://127.0.0.1.example.net"),
            ErrorKind::InvalidArgument,
            "https://",
        ),
        (
            "s3://evidence",
            Some("https://me:key@example.net"),
            ErrorKind::InvalidArgument,
            "credentials",
        ),
        (
            "s3://evidence",
            Some("https://"),
            ErrorKind::InvalidArgument,
            "no host",
        ),
    ] {
        let error = S3Buckets.open(&binding(url, endpoint), None).unwrap_err();
        assert_eq!(error.kind(), kind, "{url} {endpoint:?}: {error}");
        assert!(error.to_string().contains(reason), "{url} {endpoint:?}: {error}");
    }
}

#[test]
fn https_anywhere_and_http_on_this_machine_are_opened_without_reading_the_secret() {
    for (url, endpoint) in [
        ("s3://evidence", None),
        ("s3://evidence/a/b/", Some("https://storage.example.net")),
        ("s3://evidence", Some("http://127.0.0.1:4568")),
        ("s3://evidence", Some("http://[::1]:4568/")),
        ("s3://evidence", Some("http://localhost:4568")),
    ] {
        let (driver, secret) = secret("{}");
        S3Buckets.open(&binding(url, endpoint), Some(secret)).unwrap();
        assert_eq!(driver.reads.load(Ordering::Relaxed), 0, "{url}");
    }
}

#[tokio::test]
async fn credentials_are_read_once_and_again_after_a_refusal() {
    let (driver, secret) =
        secret(r#"{"access_key_id":"id","secret_access_key":"key","session_token":"token"}"#);
    let credentials = SecretCredentials::new(secret);
    for _ in 0..3 {
        let credential = credentials.get_credential().await.unwrap();
        assert_eq!(
            (credential.key_id.as_str(), credential.token.as_deref()),
            ("id", Some("token"))
        );
    }
    assert_eq!(driver.reads.load(Ordering::Relaxed), 1);
    credentials.forget().await;
    credentials.get_credential().await.unwrap();
    assert_eq!(driver.reads.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_secret_of_another_shape_is_an_error_that_does_not_show_it() {
    let (_driver, secret) = secret(r#"{"access_key_id":"hunter2"}"#);
    let driver = S3Buckets
        .open(
            &binding("s3://evidence", Some("http://127.0.0.1:9")),
            Some(secret),
        )
        .unwrap();
    let error = Bucket::new("archive", driver).get("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error:?}");
    assert!(error.to_string().contains("access_key_id"), "{error}");
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_signed_url_names_bucket_prefix_and_key_and_not_the_secret() {
    let (_driver, secret) = secret(r#"{"access_key_id":"id","secret_access_key":"hunter2"}"#);
    let driver = S3Buckets
        .open(
            &binding("s3://evidence/2026", Some("http://127.0.0.1:4568")),
            Some(secret),
        )
        .unwrap();
    let bucket = Bucket::new("archive", driver);
    let method = nephos_core::resource::bucket::SignedMethod::Get;
    let signed = bucket
        .signed_url(method, "a b.jpg", std::time::Duration::from_secs(60))
        .await
        .unwrap();
    assert!(signed.headers.is_empty(), "{signed:?}");
    let url = signed.url;
    assert!(
        url.starts_with("http://127.0.0.1:4568/evidence/2026/a%20b.jpg?"),
        "{url}"
    );
    assert!(
        url.contains("X-Amz-Expires=60") && !url.contains("hunter2"),
        "{url}"
    );
}

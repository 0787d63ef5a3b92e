//! Tests of buckets on S3 that no rule of the suite asks.

use std::collections::{BTreeMap, BTreeSet};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::region::Region;
use nephos_core::resource::ResourceKind;
use nephos_core::wiring;

use super::*;

fn binding(bucket: &str) -> Binding {
    Binding {
        name: "photos".to_owned(),
        kind: ResourceKind::Bucket,
        access: BTreeSet::new(),
        url: None,
        properties: BTreeMap::from([(wiring::PHYSICAL.to_owned(), bucket.to_owned())]),
    }
}

fn config(region: &'static str, expiry: Option<Duration>) -> SdkConfig {
    let expiry = expiry.map(|left| std::time::SystemTime::now() + left);
    let credentials = Credentials::new("AKID", "SECRET", Some("TOKEN".to_owned()), expiry, "test");
    SdkConfig::builder()
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

async fn url(config: &SdkConfig, bucket: &str) -> Result<String> {
    let signed = AwsBucket::open(config, &binding(bucket))?
        .signed_url(SignedMethod::Get, "a b/ü.jpg", Duration::from_secs(60))
        .await?;
    assert!(
        signed.headers.is_empty(),
        "S3's URL is enough by itself: {signed:?}"
    );
    Ok(signed.url)
}

#[tokio::test]
async fn a_bucket_is_at_its_own_place_in_its_region() {
    for (region, bucket, start) in [
        (
            "eu-west-1",
            "photos-1",
            "https://photos-1.s3.eu-west-1.amazonaws.com/a%20b/",
        ),
        (
            "eu-west-1",
            "photos.1",
            "https://s3.eu-west-1.amazonaws.com/photos.1/a%20b/",
        ),
        (
            "cn-north-1",
            "photos-1",
            "https://s3.cn-north-1.amazonaws.com.cn/photos-1/a%20b/",
        ),
    ] {
        let url = url(&config(region, None), bucket).await.unwrap();
        assert!(url.starts_with(start), "{url}");
        assert!(url.contains("X-Amz-Expires=60"), "{url}");
        assert!(url.contains("X-Amz-Security-Token=TOKEN"), "{url}");
    }
}

#[tokio::test]
async fn an_endpoint_of_ones_own_has_the_bucket_in_its_path() {
    let config = config("us-east-1", None)
        .into_builder()
        .endpoint_url("http://127.0.0.1:4566/")
        .build();
    let url = url(&config, "photos-1").await.unwrap();
    assert!(url.starts_with("http://127.0.0.1:4566/photos-1/a%20b/"), "{url}");
}

#[tokio::test]
async fn a_url_that_would_outlive_its_credentials_is_refused() {
    let error = url(&config("eu-west-1", Some(Duration::from_secs(30))), "photos-1")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("the credentials expire"), "{error}");
}

#[tokio::test]
async fn without_region_or_credentials_the_error_says_so() {
    let nowhere = SdkConfig::builder().build();
    let error = AwsBucket::open(&nowhere, &binding("photos-1")).unwrap_err();
    assert!(error.message().contains("AWS_REGION"), "{error}");

    let nobody = SdkConfig::builder().region(Region::new("eu-west-1")).build();
    let bucket = AwsBucket::open(&nobody, &binding("photos-1")).unwrap();
    let error = Error::from(
        bucket
            .store()
            .get_opts(&"a".into(), object_store::GetOptions::default())
            .await
            .unwrap_err(),
    );
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error:?}");
    assert!(error.message().contains("aws sso login"), "{error}");
}

#[test]
fn the_credentials_are_never_shown() {
    let bucket = AwsBucket::open(&config("eu-west-1", None), &binding("photos-1")).unwrap();
    let shown = format!("{bucket:?}");
    assert!(!shown.contains("SECRET") && !shown.contains("TOKEN"), "{shown}");
}

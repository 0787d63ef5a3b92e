//! Puts and gets objects of 1 kB and 64 MiB, in turn by a bucket of Nephos and by bare `object_store`. Prints one line of JSON for each operation and
//! size: the microseconds that a tenth of each side's rounds stay below, and the ratio of speed. What else the machine does only ever adds time.
//!
//! The first argument is the endpoint of a store that speaks S3; region and credentials are in the SDK's variables.

use std::sync::Arc;

use nephos_core::resource::bucket::{Bucket, BucketDriver};
use nephos_core::resource::{Access, Binding, Drivers as _, ResourceKind};
use object_store::aws::{AmazonS3, AmazonS3Builder};

#[path = "../../../transfer.rs"]
mod transfer;

use transfer::Size;

type Error = Box<dyn std::error::Error>;

const BUCKET: &str = "bench";
const REGION: &str = "us-east-1";

/// What is moved.
const SIZES: [Size; 2] = [("1 kB", 1_000, 60, 121), ("64 MiB", 64 << 20, 1, 41)];

#[tokio::main]
async fn main() -> Result<(), Error> {
    let endpoint = std::env::args().nth(1).ok_or("name the endpoint")?;
    let ours = bucket(&endpoint).await?;
    let theirs = store(&endpoint)?;
    transfer::measure(&ours, &theirs, &SIZES).await
}

/// The bucket as the host opens it.
async fn bucket(endpoint: &str) -> Result<Bucket, Error> {
    let config = nephos_aws::config::load(Some(REGION.to_owned()), None).await;
    let config = config.into_builder().endpoint_url(endpoint).build();
    let binding = Binding {
        name: BUCKET.to_owned(),
        kind: ResourceKind::Bucket,
        access: [Access::Read, Access::Write].into(),
        url: None,
        properties: [("physical".to_owned(), BUCKET.to_owned())].into(),
    };
    let driver: Arc<dyn BucketDriver> = nephos_aws::resources::AwsDrivers::new(&config).bucket(&binding)?;
    Ok(Bucket::with_access(BUCKET, driver, binding.access))
}

fn store(endpoint: &str) -> Result<AmazonS3, Error> {
    Ok(AmazonS3Builder::from_env()
        .with_bucket_name(BUCKET)
        .with_region(REGION)
        .with_endpoint(endpoint)
        .with_allow_http(true)
        .build()?)
}

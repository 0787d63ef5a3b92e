//! Puts and gets objects of 1 kB and 64 MiB, in turn by a bucket of Nephos and by bare `object_store`, on the suite's stand-in of Cloud Storage. Prints one line of JSON for each
//! operation and size: the microseconds that a tenth of each side's rounds stay below, and the ratio of speed. What else the machine does only ever adds time.

use std::sync::Arc;

use nephos_conformance::gcs::{Options, Storage};
use nephos_core::env::Environment;
use nephos_core::resource::bucket::{Bucket, BucketDriver};
use nephos_core::resource::{Access, Binding, Drivers as _, ResourceKind};
use nephos_gcp::config::{Config, EMULATOR_TOKEN, ENDPOINTS};
use nephos_gcp::resources::GcpDrivers;
use object_store::ClientOptions;
use object_store::StaticCredentialProvider;
use object_store::gcp::{GcpCredential, GoogleCloudStorage, GoogleCloudStorageBuilder};

#[path = "../../../transfer.rs"]
mod transfer;

use transfer::Size;

type Error = Box<dyn std::error::Error>;

const BUCKET: &str = "bench-pictures";
const TOKEN: &str = "ya29.a-token";

/// The stand-in holds its objects in memory.
const SIZES: [Size; 2] = [("1 kB", 1_000, 20, 61), ("64 MiB", 64 << 20, 1, 15)];

#[tokio::main]
async fn main() -> Result<(), Error> {
    let storage = Storage::start(Options {
        tokens: vec![TOKEN.to_owned()],
        ..Options::default()
    })
    .await?;
    storage.create_bucket(BUCKET)?;
    let ours = bucket(&storage.url())?;
    let theirs = store(&storage.url())?;
    transfer::measure(&ours, &theirs, &SIZES).await
}

/// The bucket as the host opens it.
fn bucket(url: &str) -> Result<Bucket, Error> {
    let endpoints = serde_json::json!({ "https://storage.googleapis.com": url }).to_string();
    let environment: Environment = [(ENDPOINTS, endpoints.as_str()), (EMULATOR_TOKEN, TOKEN)]
        .into_iter()
        .collect();
    let binding = Binding {
        name: "pictures".to_owned(),
        kind: ResourceKind::Bucket,
        access: [Access::Read, Access::Write].into(),
        url: None,
        properties: [("physical".to_owned(), BUCKET.to_owned())].into(),
    };
    let drivers = GcpDrivers::new(&Config::load(&environment)?);
    let driver: Arc<dyn BucketDriver> = drivers.bucket(&binding)?;
    Ok(Bucket::with_access("pictures", driver, binding.access))
}

fn store(url: &str) -> Result<GoogleCloudStorage, Error> {
    let token = GcpCredential {
        bearer: TOKEN.to_owned(),
    };
    Ok(GoogleCloudStorageBuilder::new()
        .with_bucket_name(BUCKET)
        .with_base_url(url)
        .with_credentials(Arc::new(StaticCredentialProvider::new(token)))
        .with_client_options(ClientOptions::new().with_allow_http(true))
        .build()?)
}

//! Puts and gets objects of 1 kB and 64 MiB, in turn by a bucket of Nephos and by bare `object_store`, on an Azurite of its own. Prints one line of JSON for each
//! operation and size: the microseconds that a tenth of each side's rounds stay below, and the ratio of speed. What else the machine does only ever adds time.

use std::sync::Arc;

use nephos_azure::config::{Config, ENDPOINTS, STORAGE_KEY};
use nephos_azure::resources::AzureDrivers;
use nephos_conformance::azure_functions::azurite::Azurite;
use nephos_conformance::azure_functions::storage::Account;
use nephos_core::env::Environment;
use nephos_core::resource::bucket::{Bucket, BucketDriver};
use nephos_core::resource::{Access, Binding, Drivers as _, ResourceKind};
use object_store::azure::{MicrosoftAzure, MicrosoftAzureBuilder};

#[path = "../../../transfer.rs"]
mod transfer;

use transfer::Size;

type Error = Box<dyn std::error::Error>;

const CONTAINER: &str = "bench";

/// Azurite holds its objects in memory.
const SIZES: [Size; 2] = [("1 kB", 1_000, 20, 61), ("64 MiB", 64 << 20, 1, 15)];

#[tokio::main]
async fn main() -> Result<(), Error> {
    let azurite = Azurite::start().await?;
    let account = azurite.account();
    account.create_container(CONTAINER).await?;
    let ours = bucket(account)?;
    let theirs = store(account)?;
    transfer::measure(&ours, &theirs, &SIZES).await
}

/// The bucket as the host opens it.
fn bucket(account: &Account) -> Result<Bucket, Error> {
    let service = "https://bench.blob.core.windows.net";
    let endpoints = serde_json::json!({ service: account.blobs }).to_string();
    let environment: Environment = [(ENDPOINTS, endpoints.as_str()), (STORAGE_KEY, &account.key)]
        .into_iter()
        .collect();
    let binding = Binding {
        name: CONTAINER.to_owned(),
        kind: ResourceKind::Bucket,
        access: [Access::Read, Access::Write].into(),
        url: None,
        properties: [("physical".to_owned(), format!("{service}/{CONTAINER}"))].into(),
    };
    let drivers = AzureDrivers::new(&Config::load(&environment)?);
    let driver: Arc<dyn BucketDriver> = drivers.bucket(&binding)?;
    Ok(Bucket::with_access(CONTAINER, driver, binding.access))
}

fn store(account: &Account) -> Result<MicrosoftAzure, Error> {
    Ok(MicrosoftAzureBuilder::new()
        .with_account(&account.name)
        .with_access_key(&account.key)
        .with_container_name(CONTAINER)
        .with_endpoint(account.blobs.clone())
        .with_allow_http(true)
        .build()?)
}

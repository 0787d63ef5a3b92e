//! Puts and gets objects of 1 kB and 64 MiB, in turn by a bucket of Nephos and by bare `object_store`, on an Azurite of its own. Prints one line of JSON for each
//! operation and size: the microseconds that a tenth of each side's rounds stay below, and the ratio of speed. What else the machine does only ever adds time.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use nephos_azure::config::{Config, ENDPOINTS, STORAGE_KEY};
use nephos_azure::resources::AzureDrivers;
use nephos_conformance::azure_functions::azurite::Azurite;
use nephos_conformance::azure_functions::storage::Account;
use nephos_core::env::Environment;
use nephos_core::resource::bucket::{Bucket, BucketDriver};
use nephos_core::resource::{Access, Binding, Drivers as _, ResourceKind};
use object_store::ObjectStoreExt as _;
use object_store::azure::{MicrosoftAzure, MicrosoftAzureBuilder};
use object_store::path::Path;

type Error = Box<dyn std::error::Error>;

const CONTAINER: &str = "bench";
const KEY: &str = "pictures/one.jpg";

/// A name, bytes, operations a turn, rounds. Azurite holds its objects in memory.
const SIZES: [(&str, usize, u32, usize); 2] = [("1 kB", 1_000, 20, 61), ("64 MiB", 64 << 20, 1, 15)];

#[tokio::main]
async fn main() -> Result<(), Error> {
    let azurite = Azurite::start().await?;
    let account = azurite.account();
    account.create_container(CONTAINER).await?;
    let ours = bucket(account)?;
    let theirs = store(account)?;
    let path = Path::from(KEY);
    for (size, length, calls, rounds) in SIZES {
        let content = Bytes::from(vec![b'x'; length]);
        let mut put = Vec::with_capacity(rounds);
        let mut get = Vec::with_capacity(rounds);
        // The first round of each warms the connections, and is not counted.
        for round in 0..=rounds {
            let mut pair = [(0.0, 0.0); 2];
            for side in [round % 2, (round + 1) % 2] {
                let started = Instant::now();
                for _ in 0..calls {
                    if side == 0 {
                        ours.put(KEY, content.clone()).await?;
                    } else {
                        theirs.put(&path, content.clone().into()).await?;
                    }
                }
                let between = Instant::now();
                let mut read = 0;
                for _ in 0..calls {
                    read += if side == 0 {
                        ours.get(KEY).await?.len()
                    } else {
                        theirs.get(&path).await?.bytes().await?.len()
                    };
                }
                let ended = Instant::now();
                if read != length * calls as usize {
                    return Err("what was read is not what was written".into());
                }
                let each = |from: Instant, to: Instant| (to - from).as_secs_f64() * 1e6 / f64::from(calls);
                pair[side] = (each(started, between), each(between, ended));
            }
            if round > 0 {
                put.push((pair[0].0, pair[1].0));
                get.push((pair[0].1, pair[1].1));
            }
        }
        for (operation, rounds) in [("put", put), ("get", get)] {
            let ours = quick(rounds.iter().map(|(ours, _)| *ours));
            let theirs = quick(rounds.iter().map(|(_, theirs)| *theirs));
            println!(
                "{}",
                serde_json::json!({
                    "operation": operation,
                    "size": size,
                    "nephos_us": ours,
                    "peer_us": theirs,
                    "speed": theirs / ours,
                })
            );
        }
    }
    Ok(())
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

/// What a tenth of the values stay below.
fn quick(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 10).copied().unwrap_or_default()
}

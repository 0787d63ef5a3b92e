//! The system topic of a storage account: what changed in its containers, found by listing one after each write to it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, Weak};

use async_trait::async_trait;
use nephos_core::{ErrorKind, Result};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use super::Grid;
use super::subscription::event;
use crate::azure_functions::azurite::{Watched, Watcher};
use crate::azure_functions::storage::{Account, Blob};

/// Blobs by container and name.
type Blobs = BTreeMap<(String, String), Blob>;

/// Containers whose changes are events of a topic.
#[derive(Debug)]
pub(super) struct Watch {
    account: Account,
    containers: Vec<String>,
    /// It holds this watch, as long as the topic is there.
    grid: Weak<Grid>,
    topic: String,
    told: Mutex<Told>,
}

/// What was told so far.
#[derive(Debug, Default)]
struct Told {
    known: Blobs,
    sequence: u64,
}

impl Watch {
    /// Remembers what is there now: that is no event. All that is written from then on is.
    pub(super) async fn start(
        grid: &Arc<Grid>,
        topic: &str,
        containers: &[&str],
        storage: &Watched,
    ) -> Result<Arc<Self>> {
        let watch = Arc::new(Self {
            account: grid.account.clone(),
            containers: containers.iter().map(|name| (*name).to_owned()).collect(),
            grid: Arc::downgrade(grid),
            topic: topic.to_owned(),
            told: Mutex::default(),
        });
        let mut told = watch.told.lock().await;
        let watcher: Arc<dyn Watcher> = Arc::<Self>::clone(&watch);
        for container in containers {
            storage.watch(&watch.account.name, container, Arc::downgrade(&watcher));
        }
        told.known = watch.listing().await?;
        drop(told);
        Ok(watch)
    }

    async fn listing(&self) -> Result<Blobs> {
        let mut found = BTreeMap::new();
        for container in &self.containers {
            match self.account.list_blobs(container).await {
                Ok(blobs) => {
                    found.extend(
                        blobs
                            .into_iter()
                            .map(|blob| ((container.clone(), blob.name.clone()), blob)),
                    );
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    fn tell(&self, told: &mut Told, now: Blobs, grid: &Arc<Grid>) {
        let before = std::mem::replace(&mut told.known, now);
        let id = {
            let topics = grid.topics.lock().unwrap_or_else(PoisonError::into_inner);
            topics
                .get(&self.topic)
                .map(|topic| topic.id.clone())
                .unwrap_or_default()
        };
        let created = told
            .known
            .iter()
            .filter(|(key, blob)| {
                before
                    .get(*key)
                    .is_none_or(|old| old.properties.etag != blob.properties.etag)
            })
            .map(|(key, blob)| ("Microsoft.Storage.BlobCreated", key, blob));
        let deleted = before
            .iter()
            .filter(|(key, _)| !told.known.contains_key(*key))
            .map(|(key, blob)| ("Microsoft.Storage.BlobDeleted", key, blob));
        for (kind, (container, name), blob) in created.chain(deleted) {
            told.sequence += 1;
            let subject = format!("/blobServices/default/containers/{container}/blobs/{name}");
            let url = self.account.blob_url(container, name);
            let data = data(kind.ends_with("Created"), blob, &url, told.sequence);
            grid.deliver(&self.topic, &event(&id, &subject, kind, data));
        }
    }
}

#[async_trait]
impl Watcher for Watch {
    async fn look(&self) {
        let Some(grid) = self.grid.upgrade() else { return };
        let mut told = self.told.lock().await;
        match self.listing().await {
            Ok(now) => self.tell(&mut told, now, &grid),
            Err(error) => grid.log.line(format!("a container cannot be listed: {error}")),
        }
    }
}

/// The data of an event about a blob.
pub(in crate::azure_functions) fn data(
    is_created: bool,
    blob: &Blob,
    url: &str,
    sequence: u64,
) -> Map<String, Value> {
    let mut data = Map::new();
    let mut set = |name: &str, value: Value| data.insert(name.to_owned(), value);
    set("api", if is_created { "PutBlob" } else { "DeleteBlob" }.into());
    set("clientRequestId", uuid::Uuid::new_v4().to_string().into());
    set("requestId", uuid::Uuid::new_v4().to_string().into());
    if is_created {
        set("eTag", blob.properties.etag.trim_matches('"').into());
    }
    set("contentType", blob.properties.content_type.clone().into());
    if is_created {
        set("contentLength", blob.properties.length.into());
    }
    set("blobType", blob.properties.blob_type.clone().into());
    set("url", url.into());
    set("sequencer", format!("{sequence:032X}").into());
    set(
        "storageDiagnostics",
        json!({"batchId": uuid::Uuid::new_v4().to_string()}),
    );
    data
}

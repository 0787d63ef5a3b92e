//! The system topic of a storage account: what changed in its containers, found by listing them again and again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use nephos_core::{ErrorKind, Result};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::Grid;
use super::subscription::event;
use crate::azure_functions::storage::{Account, Blob};

/// How often the containers are listed.
const POLL: Duration = Duration::from_millis(100);

/// Containers whose changes are events.
pub(super) struct Watch {
    account: Account,
    containers: Vec<String>,
    known: BTreeMap<(String, String), Blob>,
    sequence: u64,
}

impl Watch {
    /// Remembers what is there now: that is no event.
    pub(super) async fn start(account: Account, containers: Vec<String>) -> Result<Self> {
        let mut watch = Self {
            account,
            containers,
            known: BTreeMap::new(),
            sequence: 0,
        };
        watch.known = watch.listing().await?;
        Ok(watch)
    }

    /// Tells of changes until the service ends, or another topic takes the place of this one.
    pub(super) async fn run(mut self, grid: Arc<Grid>, topic: String, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(POLL) => {}
            }
            match self.listing().await {
                Ok(now) => self.tell(now, &grid, &topic),
                Err(error) => grid.log.line(format!("a container cannot be listed: {error}")),
            }
        }
    }

    async fn listing(&self) -> Result<BTreeMap<(String, String), Blob>> {
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

    fn tell(&mut self, now: BTreeMap<(String, String), Blob>, grid: &Arc<Grid>, topic: &str) {
        let before = std::mem::replace(&mut self.known, now);
        let id = {
            let topics = grid
                .topics
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            topics
                .get(topic)
                .map(|topic| topic.id.clone())
                .unwrap_or_default()
        };
        let mut changes: Vec<(&str, &(String, String), &Blob)> = Vec::new();
        for (key, blob) in &self.known {
            if before
                .get(key)
                .is_none_or(|old| old.properties.etag != blob.properties.etag)
            {
                changes.push(("Microsoft.Storage.BlobCreated", key, blob));
            }
        }
        for (key, blob) in before.iter().filter(|(key, _)| !self.known.contains_key(*key)) {
            changes.push(("Microsoft.Storage.BlobDeleted", key, blob));
        }
        let mut sequence = self.sequence;
        for (kind, (container, name), blob) in changes {
            sequence += 1;
            let subject = format!("/blobServices/default/containers/{container}/blobs/{name}");
            let url = self.account.blob_url(container, name);
            let data = data(kind.ends_with("Created"), blob, &url, sequence);
            grid.deliver(topic, &event(&id, &subject, kind, data));
        }
        self.sequence = sequence;
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

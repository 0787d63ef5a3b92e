//! Events of a storage account's blobs: <https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage>.
//!
//! The object is named by the event's subject, `/blobServices/default/containers/<container>/blobs/<key>`, whose key stands there as it is, not as in a URL.

use nephos_core::app::ObjectEventKind;
use nephos_core::event::{Attributes, Data, ObjectCreated, ObjectDeleted, ObjectEvent, ObjectInfo, Raw};
use nephos_core::wiring::Wiring;
use nephos_core::{Event, Result};
use serde::Deserialize;

use super::grid::{self, GridEvent};
use super::wrapped::{Invocation, refused};

/// What the trigger wants. Event Grid's subscription filters already; what comes through it all the same is left out here.
pub(super) struct Wanted<'a> {
    pub(super) bucket: &'a str,
    pub(super) event: ObjectEventKind,
    pub(super) prefix: &'a str,
    pub(super) suffix: &'a str,
}

impl Wanted<'_> {
    fn fits(&self, data: &Data) -> bool {
        let Data::Bucket(event) = data else { return true };
        let kind = match event {
            ObjectEvent::Created(_) => ObjectEventKind::Created,
            ObjectEvent::Deleted(_) => ObjectEventKind::Deleted,
        };
        let key = &event.object().key;
        (self.event == ObjectEventKind::Any || self.event == kind)
            && key.starts_with(self.prefix)
            && key.ends_with(self.suffix)
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlobData {
    #[serde(default)]
    api: Option<String>,
    #[serde(default)]
    e_tag: Option<String>,
    #[serde(default)]
    content_type: Option<String>,
    #[serde(default)]
    content_length: Option<u64>,
    #[serde(default)]
    blob_type: Option<String>,
    #[serde(default)]
    request_id: Option<String>,
    #[serde(default)]
    client_request_id: Option<String>,
    #[serde(default)]
    sequencer: Option<String>,
    #[serde(default)]
    access_tier: Option<String>,
}

pub(super) fn decode(
    wanted: &Wanted<'_>,
    wiring: &Wiring,
    invocation: &Invocation<'_>,
) -> Result<Vec<Event>> {
    let json = grid::json(invocation)?;
    let events = grid::events(&json)?.into_iter();
    let events: Vec<Event> = events
        .map(|event| read(event, wanted.bucket, wiring))
        .collect::<Result<_>>()?;
    Ok(events
        .into_iter()
        .filter(|event| wanted.fits(&event.data))
        .collect())
}

fn read(event: GridEvent<'_>, bucket: &str, wiring: &Wiring) -> Result<Event> {
    let subject = event.subject.as_deref().unwrap_or_default();
    let (container, key) = place(subject).ok_or_else(|| {
        refused("the event's subject names no blob (`/blobServices/default/containers/<name>/blobs/<key>`)")
            .with("subject", subject)
    })?;
    let data: BlobData = match event.json() {
        Some(json) => serde_json::from_str(json).map_err(|error| {
            super::malformed(
                "the event's data are not as the storage account documents them",
                error,
            )
        })?,
        None => BlobData::default(),
    };
    let object = ObjectInfo {
        bucket: wiring
            .sources
            .get(container)
            .map_or(bucket, String::as_str)
            .to_owned(),
        key: key.to_owned(),
        size: data.content_length,
        etag: data
            .e_tag
            .map(|etag| etag.trim_matches('"').to_owned())
            .filter(|etag| !etag.is_empty()),
        version: None,
        content_type: data.content_type.filter(|ty| !ty.is_empty()),
    };
    let source = format!("bucket/{}", object.bucket);
    let read = match event.ty.as_str() {
        "Microsoft.Storage.BlobCreated" => Data::Bucket(ObjectEvent::Created(ObjectCreated(object))),
        "Microsoft.Storage.BlobDeleted" => Data::Bucket(ObjectEvent::Deleted(ObjectDeleted(object))),
        // Renamed, moved to another tier, restored: nothing that other targets know. The document follows.
        _ => Data::Raw(Raw::default()),
    };
    let mut attributes = Attributes::known(&read, Some(event.id), event.time);
    if matches!(read, Data::Raw(_)) {
        attributes.source = source.into();
        attributes.subject = Some(key.to_owned());
    }
    let facts = [
        ("azureevent", Some(event.ty)),
        ("azuresource", Some(event.source)),
        ("azureapi", data.api),
        ("azureblobtype", data.blob_type),
        ("azuretier", data.access_tier),
        ("azuresequencer", data.sequencer),
        ("azurerequest", data.request_id),
        ("azureclientrequest", data.client_request_id),
    ];
    Ok(super::event(attributes, read, facts, Vec::new()))
}

/// Container and key of a subject. The documentation has it with and without its first slash.
fn place(subject: &str) -> Option<(&str, &str)> {
    let rest = subject.strip_prefix('/').unwrap_or(subject);
    let (container, key) = rest
        .strip_prefix("blobServices/default/containers/")?
        .split_once("/blobs/")?;
    (!container.is_empty() && !key.is_empty()).then_some((container, key))
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn a_subject_names_container_and_key() {
        let at = |rest: &str| {
            place(&format!("/blobServices/default/containers/{rest}"))
                .map(|(c, k)| (c.to_owned(), k.to_owned()))
        };
        let named = |container: &str, key: &str| Some((container.to_owned(), key.to_owned()));
        assert_eq!(at("pics/blobs/a b/ä%20+.jpg"), named("pics", "a b/ä%20+.jpg"));
        assert_eq!(at("pics/blobs/x/blobs/y"), named("pics", "x/blobs/y"));
        assert_eq!(
            place("blobServices/default/containers/c/blobs/k"),
            Some(("c", "k"))
        );
        for subject in ["", "pics/blobs/", "/blobs/k", "pics"] {
            assert_eq!(at(subject), None, "{subject}");
        }
        assert_eq!(place("/x"), None);
    }
}

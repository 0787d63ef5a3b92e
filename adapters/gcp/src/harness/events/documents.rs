//! CloudEvents of Eventarc in binary mode, as it sends them, and changes of documents of Firestore among them.

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use nephos_conformance::google_cloud::cloud_run::document_event_data;
use nephos_conformance::happening::Native;
use nephos_core::event::{Change, ChangeKind};
use nephos_core::{Error, ErrorKind, Result};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::{PROJECT, path_of, posted};
use crate::document::{KEY, VERSION, document_id, index, to_fields};

/// What a header cannot hold: <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#3132-http-header-values>.
const HEADER: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

/// The attributes of an event.
pub(super) struct Told<'a> {
    pub(super) id: &'a str,
    pub(super) source: &'a str,
    pub(super) ty: &'a str,
    pub(super) subject: Option<&'a str>,
    pub(super) at: DateTime<Utc>,
    /// Those of its kind alone, by the names of their headers.
    pub(super) extensions: &'a [(&'a str, &'a str)],
    pub(super) content_type: &'a str,
}

/// <https://cloud.google.com/eventarc/docs/cloudevents>
pub(super) fn cloud_event(
    trigger: &str,
    told: &Told<'_>,
    data: impl Into<Bytes>,
) -> Result<http::Request<Bytes>> {
    let written = |value: &str| utf8_percent_encode(value, HEADER).to_string();
    let at = told.at.to_rfc3339_opts(SecondsFormat::Micros, true);
    let (id, source) = (written(told.id), written(told.source));
    let subject = told.subject.map(written);
    let extensions: Vec<(&str, String)> = (told.extensions.iter())
        .map(|(name, value)| (*name, written(value)))
        .collect();
    let mut headers = vec![
        ("ce-specversion", "1.0"),
        ("ce-id", &id),
        ("ce-source", &source),
        ("ce-type", told.ty),
        ("ce-time", &at),
        ("content-type", told.content_type),
    ];
    headers.extend(subject.as_deref().map(|subject| ("ce-subject", subject)));
    headers.extend((extensions.iter()).map(|(name, value)| (*name, value.as_str())));
    posted(&path_of(trigger)?, &headers, data)
}

/// A change, of a trigger of all kinds in [protobuf](https://github.com/googleapis/google-cloudevents/blob/main/proto/google/events/cloud/firestore/v1/data.proto), as Eventarc sends it, and of
/// one of its own kind in [JSON](https://github.com/googleapis/google-cloudevents/tree/main/examples/structured/firestore). Items are as the driver of tables writes them.
pub(super) fn table(change: &Change<Value>) -> Result<Vec<Native>> {
    let path = format!(
        "items/{}",
        document_id(&change.key.partition, change.key.sort.as_deref())
    );
    let (old, new) = (
        document(change, &path, &change.old)?,
        document(change, &path, &change.new)?,
    );
    let kind = match change.kind {
        ChangeKind::Inserted => "google.cloud.firestore.document.v1.created",
        ChangeKind::Modified => "google.cloud.firestore.document.v1.updated",
        ChangeKind::Removed => "google.cloud.firestore.document.v1.deleted",
    };
    let source = format!("//firestore.googleapis.com/projects/{PROJECT}/databases/(default)");
    let told = Told {
        id: &change.sequence,
        source: &source,
        ty: "google.cloud.firestore.document.v1.written",
        subject: Some(&format!("documents/{path}")),
        at: change.at.unwrap_or_default(),
        extensions: &[
            ("ce-document", &path),
            ("ce-database", "(default)"),
            ("ce-namespace", "(default)"),
            ("ce-project", PROJECT),
            ("ce-location", "eur3"),
        ],
        content_type: "application/protobuf",
    };
    let data = document_event_data(old.as_ref(), new.as_ref())?;
    let written = cloud_event("items", &told, data)?;
    let mut data = Map::new();
    for (name, document) in [("oldValue", old), ("value", new)] {
        data.extend(document.map(|document| (name.to_owned(), document)));
    }
    let told = Told {
        ty: kind,
        content_type: "application/json",
        ..told
    };
    let typed = cloud_event("items", &told, Value::Object(data).to_string())?;
    Ok(vec![
        Native {
            form: "Eventarc, protobuf",
            message: written,
            // A message of protobuf ends where its bytes end.
            is_document: false,
        },
        Native {
            form: "Eventarc, JSON",
            message: typed,
            is_document: true,
        },
    ])
}

/// <https://cloud.google.com/firestore/docs/reference/rest/v1/projects.databases.documents#Document>
fn document(change: &Change<Value>, path: &str, item: &Option<Value>) -> Result<Option<Value>> {
    let Some(item) = item else { return Ok(None) };
    let item = item.as_object().ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidArgument,
            "harness.native",
            "an item is an object",
        )
    })?;
    let sort = change.key.sort.as_deref().unwrap_or_default();
    let mut fields = to_fields(item);
    fields.insert(
        KEY.to_owned(),
        json!({"stringValue": index(&change.key.partition, sort)}),
    );
    fields.insert(VERSION.to_owned(), json!({"stringValue": "0190b1d2"}));
    let at = change
        .at
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Micros, true);
    Ok(Some(json!({
        "name": format!("projects/{PROJECT}/databases/(default)/documents/{path}"),
        "fields": fields, "createTime": at, "updateTime": at,
    })))
}

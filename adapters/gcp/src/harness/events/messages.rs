//! Messages of Pub/Sub: in a [push](https://cloud.google.com/pubsub/docs/push#receive_push) of a subscription that counts tries, and in Eventarc's
//! [`messagePublished`](https://github.com/googleapis/google-cloudevents/tree/main/examples/structured/pubsub), which counts none; among them the notifications of a bucket, which Eventarc has
//! events of its own for. What is within a message is what the drivers write.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, Utc};
use nephos_conformance::happening::{Happening, Native};
use nephos_core::Result;
use nephos_core::event::{Message, Notification, ObjectEvent, Payload, Record};
use serde_json::{Value, json};

use super::documents::{Told, cloud_event};
use super::{BUCKET, PROJECT, path_of, posted};
use crate::payload::to_attributes;

/// The generation of each object.
const GENERATION: &str = "1795608000000000";

/// A message, as Pub/Sub knows it.
struct Published<'a> {
    id: &'a str,
    at: DateTime<Utc>,
    ordering_key: Option<&'a str>,
    attributes: BTreeMap<String, String>,
    data: &'a [u8],
    attempt: u32,
}

impl Published<'_> {
    /// What is pushed, and what Eventarc has for data. A field that is empty is left out, as in the JSON of all messages of protobuf.
    fn document(&self) -> Value {
        let at = self.at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let mut message =
            json!({"messageId": self.id, "message_id": self.id, "publishTime": at, "publish_time": at});
        if !self.data.is_empty() {
            message["data"] = STANDARD.encode(self.data).into();
        }
        if !self.attributes.is_empty() {
            message["attributes"] = json!(self.attributes);
        }
        if let Some(key) = self.ordering_key {
            message["orderingKey"] = key.into();
        }
        json!({"message": message, "subscription": format!("projects/{PROJECT}/subscriptions/nephos-1x2y")})
    }

    /// By a subscription with a dead-letter policy: <https://cloud.google.com/pubsub/docs/handling-failures#track_delivery_attempts>.
    fn pushed(&self, trigger: &str) -> Result<Native> {
        let mut document = self.document();
        document["deliveryAttempt"] = self.attempt.into();
        let headers = [
            ("content-type", "application/json"),
            (
                "user-agent",
                "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)",
            ),
        ];
        Ok(Native {
            form: "a push of Pub/Sub",
            message: posted(&path_of(trigger)?, &headers, document.to_string())?,
            is_document: true,
        })
    }

    /// In both forms; by Eventarc, whose subscriptions have no dead-letter policy, no try is told.
    fn natives(&self, trigger: &str) -> Result<Vec<Native>> {
        let mut natives = vec![self.pushed(trigger)?];
        if self.attempt == 1 {
            let source = format!("//pubsub.googleapis.com/projects/{PROJECT}/topics/nephos-{trigger}-1x2y");
            let told = Told {
                id: self.id,
                source: &source,
                ty: "google.cloud.pubsub.topic.v1.messagePublished",
                subject: None,
                at: self.at,
                extensions: &[],
                content_type: "application/json",
            };
            let message = cloud_event(&format!("{trigger}-eventarc"), &told, self.document().to_string())?;
            natives.push(Native {
                form: "Eventarc",
                message,
                is_document: true,
            });
        }
        Ok(natives)
    }
}

pub(super) fn queue(message: &Message<Payload>) -> Result<Vec<Native>> {
    let published = Published {
        id: &message.id,
        at: message.sent_at.unwrap_or_default(),
        ordering_key: message.group.as_deref(),
        attributes: to_attributes(message.body.content_type.as_deref(), None, &message.attributes),
        data: &message.body.bytes,
        attempt: message.attempt,
    };
    published.natives("jobs")
}

pub(super) fn topic(happening: &Happening, notification: &Notification<Payload>) -> Result<Vec<Native>> {
    let published = Published {
        id: &notification.id,
        at: notification.published_at.unwrap_or_default(),
        ordering_key: None,
        attributes: to_attributes(
            notification.body.content_type.as_deref(),
            notification.subject.as_deref(),
            &notification.attributes,
        ),
        data: &notification.body.bytes,
        attempt: happening.attempt,
    };
    published.natives("news")
}

pub(super) fn stream(happening: &Happening, record: &Record<Payload>) -> Result<Vec<Native>> {
    let published = Published {
        id: &record.sequence,
        at: record.appended_at.unwrap_or_default(),
        ordering_key: Some(&record.partition_key),
        attributes: to_attributes(record.body.content_type.as_deref(), None, &record.attributes),
        data: &record.body.bytes,
        attempt: happening.attempt,
    };
    published.natives("readings")
}

/// The bucket's own [notification](https://cloud.google.com/storage/docs/pubsub-notifications), with and without the object's resource; and
/// [Eventarc's](https://github.com/googleapis/google-cloudevents/tree/main/examples/structured/storage), which tells no try.
pub(super) fn bucket(happening: &Happening, event: &ObjectEvent) -> Result<Vec<Native>> {
    let (notified, ty) = match event {
        ObjectEvent::Created(_) => ("OBJECT_FINALIZE", "google.cloud.storage.object.v1.finalized"),
        ObjectEvent::Deleted(_) => ("OBJECT_DELETE", "google.cloud.storage.object.v1.deleted"),
    };
    let resource = resource(happening, event);
    let at = happening.at.to_rfc3339_opts(SecondsFormat::Micros, true);
    let key = event.object().key.as_str();
    let mut natives = Vec::new();
    for format in ["JSON_API_V1", "NONE"] {
        // Without the resource a notification does not say how large the object is.
        let is_told = format == "JSON_API_V1";
        if !is_told && event.object().size.is_some() {
            continue;
        }
        let attributes = [
            (
                "notificationConfig",
                format!("projects/_/buckets/{BUCKET}/notificationConfigs/3").as_str(),
            ),
            ("eventType", notified),
            ("payloadFormat", format),
            ("bucketId", BUCKET),
            ("objectId", key),
            ("objectGeneration", GENERATION),
            ("eventTime", &at),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let data = if is_told {
            format!("{resource:#}")
        } else {
            String::new()
        };
        let published = Published {
            id: &happening.id,
            at: happening.at + chrono::Duration::seconds(2),
            ordering_key: None,
            attributes: attributes.into(),
            data: data.as_bytes(),
            attempt: happening.attempt,
        };
        natives.push(published.pushed("photos")?);
    }
    if happening.attempt == 1 {
        let told = Told {
            id: &happening.id,
            source: &format!("//storage.googleapis.com/projects/_/buckets/{BUCKET}"),
            ty,
            subject: Some(&format!("objects/{key}")),
            at: happening.at,
            extensions: &[("ce-bucket", BUCKET)],
            content_type: "application/json; charset=utf-8",
        };
        natives.push(Native {
            form: "Eventarc",
            message: cloud_event("photos-eventarc", &told, resource.to_string())?,
            is_document: true,
        });
    }
    Ok(natives)
}

/// <https://cloud.google.com/storage/docs/json_api/v1/objects#resource>: of an object that is gone, what it was.
fn resource(happening: &Happening, event: &ObjectEvent) -> Value {
    let object = event.object();
    let at = happening.at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let name: String = url::form_urlencoded::byte_serialize(object.key.as_bytes()).collect();
    let etag = object.etag.as_deref().unwrap_or("CNHZkbuF/ugCEAE=");
    json!({
        "kind": "storage#object", "id": format!("{BUCKET}/{}/{GENERATION}", object.key),
        "selfLink": format!("https://www.googleapis.com/storage/v1/b/{BUCKET}/o/{name}"),
        "mediaLink": format!("https://storage.googleapis.com/download/storage/v1/b/{BUCKET}/o/{name}?generation={GENERATION}&alt=media"),
        "name": object.key, "bucket": BUCKET, "generation": GENERATION, "metageneration": "1", "contentType": "image/jpeg",
        "storageClass": "STANDARD", "size": object.size.unwrap_or(42).to_string(), "md5Hash": "kF8MuJ5+CTJxvyhHS1xzRg==",
        "crc32c": "rTVTeQ==", "etag": etag, "timeCreated": at, "updated": at, "timeStorageClassUpdated": at,
    })
}

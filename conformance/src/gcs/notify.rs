//! Notifications of changes: configurations, and the messages that Pub/Sub would get.
//!
//! <https://cloud.google.com/storage/docs/pubsub-notifications>, <https://cloud.google.com/storage/docs/json_api/v1/notifications>

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::error::{Outcome, Refusal};

/// The events there are; without versions nothing is archived.
const EVENTS: [&str; 4] = [
    "OBJECT_FINALIZE",
    "OBJECT_METADATA_UPDATE",
    "OBJECT_DELETE",
    "OBJECT_ARCHIVE",
];
/// The most configurations of a bucket, and of a bucket for one event.
const MOST: usize = 100;
const MOST_OF_AN_EVENT: usize = 10;

/// A message as it is published to a topic of Pub/Sub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `projects/<project>/topics/<topic>`
    pub topic: String,
    /// `eventType`, `bucketId`, `objectId` and others.
    pub attributes: BTreeMap<String, String>,
    /// The object's resource of the JSON API, or nothing.
    pub data: Bytes,
}

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// With the generation that it overwrote.
    Finalize(Option<u64>),
    MetadataUpdate,
    /// With the generation by which it was overwritten.
    Delete(Option<u64>),
}

impl Event {
    fn name(self) -> &'static str {
        match self {
            Self::Finalize(_) => "OBJECT_FINALIZE",
            Self::MetadataUpdate => "OBJECT_METADATA_UPDATE",
            Self::Delete(_) => "OBJECT_DELETE",
        }
    }
}

/// One configuration.
#[derive(Debug, Clone)]
pub(super) struct Config {
    pub(super) id: u64,
    pub(super) topic: String,
    events: Vec<String>,
    prefix: Option<String>,
    is_json: bool,
    attributes: BTreeMap<String, String>,
}

impl Config {
    /// Reads what was posted.
    pub(super) fn read(id: u64, body: &Map<String, Value>) -> Outcome<Self> {
        const KNOWN: [&str; 5] = [
            "topic",
            "payload_format",
            "event_types",
            "object_name_prefix",
            "custom_attributes",
        ];
        if let Some(name) = body.keys().find(|name| !KNOWN.contains(&name.as_str())) {
            return Err(Refusal::not_built(format!("the field '{name}' here")));
        }
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let topic = text("topic").ok_or_else(|| Refusal::required("topic"))?;
        let topic = topic
            .strip_prefix("//pubsub.googleapis.com/")
            .filter(|path| matches!(path.split('/').collect::<Vec<_>>().as_slice(), ["projects", project, "topics", name] if is_project(project) && is_topic(name)))
            .ok_or_else(|| Refusal::invalid(format!("Invalid Google Cloud Pub/Sub topic. It should look like '//pubsub.googleapis.com/projects/*/topics/*', not '{topic}'.")))?;
        let is_json = match text("payload_format") {
            Some("JSON_API_V1") => true,
            Some("NONE") => false,
            Some(other) => return Err(Refusal::invalid(format!("Invalid payload format: '{other}'."))),
            None => return Err(Refusal::required("payload_format")),
        };
        let mut events = Vec::new();
        for event in list(body, "event_types")? {
            let event = event
                .as_str()
                .filter(|event| EVENTS.contains(event))
                .ok_or_else(|| Refusal::invalid(format!("Invalid event type: {event}.")))?;
            events.push(event.to_owned());
        }
        let prefix = match body.get("object_name_prefix") {
            None => None,
            Some(Value::String(prefix)) => Some(prefix.clone()),
            Some(_) => return Err(Refusal::invalid("object_name_prefix is text.")),
        };
        Ok(Self {
            id,
            topic: topic.to_owned(),
            events,
            prefix,
            is_json,
            attributes: super::json::resource::texts(body.get("custom_attributes"), "custom_attributes")?,
        })
    }

    /// Whether a bucket may have this one too.
    pub(super) fn check(&self, others: &BTreeMap<u64, Self>) -> Outcome<()> {
        let refused = |what| {
            Err(Refusal::invalid(format!(
                "Too many overlapping notification configurations: {what}."
            )))
        };
        if others.len() >= MOST {
            return refused("a bucket has at most 100");
        }
        for event in EVENTS {
            let count = others.values().filter(|other| other.is_for(event)).count();
            if self.is_for(event) && count >= MOST_OF_AN_EVENT {
                return refused("a bucket has at most 10 for one event");
            }
        }
        Ok(())
    }

    fn is_for(&self, event: &str) -> bool {
        self.events.is_empty() || self.events.iter().any(|one| one == event)
    }

    /// As it is answered.
    pub(super) fn view(&self, url: &str, bucket: &str) -> Value {
        let mut view = json!({
            "kind": "storage#notification",
            "id": self.id.to_string(),
            "topic": format!("//pubsub.googleapis.com/{}", self.topic),
            "payload_format": if self.is_json { "JSON_API_V1" } else { "NONE" },
            "etag": self.id.to_string(),
            "selfLink": format!("{url}/storage/v1/b/{bucket}/notificationConfigs/{}", self.id),
        });
        if !self.events.is_empty() {
            view["event_types"] = self.events.clone().into();
        }
        if let Some(prefix) = &self.prefix {
            view["object_name_prefix"] = prefix.as_str().into();
        }
        if !self.attributes.is_empty() {
            view["custom_attributes"] = json!(self.attributes);
        }
        view
    }

    /// The message about an object, if this configuration wants it.
    pub(super) fn message(
        &self,
        bucket: &str,
        name: &str,
        generation: u64,
        event: Event,
        when: DateTime<Utc>,
        resource: &Value,
    ) -> Option<Message> {
        let is_wanted = self.is_for(event.name())
            && self
                .prefix
                .as_deref()
                .is_none_or(|prefix| name.starts_with(prefix));
        if !is_wanted {
            return None;
        }
        let mut attributes = self.attributes.clone();
        let mut add = |name: &str, value: String| attributes.insert(name.to_owned(), value);
        add(
            "notificationConfig",
            format!("projects/_/buckets/{bucket}/notificationConfigs/{}", self.id),
        );
        add("eventType", event.name().to_owned());
        add(
            "payloadFormat",
            if self.is_json { "JSON_API_V1" } else { "NONE" }.to_owned(),
        );
        add("bucketId", bucket.to_owned());
        add("objectId", name.to_owned());
        add("objectGeneration", generation.to_string());
        add("eventTime", when.to_rfc3339_opts(SecondsFormat::Micros, true));
        match event {
            Event::Finalize(Some(other)) => {
                add("overwroteGeneration", other.to_string());
            }
            Event::Delete(Some(other)) => {
                add("overwrittenByGeneration", other.to_string());
            }
            _ => {}
        }
        Some(Message {
            topic: self.topic.clone(),
            attributes,
            data: if self.is_json {
                Bytes::from(format!("{resource:#}"))
            } else {
                Bytes::new()
            },
        })
    }
}

/// A project's id: <https://cloud.google.com/resource-manager/docs/creating-managing-projects#before_you_begin>.
fn is_project(id: &str) -> bool {
    (6..=30).contains(&id.len())
        && id.starts_with(|first: char| first.is_ascii_lowercase())
        && !id.ends_with('-')
        && id
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// A topic's id: <https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names>.
fn is_topic(name: &str) -> bool {
    (3..=255).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && !name.starts_with("goog")
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.~+%".contains(&byte))
}

fn list<'a>(body: &'a Map<String, Value>, name: &str) -> Outcome<&'a [Value]> {
    match body.get(name) {
        None => Ok(&[]),
        Some(Value::Array(list)) => Ok(list),
        Some(_) => Err(Refusal::invalid(format!("{name} is a list."))),
    }
}

//! A subscription: to where, in which schema, and of which events. Read from the properties that a template gives it.

use chrono::Utc;
use nephos_core::Result;
use serde_json::{Map, Value, json};

use super::filter::Filter;
use crate::azure_functions::refused;

/// How events look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// Event Grid's own.
    EventGrid,
    /// CloudEvents 1.0.
    CloudEvents,
}

/// Where events go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A queue of the storage account.
    StorageQueue(String),
    /// A function's webhook, with its key (`http://127.0.0.1:80/runtime/webhooks/EventGrid?functionName=f&code=k`).
    Function {
        /// The address.
        webhook: String,
    },
}

/// A subscription of a topic.
#[derive(Debug, Clone)]
pub struct Subscription {
    pub(super) destination: Destination,
    pub(super) schema: Schema,
    pub(super) filter: Filter,
    pub(super) max_attempts: u32,
}

impl Subscription {
    /// All events, in this schema.
    #[must_use]
    pub fn new(destination: Destination, schema: Schema) -> Self {
        Self {
            destination,
            schema,
            filter: Filter::default(),
            max_attempts: 30,
        }
    }

    /// What a template's `properties` of an event subscription say. `webhook` gives the address of a function, by the end of its resource's id (`site/functions/name`).
    ///
    /// # Errors
    /// [`nephos_core::ErrorKind::InvalidArgument`] for a destination, an operator or a schema that is unknown here.
    pub fn from_properties(properties: &Value, webhook: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let destination = properties
            .get("destination")
            .or_else(|| properties.pointer("/deliveryWithResourceIdentity/destination"))
            .ok_or_else(|| refused("an event subscription has no `destination`".to_owned()))?;
        let place = |name: &str| {
            destination
                .get("properties")
                .and_then(|all| all.get(name))
                .and_then(Value::as_str)
        };
        let missing = |name: &str| {
            refused(format!(
                "the destination of an event subscription has no `{name}`"
            ))
        };
        let destination = match destination.get("endpointType").and_then(Value::as_str) {
            Some("StorageQueue") => {
                Destination::StorageQueue(place("queueName").ok_or_else(|| missing("queueName"))?.to_owned())
            }
            Some("AzureFunction") => {
                let id = place("resourceId").ok_or_else(|| missing("resourceId"))?;
                let name = id.split_once("/sites/").map_or(id, |(_, rest)| rest);
                Destination::Function {
                    webhook: webhook(name).ok_or_else(|| {
                        refused(format!(
                            "an event subscription goes to `{id}`, and no such function is known"
                        ))
                    })?,
                }
            }
            other => {
                return Err(refused(format!(
                    "the destination of an event subscription is of type `{}`; known are StorageQueue and AzureFunction",
                    other.unwrap_or_default()
                )));
            }
        };
        let schema = match properties.get("eventDeliverySchema").and_then(Value::as_str) {
            None | Some("EventGridSchema") => Schema::EventGrid,
            Some("CloudEventSchemaV1_0") => Schema::CloudEvents,
            Some(other) => {
                return Err(refused(format!(
                    "`eventDeliverySchema` is `{other}`, which is unknown here"
                )));
            }
        };
        let max_attempts = properties
            .pointer("/retryPolicy/maxDeliveryAttempts")
            .and_then(Value::as_u64)
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(30);
        Ok(Self {
            destination,
            schema,
            filter: Filter::read(properties.get("filter").unwrap_or(&Value::Null))?,
            max_attempts,
        })
    }
}

impl Schema {
    /// The events of a request to a topic that takes this schema, checked and completed.
    pub(super) fn events(
        self,
        content_type: &str,
        body: &[u8],
        topic: &str,
    ) -> std::result::Result<Vec<Value>, String> {
        let document: Value =
            serde_json::from_slice(body).map_err(|error| format!("the body is no JSON: {error}"))?;
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        let events = match (self, kind, document) {
            (Self::CloudEvents, "application/cloudevents+json", event @ Value::Object(_)) => vec![event],
            (Self::CloudEvents, "application/cloudevents-batch+json", Value::Array(events))
            | (Self::EventGrid, "application/json" | "application/json-seq", Value::Array(events)) => events,
            (_, kind, _) => return Err(format!("the topic takes no such document of type `{kind}`")),
        };
        events
            .into_iter()
            .map(|event| self.checked(event, topic))
            .collect()
    }

    fn checked(self, event: Value, topic: &str) -> std::result::Result<Value, String> {
        let Value::Object(mut event) = event else {
            return Err("an event is no object".to_owned());
        };
        let needed: &[&str] = match self {
            Self::CloudEvents => &["id", "source", "type", "specversion"],
            Self::EventGrid => &["id", "subject", "eventType", "eventTime"],
        };
        for name in needed {
            if event.get(*name).and_then(Value::as_str).is_none_or(str::is_empty) {
                return Err(format!("an event has no `{name}`"));
            }
        }
        match self {
            Self::CloudEvents if event["specversion"] != "1.0" => {
                return Err(format!(
                    "an event's specversion is {}, not \"1.0\"",
                    event["specversion"]
                ));
            }
            Self::CloudEvents => {}
            Self::EventGrid => {
                event.insert("topic".to_owned(), topic.into());
                event.entry("metadataVersion").or_insert_with(|| "1".into());
            }
        }
        Ok(Value::Object(event))
    }

    /// An event as it is delivered in this schema.
    #[must_use]
    pub fn converted(self, event: &Value) -> Value {
        if self == Self::EventGrid || event.get("specversion").is_some() {
            return event.clone();
        }
        let field = |name: &str| event.get(name).cloned().unwrap_or(Value::Null);
        json!({
            "id": field("id"),
            "source": field("topic"),
            "subject": field("subject"),
            "type": field("eventType"),
            "time": field("eventTime"),
            "data": field("data"),
            "specversion": "1.0",
        })
    }
}

/// A new event in Event Grid's schema.
pub(in crate::azure_functions) fn event(
    topic: &str,
    subject: &str,
    kind: &str,
    data: Map<String, Value>,
) -> Value {
    json!({
        "topic": topic,
        "subject": subject,
        "eventType": kind,
        "id": uuid::Uuid::new_v4().to_string(),
        "eventTime": Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
        "data": data,
        "dataVersion": "",
        "metadataVersion": "1",
    })
}

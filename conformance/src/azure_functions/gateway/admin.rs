//! `POST /admin/functions/<name>`: a function that no request calls is run by hand, with what its trigger would have brought:
//! <https://learn.microsoft.com/azure/azure-functions/functions-manually-run-non-http>.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{Answer, Gateway, answer};
use crate::azure_functions::event_hub::{self, bodies, columns};
use crate::azure_functions::invoke::{Bound, Input};
use crate::azure_functions::package::{BindingKind, Function};
use crate::azure_functions::{event_grid, service_bus, timer};
use crate::server::header;

/// What such paths begin with.
pub(super) const PATH: &str = "/admin/functions/";

impl Gateway {
    /// Begins an invocation, whose end nobody waits for.
    pub(super) fn run(&self, parts: &http::request::Parts, name: &str, body: &[u8]) -> Answer {
        let key = header(&parts.headers, "x-functions-key").unwrap_or_default();
        if self.keys.master.is_empty() || key != self.keys.master {
            return answer(StatusCode::UNAUTHORIZED, "");
        }
        if parts.method != http::Method::POST {
            return answer(StatusCode::METHOD_NOT_ALLOWED, "");
        }
        let Ok(Value::Object(fields)) = serde_json::from_slice(body) else {
            return answer(StatusCode::BAD_REQUEST, "");
        };
        let found = self
            .functions
            .iter()
            .find(|function| function.name.eq_ignore_ascii_case(name));
        let Some(function) = found.cloned() else {
            return answer(StatusCode::NOT_FOUND, "");
        };
        let text = match fields.get("input") {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        match self.by_hand(&function, text) {
            Some(input) => {
                let invoker = Arc::clone(&self.invoker);
                tokio::spawn(async move {
                    // Its failure is in the log.
                    let _ = invoker.invoke(&function, input).await;
                });
            }
            None => self.invoker.log.line(format!(
                "function `{}` failed: its trigger is a request, and cannot be run by hand",
                function.name
            )),
        }
        answer(StatusCode::ACCEPTED, "")
    }

    /// What a trigger makes of a text.
    fn by_hand(&self, function: &Function, text: String) -> Option<Input> {
        let trigger = &function.trigger;
        let value = |text: String| match trigger.binary {
            true => Bound::Bytes(text.into_bytes()),
            false => Bound::Text(text),
        };
        Some(match &trigger.kind {
            BindingKind::Http(_) => return None,
            BindingKind::Queue(_) => Input {
                value: value(text),
                metadata: message(),
            },
            BindingKind::Timer(timer) => timer::by_hand(&function.name, timer, &self.timers),
            BindingKind::EventGrid => event_grid::input(&serde_json::from_str(&text).unwrap_or_default()),
            BindingKind::Cosmos(_) => Input {
                value: Bound::Text(text),
                metadata: Vec::new(),
            },
            BindingKind::EventHub(hub) => {
                let event = [event(text)];
                let context = event_hub::context("", &hub.event_hub_name, &hub.consumer_group, 0);
                Input {
                    value: bodies(&event),
                    metadata: std::iter::once(context).chain(columns(&event)).collect(),
                }
            }
            BindingKind::ServiceBus(_) => {
                let message =
                    service_bus::Message::delivered(text.into_bytes(), Map::new(), Map::new(), Utc::now(), 0);
                service_bus::input(&message, trigger.binary)
            }
        })
    }
}

/// The metadata of a message that was never in a queue: it has no id, and was never taken from one (azure-sdk-for-net, `StringToStorageQueueMessageConverter`).
fn message() -> Vec<(String, Bound)> {
    let never = Bound::Moment(DateTime::<Utc>::MAX_UTC);
    [
        ("DequeueCount", Bound::Json(json!(0))),
        ("ExpirationTime", never.clone()),
        ("Id", Bound::Json(Value::Null)),
        ("InsertionTime", Bound::Moment(Utc::now())),
        ("NextVisibleTime", never),
        ("PopReceipt", Bound::Json(Value::Null)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn event(text: String) -> event_hub::Event {
    event_hub::Event {
        body: text.into_bytes(),
        properties: Map::new(),
        partition_key: None,
        content_type: None,
        enqueued: Utc::now(),
        sequence_number: 0,
        offset: 0,
    }
}

//! What the host hands a process, made without a host: for tests of what reads it.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::request::Parts;
use serde_json::{Map, Value};

use super::gateway::{Call, forward, wrap};
pub use super::invoke::Input;
use super::invoke::{Bound, document, own_headers, retry_context};
use super::storage::{Blob, Message, Properties};
use super::{cosmos, event_grid, event_hub, queue, service_bus, timer};

/// The name of a namespace in metadata.
const NAMESPACE: &str = "nephos.servicebus.windows.net";

impl Input {
    /// The body of the request `POST /<function>`, where the trigger has the name `binding`. `tries` is how often the host tried, where it tries again by itself.
    #[must_use]
    pub fn document(&self, function: &str, binding: &str, tries: Option<u32>) -> Bytes {
        let retry = tries.map(|tries| {
            let failure = (tries > 1).then(|| "the handler failed".to_owned());
            retry_context(tries.saturating_sub(1), None, failure)
        });
        document(function, binding, self, retry).to_string().into()
    }
}

/// A message of a Storage queue, as bytes (`"dataType": "binary"`) or as text.
#[must_use]
pub fn storage_queue(message: &Message, binary: bool) -> Input {
    queue::input(message, message.message_text.clone().into_bytes(), binary)
}

/// A message of Service Bus, for a trigger of one at a time.
#[must_use]
pub fn service_bus(message: &service_bus::Message) -> Input {
    service_bus::input(message, true)
}

/// Messages of Service Bus, for a trigger of many.
#[must_use]
pub fn service_bus_batch(messages: &[service_bus::Message]) -> Input {
    service_bus::batch(messages)
}

/// Events of one partition of a hub.
#[must_use]
pub fn event_hub(hub: &str, partition: usize, events: &[event_hub::Event]) -> Input {
    let context = event_hub::context(NAMESPACE, hub, "$Default", partition);
    Input {
        value: event_hub::bodies(events),
        metadata: std::iter::once(context)
            .chain(event_hub::columns(events))
            .collect(),
    }
}

/// Documents of a container of Cosmos DB.
#[must_use]
pub fn cosmos(documents: Vec<Value>) -> Input {
    cosmos::input(documents)
}

/// A timer that was due at `next`, and fired at `last` before.
#[must_use]
pub fn timer(last: DateTime<Utc>, next: DateTime<Utc>, is_past_due: bool) -> Input {
    let status = timer::Status {
        last,
        next,
        updated: last,
    };
    timer::input(true, Some(status), is_past_due)
}

/// An event, for `eventGridTrigger`.
#[must_use]
pub fn event_grid(event: &Value) -> Input {
    event_grid::input(event)
}

/// An event of a storage account in Event Grid's own schema: a blob was written, or deleted where it has no tag.
#[must_use]
pub fn blob_event(account: &str, container: &str, key: &str, etag: Option<&str>, length: u64) -> Value {
    let topic = format!(
        "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/test/providers/Microsoft.Storage/storageAccounts/{account}"
    );
    let subject = format!("/blobServices/default/containers/{container}/blobs/{key}");
    let kind = match etag {
        Some(_) => "Microsoft.Storage.BlobCreated",
        None => "Microsoft.Storage.BlobDeleted",
    };
    let blob = Blob {
        name: key.to_owned(),
        properties: Properties {
            etag: etag.unwrap_or_default().to_owned(),
            length,
            content_type: String::new(),
            blob_type: "BlockBlob".to_owned(),
        },
    };
    let url = format!("https://{account}.blob.core.windows.net/{container}/{key}");
    let data: Map<String, Value> = event_grid::data(etag.is_some(), &blob, &url, 1);
    event_grid::event(&topic, &subject, kind, data)
}

/// A request that the host wraps, whose route has these parameters.
#[must_use]
pub fn wrapped(parts: Parts, body: Bytes, parameters: Vec<(String, Option<String>)>) -> Input {
    wrap::input(&Call {
        parts,
        body,
        parameters,
    })
}

/// A request that the host forwards, as the process gets it.
///
/// # Errors
/// `http`'s, if the request has no such form.
pub fn forwarded(parts: Parts, body: Bytes) -> http::Result<http::Request<Bytes>> {
    let call = Call {
        parts,
        body,
        parameters: Vec::new(),
    };
    let (target, request) = forward::request(&call);
    let mut request = request.uri(target).body(call.body)?;
    own_headers(request.headers_mut());
    Ok(request)
}

/// A value of no trigger that the process knows.
#[must_use]
pub fn text(text: &str) -> Input {
    Input {
        value: Bound::Text(text.to_owned()),
        metadata: Vec::new(),
    }
}

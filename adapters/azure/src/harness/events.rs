//! Events as the Functions host hands them to a function's process, and as our host reads them.

mod callers;
mod records;

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Method;
use nephos_conformance::azure_functions::event_grid::Schema;
use nephos_conformance::azure_functions::inputs::{self, Input};
use nephos_conformance::happening::{
    Asked, Delivered, EVERY_MORNING, Happening, ITEM_KEYS, Native, ROUTE, What,
};
use nephos_core::app::{ObjectEventKind, Trigger};
use nephos_core::event::cloudevents::to_cloudevents;
use nephos_core::event::{AuthStage, Body, BufferedRequest, ChangeKind, Data, Event, ObjectEvent, Tick};
use nephos_core::route::{RouteSpec, Routes};
use nephos_core::wiring::{TableKeys, Wiring};
use nephos_core::{Error, ErrorKind, Result};
use serde_json::Value;

use crate::events::http::{Routed, Told, decode_forwarded, decode_wrapped, invocation_id};
use crate::events::{self, auth, email, voice};
use crate::package::{AUTH_PATH, HTTP, MAIL_PATH, VOICE_PATH};

/// The name that deployment gives a trigger's value.
const EVENT: &str = "event";
/// The storage account of the events.
const ACCOUNT: &str = "shop1a2b3c4d";
/// The id of the skill `kitchen`.
const SKILL: &str = "amzn1.ask.skill.kitchen-1x2y";

/// What Azure has no payload of.
fn unsupported(message: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, "harness.native", message)
}

/// The payloads that Azure has for it.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for what it has none of.
pub(super) fn native(happening: &Happening) -> Result<Vec<Native>> {
    let tries = Some(happening.attempt);
    Ok(match &happening.what {
        What::Http(asked) => requests(asked)?,
        What::Bucket(event) => blobs(happening, event),
        What::Queue(messages) => records::queue(messages)?,
        What::Topic(notification) => {
            let event = Event::of(Data::Topic(notification.clone()));
            let written = to_cloudevents(&event)?;
            let event = serde_json::to_string(&written.first()).map_err(|error| {
                Error::new(
                    ErrorKind::Internal,
                    "harness.native",
                    "the event cannot be written",
                )
                .caused_by(error)
            })?;
            vec![invocation(
                "an inbox",
                "topic",
                &records::delivered(&event, happening),
                None,
            )]
        }
        What::Stream(entries) => vec![invocation(
            "Event Hubs",
            "stream",
            &records::stream(entries)?,
            tries,
        )],
        What::Table(changes) => records::table(changes)?
            .into_iter()
            .map(|(form, input)| invocation(form, "table", &input, tries))
            .collect(),
        What::Schedule(Tick { due_at, past_due, .. }) => {
            let last = *due_at - chrono::Duration::days(1);
            vec![invocation(
                "a timer",
                "schedule",
                &inputs::timer(last, *due_at, *past_due),
                tries,
            )]
        }
        What::Email(email) => callers::email(email)?,
        What::Auth(step) => vec![callers::auth(happening, step)?],
        What::Voice(request) => vec![callers::voice(happening, request, SKILL)?],
        What::Raw(_) => {
            return Err(unsupported(
                "a function app is called by its triggers and by nothing else",
            ));
        }
    })
}

/// As the Functions host calls the process.
fn invocation(form: &'static str, function: &str, input: &Input, tries: Option<u32>) -> Native {
    let mut message = http::Request::new(input.document(function, EVENT, tries));
    *message.method_mut() = Method::POST;
    *message.uri_mut() = format!("/{function}").parse().unwrap_or_default();
    Native {
        form,
        message,
        is_document: true,
    }
}

/// Forwarded, as in every site of requests; and wrapped, as a site of both kinds had them.
fn requests(asked: &Asked) -> Result<Vec<Native>> {
    let forwarded = inputs::forwarded(asked.parts.clone(), asked.body.clone())
        .map_err(|error| unsupported("the request has no form in which it is forwarded").caused_by(error))?;
    let path = asked.parts.uri.path().trim_start_matches('/').to_owned();
    let parameters = vec![("path".to_owned(), Some(path))];
    let wrapped = inputs::wrapped(asked.parts.clone(), asked.body.clone(), parameters);
    Ok(vec![
        Native {
            form: "forwarded",
            message: forwarded,
            is_document: false,
        },
        invocation("wrapped", HTTP, &wrapped, None),
    ])
}

/// An event of a storage account, in both schemas, through the function's inbox. By Event Grid's own trigger, which deployment does not use, it tells nothing of tries.
fn blobs(happening: &Happening, event: &ObjectEvent) -> Vec<Native> {
    let object = event.object();
    let etag = match event {
        ObjectEvent::Created(_) => object.etag.as_deref().or(Some("")),
        ObjectEvent::Deleted(_) => None,
    };
    let container = format!("nephos-{}", object.bucket);
    let length = object.size.unwrap_or_default();
    let mut document = inputs::blob_event(ACCOUNT, &container, &object.key, etag, length);
    document["id"] = happening.id.as_str().into();
    document["eventTime"] = happening.at.to_rfc3339().into();
    let cloud_event = Schema::CloudEvents.converted(&document);
    let mut natives = Vec::new();
    for (form, document) in [
        ("an inbox, Event Grid's schema", &document),
        ("an inbox, CloudEvents", &cloud_event),
    ] {
        let input = records::delivered(&document.to_string(), happening);
        natives.push(invocation(form, "bucket", &input, None));
    }
    if happening.attempt == 1 {
        for (form, document) in [
            ("eventGridTrigger, its schema", &document),
            ("eventGridTrigger, CloudEvents", &cloud_event),
        ] {
            natives.push(invocation(form, "bucket", &inputs::event_grid(document), None));
        }
    }
    natives
}

/// As our host reads it.
///
/// # Errors
/// The host's.
pub(super) fn decode(native: &Native) -> Result<Vec<Delivered>> {
    let (parts, body) = native.message.clone().into_parts();
    let path = parts.uri.path().to_owned();
    let one = |event: Event| Ok(vec![Delivered { event, attempt: 1 }]);
    if path == MAIL_PATH {
        return one(email::decode(&BufferedRequest { parts, body })?);
    }
    if let Some(stage) = path.strip_prefix(AUTH_PATH) {
        return one(auth::decode(&stage_of(stage), &body)?);
    }
    if let Some(skill) = path.strip_prefix(VOICE_PATH) {
        return one(voice::decode(skill, &wiring(), &body)?);
    }
    let name = path.trim_matches('/');
    let routed = if name == HTTP {
        decode_wrapped(&body, invocation_id(&parts.headers), &routes()?)?
    } else if let Some(trigger) = triggers().get(name) {
        let decoded = events::decode(trigger, &wiring(), &body)?;
        let told = decoded.attempt.unwrap_or(1);
        let delivered = decoded.events.into_iter().map(|event| {
            // The tries of a batch our host counts itself, record by record.
            let attempt = match event.data {
                Data::Stream(_) | Data::Table(_) => 1,
                _ => told,
            };
            Delivered { event, attempt }
        });
        return Ok(delivered.collect());
    } else {
        let mut request = http::Request::from_parts(parts, Body::from(body));
        let told = Told::take(request.headers_mut());
        decode_forwarded(request, told.id, &routes()?)
    };
    match routed {
        Routed::To(event) => one(event),
        Routed::Refused(response) => Err(Error::new(
            ErrorKind::NotFound,
            "harness.events",
            "the request was refused before the handler",
        )
        .with("status", response.status())),
    }
}

fn stage_of(name: &str) -> AuthStage {
    serde_json::from_value(Value::from(name)).unwrap_or(AuthStage::Other(name.to_owned()))
}

fn triggers() -> BTreeMap<&'static str, Trigger> {
    [
        (
            "bucket",
            Trigger::Bucket {
                bucket: "photos".to_owned(),
                event: ObjectEventKind::Any,
                prefix: String::new(),
                suffix: String::new(),
            },
        ),
        (
            "queue",
            Trigger::Queue {
                queue: "jobs".to_owned(),
                batch: 10,
            },
        ),
        (
            "topic",
            Trigger::Topic {
                topic: "news".to_owned(),
                filter: BTreeMap::new(),
            },
        ),
        (
            "stream",
            Trigger::Stream {
                stream: "readings".to_owned(),
                batch: 10,
            },
        ),
        (
            "table",
            Trigger::Table {
                table: "items".to_owned(),
                events: [ChangeKind::Inserted, ChangeKind::Modified, ChangeKind::Removed].into(),
                batch: 10,
            },
        ),
        (
            "schedule",
            Trigger::Schedule {
                schedule: EVERY_MORNING.to_owned(),
                every: None,
                timezone: "UTC".to_owned(),
            },
        ),
    ]
    .into()
}

/// What deployment tells the process of what it watches.
fn wiring() -> Wiring {
    let (key, sort) = ITEM_KEYS;
    let keys = TableKeys {
        key: key.to_owned(),
        sort: Some(sort.to_owned()),
    };
    let sources = [("nephos-photos", "photos"), (SKILL, "kitchen")];
    Wiring {
        sources: sources
            .map(|(physical, name)| (physical.to_owned(), name.to_owned()))
            .into(),
        table_keys: [("items".to_owned(), keys)].into(),
        ..Wiring::default()
    }
}

fn routes() -> Result<Routes<()>> {
    let (method, path) = ROUTE;
    let route = RouteSpec {
        method: Some(method.to_owned()),
        path: path.to_owned(),
    };
    Routes::of("probe", [route])
}

/// A request with a body.
fn posted(path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Result<http::Request<Bytes>> {
    let mut request = http::Request::post(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request
        .body(body.into())
        .map_err(|error| unsupported("the event has no form as a request").caused_by(error))
}

//! Events as Google's services send them to a service of Cloud Run, and as our host reads them.
//!
//! The requests are written by what Google documents of each, not by what the decoders read. Not made are the forms that cannot say all that a message has, so that deployment asks for none of
//! them: an unwrapped push and a task of Cloud Tasks, which have no attributes apart from a request's other headers.

mod callers;
mod documents;
mod messages;

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderValue, Method};
use nephos_conformance::happening::{
    Asked, Delivered, EVERY_MORNING, Happening, ITEM_KEYS, Native, ROUTE, What,
};
use nephos_core::app::{ObjectEventKind, Trigger};
use nephos_core::event::{Body, BufferedRequest, ChangeKind, Event, Tick};
use nephos_core::route::{RouteSpec, Routes};
use nephos_core::wiring::{TableKeys, Wiring};
use nephos_core::{Error, ErrorKind, Result};

use crate::events::http::Routed;
use crate::events::{self, email, voice};
use crate::wiring::{AUTH_PATH, Caller, Form, MAIL_PATH, Source, VOICE_PATH};

/// The project of all that sends events.
const PROJECT: &str = "shop-tests";
/// The bucket `photos`.
const BUCKET: &str = "nephos-photos-1x2y";
/// The id of the skill `kitchen`.
const SKILL: &str = "amzn1.ask.skill.kitchen-1x2y";

/// What Google Cloud has no payload of.
fn unsupported(message: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, "harness.native", message)
}

/// The requests that Google Cloud has for it.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for what it has none of.
pub(super) fn native(happening: &Happening) -> Result<Vec<Native>> {
    match &happening.what {
        What::Http(asked) => requests(happening, asked),
        What::Bucket(event) => messages::bucket(happening, event),
        What::Queue(messages) => messages::queue(alone(messages)?),
        What::Topic(notification) => messages::topic(happening, notification),
        What::Stream(records) => messages::stream(happening, alone(records)?),
        What::Table(changes) => documents::table(alone(changes)?),
        What::Schedule(tick) => schedule(tick),
        What::Email(email) => callers::email(email),
        What::Auth(step) => Ok(vec![callers::auth(happening, step)?]),
        What::Voice(request) => Ok(vec![callers::voice(happening, request)?]),
        What::Raw(_) => Err(unsupported(
            "a service is called by its clients and its triggers, and by nothing else",
        )),
    }
}

/// A push, or a change, is of one.
fn alone<T>(records: &[T]) -> Result<&T> {
    match records {
        [record] => Ok(record),
        _ => Err(unsupported(
            "Pub/Sub and Eventarc send each message and each change in a request of its own",
        )),
    }
}

/// As a client's request comes, with the headers that Cloud Run adds: <https://cloud.google.com/run/docs/container-contract>.
fn requests(happening: &Happening, asked: &Asked) -> Result<Vec<Native>> {
    let mut parts = asked.parts.clone();
    // What the route says of it is not on the wire.
    parts.extensions = http::Extensions::new();
    let trace = happening.id.replace('-', "");
    let forwarded = "for=\"203.0.113.7\";proto=https".to_owned();
    for (name, value) in [
        ("x-forwarded-for", "203.0.113.7".to_owned()),
        ("x-forwarded-proto", "https".to_owned()),
        ("forwarded", forwarded),
        ("x-cloud-trace-context", format!("{trace}/1;o=1")),
    ] {
        let value = HeaderValue::from_str(&value)
            .map_err(|error| unsupported("the header has no form in a request").caused_by(error))?;
        parts.headers.append(name, value);
    }
    Ok(vec![Native {
        form: "Cloud Run",
        message: http::Request::from_parts(parts, asked.body.clone()),
        is_document: false,
    }])
}

/// A job's request: <https://cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs#HttpTarget>. Its body is whatever the job says.
fn schedule(tick: &Tick) -> Result<Vec<Native>> {
    let due = tick.due_at.to_rfc3339();
    let headers = [
        ("user-agent", "Google-Cloud-Scheduler"),
        ("x-cloudscheduler", "true"),
        ("x-cloudscheduler-jobname", "nephos-morning-1x2y"),
        ("x-cloudscheduler-scheduletime", &due),
        ("content-type", "application/octet-stream"),
    ];
    let message = posted(&path_of("morning")?, &headers, Bytes::new())?;
    Ok(vec![Native {
        form: "Cloud Scheduler",
        message,
        is_document: false,
    }])
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
        return one(callers::step(stage, &body)?);
    }
    if let Some(skill) = path.strip_prefix(VOICE_PATH) {
        return one(voice::decode(skill, &wiring(), &body)?);
    }
    let sources = sources();
    if let Some((_, source)) = sources.iter().find(|(name, source)| source.path(name) == path) {
        let decoded = events::decode(source, &wiring(), &parts.headers, &body)?;
        let attempt = decoded.attempt.unwrap_or(1);
        let delivered = decoded.event.map(|event| Delivered { event, attempt });
        return Ok(delivered.into_iter().collect());
    }
    let request = http::Request::from_parts(parts, Body::from(body));
    match events::http::decode(request, &routes()?) {
        Routed::To(event) => one(event),
        Routed::Refused(response) => Err(Error::new(
            ErrorKind::NotFound,
            "harness.events",
            "the request was refused before the handler",
        )
        .with("status", response.status())),
    }
}

/// What deployment tells of each trigger, by the name that its path ends with: what comes by Pub/Sub, also by Eventarc.
fn sources() -> BTreeMap<&'static str, Source> {
    let bucket = Trigger::Bucket {
        bucket: "photos".to_owned(),
        event: ObjectEventKind::Any,
        prefix: String::new(),
        suffix: String::new(),
    };
    let queue = Trigger::Queue {
        queue: "jobs".to_owned(),
        batch: 1,
    };
    let topic = Trigger::Topic {
        topic: "news".to_owned(),
        filter: BTreeMap::new(),
    };
    let stream = Trigger::Stream {
        stream: "readings".to_owned(),
        batch: 1,
    };
    let table = Trigger::Table {
        table: "items".to_owned(),
        events: [ChangeKind::Inserted, ChangeKind::Modified, ChangeKind::Removed].into(),
        batch: 1,
    };
    let schedule = Trigger::Schedule {
        schedule: EVERY_MORNING.to_owned(),
        every: None,
        timezone: "UTC".to_owned(),
    };
    [
        ("photos", bucket.clone(), Form::Push),
        ("photos-eventarc", bucket, Form::CloudEvent),
        ("jobs", queue.clone(), Form::Push),
        ("jobs-eventarc", queue, Form::CloudEvent),
        ("news", topic.clone(), Form::Push),
        ("news-eventarc", topic, Form::CloudEvent),
        ("readings", stream.clone(), Form::Push),
        ("readings-eventarc", stream, Form::CloudEvent),
        ("items", table, Form::CloudEvent),
        ("morning", schedule, Form::Scheduler),
    ]
    .into_iter()
    .map(|(name, trigger, by)| {
        let source = Source {
            trigger,
            by,
            caller: Caller::Platform,
        };
        (name, source)
    })
    .collect()
}

/// Where the requests of a trigger are sent.
fn path_of(name: &str) -> Result<String> {
    let sources = sources();
    let source = sources.get(name);
    source.map(|source| source.path(name)).ok_or_else(|| {
        Error::new(
            ErrorKind::Internal,
            "harness.native",
            "there is no trigger of this name",
        )
        .with("trigger", name)
    })
}

/// What deployment tells the process of what it watches.
fn wiring() -> Wiring {
    let (key, sort) = ITEM_KEYS;
    let keys = TableKeys {
        key: key.to_owned(),
        sort: Some(sort.to_owned()),
    };
    Wiring {
        sources: [(BUCKET, "photos"), (SKILL, "kitchen")]
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
    let mut request = http::Request::builder().method(Method::POST).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request
        .body(body.into())
        .map_err(|error| unsupported("the event has no form as a request").caused_by(error))
}

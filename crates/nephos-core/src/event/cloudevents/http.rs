//! HTTP requests whose body was read whole, so that one can be kept, sent again or made by hand.

use std::collections::BTreeMap;

use super::{CloudEvent, attributes, body, build, builder, extension, json_extension, json_text};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Attributes, Body, BufferedRequest, Data, Event};
use crate::handler::PathParams;

const METHOD: &str = "method";
const URI: &str = "uri";
const VERSION: &str = "httpversion";
/// A JSON list of pairs. A value's bytes are written as the characters of the same numbers, as not all of them need be UTF-8.
const HEADERS: &str = "headers";
/// The route's parameters, a JSON object of text.
const PATH_PARAMS: &str = "pathparams";

const OWN: [&str; 6] = [METHOD, URI, VERSION, HEADERS, PATH_PARAMS, body::BODY_TYPE];

const VERSIONS: [(&str, ::http::Version); 5] = [
    ("0.9", ::http::Version::HTTP_09),
    ("1.0", ::http::Version::HTTP_10),
    ("1.1", ::http::Version::HTTP_11),
    ("2", ::http::Version::HTTP_2),
    ("3", ::http::Version::HTTP_3),
];

/// Writes a request as a CloudEvent of the type [`HTTP_REQUEST`](super::HTTP_REQUEST).
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] if `attributes` are of another type, or not what CloudEvents allow.
pub fn request_to_cloudevent(attributes: &Attributes, request: &BufferedRequest) -> Result<CloudEvent> {
    if attributes.ty != super::HTTP_REQUEST {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "cloudevents.encode",
            "the event's type is another than that of its data",
        )
        .with("type", &attributes.ty)
        .with("expected", super::HTTP_REQUEST));
    }
    let parts = &request.parts;
    let headers: Vec<(&str, String)> = parts
        .headers
        .iter()
        .map(|(name, value)| {
            let value = value.as_bytes().iter().copied().map(char::from).collect();
            (name.as_str(), value)
        })
        .collect();
    let version = VERSIONS
        .iter()
        .find(|(_, version)| *version == parts.version)
        .map_or("1.1", |(text, _)| text);
    let mut builder = builder(attributes, &OWN)?
        .extension(METHOD, parts.method.as_str())
        .extension(URI, parts.uri.to_string())
        .extension(VERSION, version)
        .extension(HEADERS, json_text(&headers)?);
    if let Some(PathParams(params)) = parts.extensions.get() {
        builder = builder.extension(PATH_PARAMS, json_text(params)?);
    }
    let content_type = parts
        .headers
        .get(::http::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    build(body::put(builder, content_type, &request.body), attributes)
}

pub(super) fn decode(mut event: CloudEvent) -> Result<Event> {
    let mut request = ::http::Request::builder();
    if let Some(method) = extension(&event, METHOD) {
        request = request.method(method.as_str());
    }
    if let Some(uri) = extension(&event, URI) {
        request = request.uri(uri);
    }
    let version = extension(&event, VERSION);
    if let Some((_, version)) = VERSIONS
        .iter()
        .find(|(text, _)| version.as_deref() == Some(*text))
    {
        request = request.version(*version);
    }
    let headers: Vec<(String, String)> = json_extension(&event, HEADERS)?.unwrap_or_default();
    for (name, value) in headers {
        let value = value
            .chars()
            .map(|character| u8::try_from(u32::from(character)))
            .collect::<std::result::Result<Vec<u8>, _>>()
            .map_err(unreadable)?;
        request = request.header(name, value);
    }
    let params: Option<BTreeMap<String, String>> = json_extension(&event, PATH_PARAMS)?;
    if let Some(params) = params {
        request = request.extension(PathParams(params));
    }
    let (_, bytes) = body::take(&mut event)?;
    let request = request.body(Body::from(bytes)).map_err(unreadable)?;
    Ok(Event::new(attributes(&event, &OWN), Data::Http(request)))
}

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(
        ErrorKind::Decode,
        "cloudevents.decode",
        "the event does not hold an HTTP request",
    )
    .caused_by(error)
}

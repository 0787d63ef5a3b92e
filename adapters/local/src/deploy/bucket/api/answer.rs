//! Answers of the buckets' part of the resource API.

use axum::body::Body;
use axum::response::Response;
use futures::TryStreamExt as _;
use http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue, StatusCode};
use nephos_core::{Error, ErrorKind, Result};
use object_store::{Attribute, AttributeValue};
use serde::Serialize;

use super::super::content::{Content, range_error};
use crate::resources::bucket::{MODIFIED, WrittenReply, insert, quote, write_attributes};
use crate::wire::{JSON, PROBLEM_JSON, problem, status_of_kind};

/// What an object's media type is when nobody has said so and its key does not tell.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// An error, as problem details.
pub(super) fn refusal(error: &Error) -> Response {
    let size = range_error(error);
    let status = match size {
        Some(_) => StatusCode::RANGE_NOT_SATISFIABLE,
        None => status_of_kind(error.kind()),
    };
    let mut response = Response::new(Body::from(problem(error, status)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    if let Some(size) = size
        && let Ok(value) = HeaderValue::try_from(format!("bytes */{size}"))
    {
        headers.insert(CONTENT_RANGE, value);
    }
    response
}

/// Nothing to say.
pub(super) fn done() -> Response {
    status(StatusCode::NO_CONTENT)
}

pub(super) fn not_modified() -> Response {
    status(StatusCode::NOT_MODIFIED)
}

fn status(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

pub(super) fn json(reply: &impl Serialize) -> Result<Response> {
    let bytes = serde_json::to_vec(reply).map_err(|error| {
        Error::new(
            ErrorKind::Internal,
            "bucket.answer",
            "the answer has no JSON form",
        )
        .caused_by(error)
    })?;
    let mut response = Response::new(Body::from(bytes));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    Ok(response)
}

/// The answer to a write: the etag in the header where everybody looks for it, and in the body.
pub(super) fn written(reply: &WrittenReply) -> Result<Response> {
    let mut response = json(reply)?;
    insert(response.headers_mut(), ETAG, &quote(&reply.etag), "bucket.put")?;
    Ok(response)
}

/// An object, whole or a range of it.
pub(super) fn content(mut content: Content, ranged: bool) -> Result<Response> {
    const OPERATION: &str = "bucket.get";
    let mut headers = HeaderMap::new();
    if content.attributes.get(&Attribute::ContentType).is_none() {
        content
            .attributes
            .insert(Attribute::ContentType, AttributeValue::from(UNKNOWN_TYPE));
    }
    write_attributes(&content.attributes, &mut headers, OPERATION)?;
    let (meta, range) = (&content.meta, &content.range);
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CONTENT_LENGTH, (range.end - range.start).into());
    if let Some(etag) = &meta.e_tag {
        insert(&mut headers, ETAG, &quote(etag), OPERATION)?;
    }
    let modified = meta.last_modified;
    insert(
        &mut headers,
        LAST_MODIFIED,
        &modified.format("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        OPERATION,
    )?;
    insert(&mut headers, MODIFIED, &modified.to_rfc3339(), OPERATION)?;
    // An empty range has no last byte to name.
    let partial = ranged && range.start < range.end;
    if partial {
        let value = format!("bytes {}-{}/{}", range.start, range.end - 1, meta.size);
        insert(&mut headers, CONTENT_RANGE, &value, OPERATION)?;
    }
    let stream = content.stream.map_err(Error::from);
    let mut response = Response::new(Body::from_stream(stream));
    if partial {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    *response.headers_mut() = headers;
    Ok(response)
}

//! Inserts with content: simple, multipart, and the beginning of resumable ones. <https://cloud.google.com/storage/docs/json_api/v1/objects/insert>

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode};
use memchr::memmem;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::reply;
use super::resource::{self, Purpose};
use super::resumable::{self, Session};
use crate::gcs::error::{Outcome, Refusal};
use crate::gcs::hash::Expected;
use crate::gcs::names;
use crate::gcs::object::{Metadata, New};
use crate::gcs::preconditions::{Preconditions, TARGET};
use crate::gcs::request::{Asked, object};
use crate::gcs::state::Shared;
use crate::server::{self, Answer};

/// Answers at the address of uploads.
pub(super) fn answer(shared: &Shared, asked: &Asked, bucket: &str) -> Outcome<Answer> {
    if let Some(id) = asked.query.get("upload_id") {
        return resumable::answer(shared, asked, bucket, id);
    }
    if asked.method != Method::POST {
        return Err(Refusal::method());
    }
    asked.query.only_json(&[
        "contentEncoding",
        "name",
        "projection",
        TARGET[0],
        TARGET[1],
        TARGET[2],
        TARGET[3],
    ])?;
    match asked.query.get("uploadType") {
        Some("media") => {
            asked.only_headers(&["x-goog-hash"])?;
            let content_type = asked.owned("content-type")?;
            let expected = Expected::headers(asked)?;
            insert(
                shared,
                asked,
                bucket,
                &Map::new(),
                content_type,
                expected,
                asked.body.clone(),
            )
        }
        Some("multipart") => {
            asked.only_headers(&["x-goog-hash"])?;
            let (body, content_type, content) = parts(asked)?;
            let expected = Expected::headers(asked)?;
            insert(shared, asked, bucket, &body, content_type, expected, content)
        }
        Some("resumable") => begin(shared, asked, bucket),
        Some(other) => Err(Refusal::parameter(
            "uploadType",
            format!("'{other}' is none of them"),
        )),
        None => Err(Refusal::required("uploadType")),
    }
}

fn insert(
    shared: &Shared,
    asked: &Asked,
    bucket: &str,
    body: &Map<String, Value>,
    content_type: Option<String>,
    mut expected: Expected,
    content: Bytes,
) -> Outcome<Answer> {
    let (name, metadata) = described(asked, bucket, body, content_type)?;
    expected.resource(body)?;
    expected.check(&content)?;
    let conditions = Preconditions::query(&asked.query, TARGET)?;
    let new = New {
        content,
        metadata,
        has_md5: true,
        components: None,
    };
    let mut state = shared.lock();
    let made = state.write(bucket, &name, new, &conditions)?;
    let view = resource::view(&state.url, bucket, &made);
    drop(state);
    reply(asked, view)
}

/// What the object is called, and what is said of it.
fn described(
    asked: &Asked,
    bucket: &str,
    body: &Map<String, Value>,
    content_type: Option<String>,
) -> Outcome<(String, Metadata)> {
    let name = asked
        .query
        .get("name")
        .or_else(|| body.get("name").and_then(Value::as_str))
        .ok_or_else(|| Refusal::required("name"))?;
    names::object(name)?;
    let is = json!({"kind": "storage#object", "bucket": bucket, "name": name});
    let mut metadata = resource::metadata(body, Metadata::default(), &is, Purpose::New)?;
    if metadata.content_type.is_none() {
        metadata.content_type = content_type;
    }
    if let Some(encoding) = asked.query.get("contentEncoding") {
        metadata.content_encoding = Some(encoding.to_owned());
    }
    metadata.check()?;
    Ok((name.to_owned(), metadata))
}

/// A resource and a content in one body: `multipart/related`, with two parts, or with checksums behind them.
fn parts(asked: &Asked) -> Outcome<(Map<String, Value>, Option<String>, Bytes)> {
    let malformed = |what: &str| {
        Refusal::new(
            400,
            "badContent",
            "InvalidArgument",
            format!("Malformed multipart body: {what}."),
        )
    };
    let kind = asked.header("content-type")?.unwrap_or_default();
    let boundary = kind
        .split(';')
        .map(str::trim)
        .find_map(|one| one.strip_prefix("boundary="))
        .map(|value| value.trim_matches('"'))
        .filter(|value| !value.is_empty() && kind.to_ascii_lowercase().starts_with("multipart/related"))
        .ok_or_else(|| malformed("the content type is multipart/related, with a boundary"))?;
    let first = format!("--{boundary}\r\n");
    let between = format!("\r\n--{boundary}");
    let body = &asked.body;
    let mut at = match body.strip_prefix(first.as_bytes()) {
        Some(_) => first.len(),
        None => return Err(malformed("it does not begin with its boundary")),
    };
    let mut found = Vec::new();
    loop {
        let rest = body.get(at..).unwrap_or_default();
        let end = memmem::find(rest, between.as_bytes()).ok_or_else(|| malformed("a part has no end"))?;
        found.push(body.slice(at..at + end));
        at += end + between.len();
        let rest = body.get(at..).unwrap_or_default();
        if let Some(after) = rest.strip_prefix(b"--") {
            if !after.is_empty() && after != b"\r\n" {
                return Err(malformed("something follows its end"));
            }
            break;
        }
        if !rest.starts_with(b"\r\n") {
            return Err(malformed("a boundary does not end its line"));
        }
        at += 2;
    }
    let split = |bytes: &Bytes| part(bytes).ok_or_else(|| malformed("a part has no headers"));
    let parts = found.iter().map(split).collect::<Outcome<Vec<_>>>()?;
    let resource_of = |(kind, content): &(Option<String>, Bytes), what: &str| {
        let is_json = kind
            .as_deref()
            .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("application/json"));
        if is_json {
            object(content)
        } else {
            Err(malformed(&format!("{what} is application/json")))
        }
    };
    let (resource, (kind, content), sums) = match parts.as_slice() {
        [resource, media] => (resource, media, None),
        // A client that reads its content once knows the checksums behind it.
        [resource, media, sums] => (resource, media, Some(sums)),
        _ => return Err(malformed("it has two parts, the resource and the content")),
    };
    let mut resource = resource_of(resource, "the first part")?;
    if let Some(sums) = sums {
        for (name, value) in resource_of(sums, "the part of the checksums")? {
            if !["crc32c", "md5Hash"].contains(&name.as_str()) || resource.contains_key(&name) {
                return Err(Refusal::not_built(format!(
                    "the field '{name}' behind the content"
                )));
            }
            resource.insert(name, value);
        }
    }
    Ok((resource, kind.clone(), content.clone()))
}

/// The content type and the content of a part.
fn part(bytes: &Bytes) -> Option<(Option<String>, Bytes)> {
    let (headers, start) = if bytes.starts_with(b"\r\n") {
        ("", 2)
    } else {
        let end = memmem::find(bytes, b"\r\n\r\n")?;
        (std::str::from_utf8(bytes.get(..end)?).ok()?, end + 4)
    };
    let kind = headers
        .split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        .map(|(_, value)| value.trim().to_owned());
    Some((kind, bytes.slice(start..)))
}

/// Begins a session: <https://cloud.google.com/storage/docs/performing-resumable-uploads#initiate-session>.
fn begin(shared: &Shared, asked: &Asked, bucket: &str) -> Outcome<Answer> {
    asked.only_headers(&["x-upload-content-type", "x-upload-content-length"])?;
    let body = asked.object()?;
    let (name, metadata) = described(asked, bucket, &body, asked.owned("x-upload-content-type")?)?;
    let mut expected = Expected::default();
    expected.resource(&body)?;
    let total = asked
        .header("x-upload-content-length")?
        .map(|text| {
            text.parse()
                .map_err(|_| Refusal::invalid(format!("X-Upload-Content-Length is no length: '{text}'.")))
        })
        .transpose()?;
    let conditions = Preconditions::query(&asked.query, TARGET)?;
    let id = uuid::Uuid::new_v4().simple().to_string();
    let mut state = shared.lock();
    state.bucket(bucket)?;
    let location = format!(
        "{}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&name={}&upload_id={id}",
        asked.origin(shared),
        utf8_percent_encode(&name, NON_ALPHANUMERIC)
    );
    state.sessions.insert(
        id.clone(),
        Session::new(bucket, &name, metadata, conditions, expected, total),
    );
    drop(state);
    let mut answer = server::answer(StatusCode::OK, "");
    if let Ok(value) = HeaderValue::from_str(&location) {
        answer.headers_mut().insert(http::header::LOCATION, value);
    }
    Ok(answer)
}

//! Objects: put, get, head, delete, copy. <https://cloud.google.com/storage/docs/xml-api/put-object-upload> and its neighbours.

use chrono::SecondsFormat;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde::Serialize;

use super::only;
use super::write::{Document, NAMESPACE};
use crate::gcs::error::{Interface, Outcome, Refusal};
use crate::gcs::hash::{self, Expected};
use crate::gcs::object::{Metadata, New, Object};
use crate::gcs::preconditions::Preconditions;
use crate::gcs::range;
use crate::gcs::request::{Asked, decode};
use crate::gcs::state::Shared;
use crate::server::{self, Answer};

const META: &str = "x-goog-meta-";
/// Headers that describe an object.
pub(super) const DESCRIBING: [&str; 6] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "x-goog-storage-class",
    META,
];
const CONDITIONS: [&str; 2] = ["x-goog-if-generation-match", "x-goog-if-metageneration-match"];
/// Of signed URLs; it is checked with them.
pub(super) const PAYLOAD: &str = "x-goog-content-sha256";

/// What a request's headers say of an object.
pub(super) fn described(asked: &Asked) -> Outcome<Metadata> {
    let mut metadata = Metadata {
        content_type: asked.owned("content-type")?,
        content_encoding: asked.owned("content-encoding")?,
        content_disposition: asked.owned("content-disposition")?,
        content_language: asked.owned("content-language")?,
        cache_control: asked.owned("cache-control")?,
        storage_class: asked.owned("x-goog-storage-class")?,
        ..Metadata::default()
    };
    for name in asked.headers.keys().map(HeaderName::as_str) {
        if let Some(key) = name.strip_prefix(META) {
            let value = asked.owned(name)?.unwrap_or_default();
            metadata.custom.insert(key.to_owned(), value);
        }
    }
    metadata.check()?;
    Ok(metadata)
}

pub(super) fn put(shared: &Shared, asked: &Asked, bucket: &str, name: &str) -> Outcome<Answer> {
    only(asked, &[])?;
    let mut known = vec!["content-md5", "x-goog-hash", PAYLOAD];
    known.extend(DESCRIBING);
    known.extend(CONDITIONS);
    asked.only_headers(&known)?;
    let conditions = Preconditions::headers(asked, "x-goog-")?;
    let metadata = described(asked)?;
    Expected::headers(asked)?.check(&asked.body)?;
    let new = New {
        content: asked.body.clone(),
        metadata,
        has_md5: true,
        components: None,
    };
    let made = shared.lock().write(bucket, name, new, &conditions)?;
    let mut answer = server::answer(StatusCode::OK, "");
    identify(answer.headers_mut(), &made, Interface::Xml)?;
    Ok(answer)
}

/// An object's content, or its headers.
pub(super) fn get(shared: &Shared, asked: &Asked, bucket: &str, name: &str) -> Outcome<Answer> {
    asked.no_body()?;
    only(asked, &["generation"])?;
    let mut known = vec![
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-unmodified-since",
        "range",
        PAYLOAD,
    ];
    known.extend(CONDITIONS);
    asked.only_headers(&known)?;
    let conditions = Preconditions::headers(asked, "x-goog-")?
        .with_etags(asked, "")?
        .with_dates(asked)?;
    let generation = asked.query.number("generation")?;
    let state = shared.lock();
    let object = state.read(bucket, name, generation, &conditions, Interface::Xml)?;
    content(asked, object, Interface::Xml)
}

pub(super) fn delete(shared: &Shared, asked: &Asked, bucket: &str, name: &str) -> Outcome<Answer> {
    asked.no_body()?;
    only(asked, &["generation"])?;
    let mut known = vec![PAYLOAD];
    known.extend(CONDITIONS);
    asked.only_headers(&known)?;
    let conditions = Preconditions::headers(asked, "x-goog-")?;
    let generation = asked.query.number("generation")?;
    shared.lock().delete(bucket, name, generation, &conditions)?;
    Ok(server::answer(StatusCode::NO_CONTENT, ""))
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Copied {
    #[serde(rename = "@xmlns")]
    namespace: &'static str,
    last_modified: String,
    #[serde(rename = "ETag")]
    etag: String,
}

/// <https://cloud.google.com/storage/docs/xml-api/put-object-copy>
pub(super) fn copy(shared: &Shared, asked: &Asked, bucket: &str, name: &str) -> Outcome<Answer> {
    asked.no_body()?;
    only(asked, &[])?;
    let mut known = vec![
        "x-goog-copy-source",
        "x-goog-copy-source-generation",
        "x-goog-copy-source-if-generation-match",
        "x-goog-copy-source-if-match",
        "x-goog-copy-source-if-metageneration-match",
        "x-goog-copy-source-if-none-match",
        "x-goog-metadata-directive",
        PAYLOAD,
    ];
    known.extend(DESCRIBING);
    known.extend(CONDITIONS);
    asked.only_headers(&known)?;
    let conditions = Preconditions::headers(asked, "x-goog-")?;
    let on_source =
        Preconditions::headers(asked, "x-goog-copy-source-")?.with_etags(asked, "x-goog-copy-source-")?;
    let source = decode(asked.header("x-goog-copy-source")?.unwrap_or_default())?;
    let (from, source) = source
        .strip_prefix('/')
        .unwrap_or(&source)
        .split_once('/')
        .ok_or_else(|| Refusal::invalid("x-goog-copy-source is a bucket, '/' and an object."))?;
    let generation = asked
        .header("x-goog-copy-source-generation")?
        .map(|text| {
            text.parse()
                .map_err(|_| Refusal::invalid(format!("'{text}' is no generation.")))
        })
        .transpose()?;
    let replaced = match asked.header("x-goog-metadata-directive")? {
        None | Some("COPY") => None,
        Some("REPLACE") => Some(described(asked)?),
        Some(other) => {
            return Err(Refusal::invalid(format!(
                "x-goog-metadata-directive is COPY or REPLACE, not '{other}'."
            )));
        }
    };
    let said = described(asked)?;
    let says = Metadata {
        content_type: None,
        storage_class: None,
        ..said.clone()
    };
    if replaced.is_none() && says != Metadata::default() {
        return Err(Refusal::not_built(
            "metadata of a copy without x-goog-metadata-directive: REPLACE",
        ));
    }
    let mut state = shared.lock();
    // A condition on a source that is read fails with 412, whichever it is.
    let object = state
        .read(from, source, generation, &on_source, Interface::Xml)
        .map_err(|refusal| match refusal.status {
            304 => Refusal::precondition("x-goog-copy-source-if-none-match"),
            _ => refusal,
        })?
        .clone();
    let mut metadata = replaced.unwrap_or_else(|| object.metadata.clone());
    if said.storage_class.is_some() {
        metadata.storage_class = said.storage_class;
    }
    let new = New {
        content: object.content.clone(),
        metadata,
        has_md5: object.md5.is_some(),
        components: object.components,
    };
    let made = state.write(bucket, name, new, &conditions)?;
    drop(state);
    let copied = Copied {
        namespace: NAMESPACE,
        last_modified: made.updated.to_rfc3339_opts(SecondsFormat::Millis, true),
        etag: made.etag(Interface::Xml),
    };
    let mut answer = Document::of("CopyObjectResult", &copied).answer(StatusCode::OK);
    let generation = HeaderValue::from(made.generation);
    answer.headers_mut().insert("x-goog-generation", generation);
    Ok(answer)
}

/// An object as it is read by either interface: all of it, a range, or only its headers.
pub(in crate::gcs) fn content(asked: &Asked, object: &Object, interface: Interface) -> Outcome<Answer> {
    let metadata = &object.metadata;
    let accepts = asked.header("accept-encoding")?.unwrap_or_default();
    let transforms = !metadata
        .cache_control
        .as_deref()
        .is_some_and(|value| value.contains("no-transform"));
    if metadata.content_encoding.as_deref() == Some("gzip") && transforms && !accepts.contains("gzip") {
        return Err(Refusal::not_built(
            "decompressive transcoding: send Accept-Encoding: gzip, or store Cache-Control: no-transform",
        ));
    }
    let part = range::read(asked.header("range")?, object.size())?;
    let is_part = part.is_some();
    let part = part.unwrap_or(0..object.size());
    let status = if is_part {
        StatusCode::PARTIAL_CONTENT
    } else {
        StatusCode::OK
    };
    let is_head = asked.method == Method::HEAD;
    let body = if is_head {
        bytes::Bytes::new()
    } else {
        object.content.slice(part.clone())
    };
    let mut answer = server::answer(status, body);
    let headers = answer.headers_mut();
    identify(headers, object, interface)?;
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(part.len()));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if is_part {
        let text = format!("bytes {}-{}/{}", part.start, part.end - 1, object.size());
        headers.insert(header::CONTENT_RANGE, value(&text)?);
    }
    let date = object.updated.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    headers.insert(header::LAST_MODIFIED, value(&date)?);
    let content_type = metadata
        .content_type
        .as_deref()
        .unwrap_or("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, value(content_type)?);
    let texts = [
        (header::CONTENT_ENCODING, &metadata.content_encoding),
        (header::CONTENT_DISPOSITION, &metadata.content_disposition),
        (header::CONTENT_LANGUAGE, &metadata.content_language),
        (header::CACHE_CONTROL, &metadata.cache_control),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            headers.insert(name, value(text)?);
        }
    }
    for (key, text) in &metadata.custom {
        let name = HeaderName::from_bytes(format!("{META}{key}").as_bytes())
            .map_err(|_| Refusal::invalid(format!("The metadata '{key}' can be no header.")))?;
        headers.insert(name, value(text)?);
    }
    Ok(answer)
}

/// The headers that tell which object it is.
fn identify(headers: &mut HeaderMap, object: &Object, interface: Interface) -> Outcome<()> {
    headers.insert(header::ETAG, value(&object.etag(interface))?);
    headers.insert("x-goog-generation", HeaderValue::from(object.generation));
    headers.insert("x-goog-metageneration", HeaderValue::from(object.metageneration));
    headers.insert("x-goog-storage-class", value(object.storage_class())?);
    headers.insert("x-goog-stored-content-length", HeaderValue::from(object.size()));
    let encoding = object.metadata.content_encoding.as_deref().unwrap_or("identity");
    headers.insert("x-goog-stored-content-encoding", value(encoding)?);
    let crc32c = format!("crc32c={}", hash::show_crc32c(object.crc32c));
    headers.append("x-goog-hash", value(&crc32c)?);
    if let Some(md5) = &object.md5 {
        headers.append("x-goog-hash", value(&format!("md5={}", hash::show_md5(md5)))?);
    }
    if let Some(components) = object.components {
        headers.insert("x-goog-component-count", HeaderValue::from(components));
    }
    Ok(())
}

fn value(text: &str) -> Outcome<HeaderValue> {
    HeaderValue::from_bytes(text.as_bytes())
        .map_err(|_| Refusal::invalid(format!("'{text}' can be no header's value.")))
}

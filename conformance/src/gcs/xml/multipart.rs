//! Uploads in parts: <https://cloud.google.com/storage/docs/multipart-uploads>. Preconditions are not supported in them, and what they make has no MD5 sum.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, SecondsFormat, Utc};
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use super::object::{DESCRIBING, PAYLOAD, described};
use super::only;
use super::write::{Document, is_sayable};
use crate::gcs::error::{Interface, Outcome, Refusal};
use crate::gcs::hash::{self, Expected};
use crate::gcs::names;
use crate::gcs::object::{Metadata, New, hex};
use crate::gcs::preconditions::Preconditions;
use crate::gcs::request::Asked;
use crate::gcs::state::{Shared, State};
use crate::server::{self, Answer};

/// The highest number of a part, and the least that all parts but the last have.
const MOST: usize = 10_000;
const LEAST: usize = 5 * 1024 * 1024;

/// Another than that of lists.
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// An upload that was begun.
#[derive(Debug)]
pub(in crate::gcs) struct Multipart {
    bucket: String,
    name: String,
    metadata: Metadata,
    parts: BTreeMap<usize, Part>,
}

#[derive(Debug)]
struct Part {
    content: Bytes,
    etag: String,
    when: DateTime<Utc>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Begun<'a> {
    #[serde(rename = "@xmlns")]
    namespace: &'static str,
    bucket: &'a str,
    key: &'a str,
    upload_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Completed<'a> {
    #[serde(rename = "@xmlns")]
    namespace: &'static str,
    location: String,
    bucket: &'a str,
    key: &'a str,
    #[serde(rename = "ETag")]
    etag: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Parts<'a> {
    #[serde(rename = "@xmlns")]
    namespace: &'static str,
    bucket: &'a str,
    key: &'a str,
    upload_id: &'a str,
    is_truncated: bool,
    part: Vec<OnePart>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct OnePart {
    part_number: usize,
    last_modified: String,
    #[serde(rename = "ETag")]
    etag: String,
    size: usize,
}

/// What a client says that its object is made of.
#[derive(Deserialize)]
#[serde(rename = "CompleteMultipartUpload", deny_unknown_fields)]
struct Complete {
    #[serde(rename = "@xmlns", default)]
    _namespace: Option<String>,
    #[serde(rename = "Part", default)]
    parts: Vec<Named>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    #[serde(rename = "PartNumber")]
    number: usize,
    #[serde(rename = "ETag")]
    etag: String,
}

fn refused(code: &'static str, message: String) -> Refusal {
    Refusal::new(400, "invalid", code, message)
}

fn find<'a>(
    state: &'a mut State,
    asked: &Asked,
    bucket: &str,
    name: &str,
) -> Outcome<(String, &'a mut Multipart)> {
    state.bucket(bucket)?;
    let id = asked.query.get("uploadId").unwrap_or_default();
    state
        .multiparts
        .get_mut(id)
        .filter(|one| one.bucket == bucket && one.name == name)
        .map(|one| (id.to_owned(), one))
        .ok_or_else(|| {
            Refusal::new(
                404,
                "notFound",
                "NoSuchUpload",
                format!("There is no upload '{id}' of this object."),
            )
        })
}

pub(super) fn begin(shared: &Shared, asked: &Asked, bucket: &str, name: &str) -> Outcome<Answer> {
    asked.no_body()?;
    only(asked, &["uploads"])?;
    let mut known = vec![PAYLOAD];
    known.extend(DESCRIBING);
    asked.only_headers(&known)?;
    names::object(name)?;
    if !is_sayable(name) {
        return Err(Refusal::not_built(format!(
            "answers with the name {name:?} in XML"
        )));
    }
    let metadata = described(asked)?;
    let id = uuid::Uuid::new_v4().simple().to_string();
    let mut state = shared.lock();
    state.bucket(bucket)?;
    let upload = Multipart {
        bucket: bucket.to_owned(),
        name: name.to_owned(),
        metadata,
        parts: BTreeMap::new(),
    };
    state.multiparts.insert(id.clone(), upload);
    drop(state);
    let begun = Begun {
        namespace: NAMESPACE,
        bucket,
        key: name,
        upload_id: &id,
    };
    Ok(Document::of("InitiateMultipartUploadResult", &begun).answer(StatusCode::OK))
}

pub(super) fn put(shared: &Shared, asked: &Asked, bucket: &str, name: &str) -> Outcome<Answer> {
    only(asked, &["partNumber", "uploadId"])?;
    asked.only_headers(&["content-md5", "x-goog-hash", PAYLOAD])?;
    let number = asked
        .query
        .number("partNumber")?
        .and_then(|number| usize::try_from(number).ok())
        .filter(|number| (1..=MOST).contains(number))
        .ok_or_else(|| Refusal::parameter("partNumber", "it is 1 to 10000"))?;
    Expected::headers(asked)?.check(&asked.body)?;
    let etag = format!("\"{}\"", hex(&hash::md5(&asked.body)));
    let mut state = shared.lock();
    let (_, now) = state.tick();
    let (_, upload) = find(&mut state, asked, bucket, name)?;
    let part = Part {
        content: asked.body.clone(),
        etag: etag.clone(),
        when: now,
    };
    upload.parts.insert(number, part);
    drop(state);
    let mut answer = server::answer(StatusCode::OK, "");
    let sum = format!("crc32c={}", hash::show_crc32c(hash::crc32c(&asked.body)));
    for (name, text) in [("etag", &etag), ("x-goog-hash", &sum)] {
        if let Ok(value) = HeaderValue::from_str(text) {
            answer.headers_mut().insert(name, value);
        }
    }
    Ok(answer)
}

pub(super) fn parts(shared: &Shared, asked: &Asked, bucket: &str, name: &str) -> Outcome<Answer> {
    asked.no_body()?;
    only(asked, &["uploadId"])?;
    asked.only_headers(&[PAYLOAD])?;
    let mut state = shared.lock();
    let (id, upload) = find(&mut state, asked, bucket, name)?;
    let list = Parts {
        namespace: NAMESPACE,
        bucket,
        key: name,
        upload_id: &id,
        is_truncated: false,
        part: upload
            .parts
            .iter()
            .map(|(number, part)| OnePart {
                part_number: *number,
                last_modified: part.when.to_rfc3339_opts(SecondsFormat::Millis, true),
                etag: part.etag.clone(),
                size: part.content.len(),
            })
            .collect(),
    };
    Ok(Document::of("ListPartsResult", &list).answer(StatusCode::OK))
}

pub(super) fn abort(shared: &Shared, asked: &Asked, bucket: &str, name: &str) -> Outcome<Answer> {
    asked.no_body()?;
    only(asked, &["uploadId"])?;
    asked.only_headers(&[PAYLOAD])?;
    let mut state = shared.lock();
    let (id, _) = find(&mut state, asked, bucket, name)?;
    state.multiparts.remove(&id);
    Ok(server::answer(StatusCode::NO_CONTENT, ""))
}

pub(super) fn complete(shared: &Shared, asked: &Asked, bucket: &str, name: &str) -> Outcome<Answer> {
    only(asked, &["uploadId"])?;
    asked.only_headers(&[PAYLOAD])?;
    let said: Complete = std::str::from_utf8(&asked.body)
        .ok()
        .filter(|text| text.contains("<CompleteMultipartUpload"))
        .and_then(|text| quick_xml::de::from_str(text).ok())
        .ok_or_else(|| {
            refused(
                "MalformedXML",
                "The body is a CompleteMultipartUpload with parts, each with PartNumber and ETag.".to_owned(),
            )
        })?;
    let mut state = shared.lock();
    let (id, upload) = find(&mut state, asked, bucket, name)?;
    let content = assemble(&said.parts, &upload.parts)?;
    let new = New {
        content,
        metadata: upload.metadata.clone(),
        has_md5: false,
        components: None,
    };
    let made = state.write(bucket, name, new, &Preconditions::default())?;
    state.multiparts.remove(&id);
    let completed = Completed {
        namespace: NAMESPACE,
        location: format!("{}/{bucket}/{name}", state.url),
        bucket,
        key: name,
        etag: made.etag(Interface::Xml),
    };
    drop(state);
    let mut answer = Document::of("CompleteMultipartUploadResult", &completed).answer(StatusCode::OK);
    let generation = HeaderValue::from(made.generation);
    answer.headers_mut().insert("x-goog-generation", generation);
    Ok(answer)
}

/// The parts that are named, one after another.
fn assemble(named: &[Named], parts: &BTreeMap<usize, Part>) -> Outcome<Bytes> {
    if named.is_empty() {
        return Err(refused(
            "MalformedXML",
            "An upload has at least one part.".to_owned(),
        ));
    }
    if !named.is_sorted_by(|one, next| one.number < next.number) {
        return Err(refused(
            "InvalidPartOrder",
            "The list of parts was not in ascending order.".to_owned(),
        ));
    }
    let mut content = BytesMut::new();
    for (at, one) in named.iter().enumerate() {
        let part = parts
            .get(&one.number)
            .filter(|part| part.etag.trim_matches('"') == one.etag.trim_matches('"'))
            .ok_or_else(|| {
                refused(
                    "InvalidPart",
                    format!("The part {} was not uploaded, or has another ETag.", one.number),
                )
            })?;
        if at + 1 < named.len() && part.content.len() < LEAST {
            return Err(refused(
                "EntityTooSmall",
                format!("The part {} is smaller than 5 MiB, and not the last.", one.number),
            ));
        }
        content.extend_from_slice(&part.content);
    }
    Ok(content.freeze())
}

//! What a request asks of a bucket, and with which right.

use std::collections::BTreeMap;

use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use http::header::{
    AUTHORIZATION, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};
use http::{HeaderMap, HeaderName, Method};
use nephos_core::resource::Access;
use nephos_core::resource::bucket::SignedMethod;
use nephos_core::{Error, ErrorKind, Result};
use object_store::{GetOptions, GetRange, PutMode, UpdateVersion};
use percent_encoding::percent_decode_str;
use url::form_urlencoded;

use super::super::sign::method_of;
use crate::resources::bucket::unquote;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verb {
    List,
    Get,
    Head,
    Put,
    Copy(String),
    Delete,
    Begin,
    Part(String, u32),
    Complete(String),
    Abort(String),
    Sign(SignedMethod),
}

/// A request, taken apart.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) verb: Verb,
    pub(super) query: BTreeMap<String, String>,
    pub(super) headers: HeaderMap,
}

impl Ask {
    pub(super) fn read(parts: &Parts) -> Result<Self> {
        let refuse = |message: &'static str| Error::new(ErrorKind::InvalidArgument, "bucket.open", message);
        // The path as it was sent: a router would have decoded it, and a decoded `%2F` is a slash like any.
        let path = parts.uri.path().strip_prefix("/v1/bucket/").unwrap_or_default();
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let decode = |text: &str| {
            percent_decode_str(text)
                .decode_utf8()
                .map(std::borrow::Cow::into_owned)
                .map_err(|error| refuse("the path is not percent-encoded UTF-8").caused_by(error))
        };
        let query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
        let mut ask = Self {
            bucket: decode(bucket)?,
            key: decode(key)?,
            verb: Verb::List,
            query,
            headers: parts.headers.clone(),
        };
        ask.verb = ask.verb(&parts.method).ok_or_else(|| {
            refuse("the resource API has no such request on a bucket")
                .with("method", &parts.method)
                .with("path", parts.uri.path())
        })?;
        Ok(ask)
    }

    fn verb(&self, method: &Method) -> Option<Verb> {
        let query = |name: &str| self.query.get(name).cloned();
        if self.key.is_empty() {
            return (method == Method::GET && query("list").is_some()).then_some(Verb::List);
        }
        let upload = query("upload");
        match (method.as_str(), upload) {
            ("GET", None) => Some(Verb::Get),
            ("HEAD", None) => Some(Verb::Head),
            ("PUT", None) => Some(query("copy-from").map_or(Verb::Put, Verb::Copy)),
            ("PUT", Some(upload)) => Some(Verb::Part(upload, query("part")?.parse().ok()?)),
            ("DELETE", None) => Some(Verb::Delete),
            ("DELETE", Some(upload)) => Some(Verb::Abort(upload)),
            ("POST", Some(upload)) if query("complete").is_some() => Some(Verb::Complete(upload)),
            ("POST", Some(upload)) if upload.is_empty() => Some(Verb::Begin),
            ("POST", None) => method_of(&query("sign")?).map(Verb::Sign),
            _ => None,
        }
    }

    /// What the token must be good for.
    pub(super) fn access(&self) -> &'static [Access] {
        match self.verb {
            Verb::List | Verb::Get | Verb::Head | Verb::Sign(SignedMethod::Get) => &[Access::Read],
            Verb::Copy(_) => &[Access::Read, Access::Write],
            Verb::Delete | Verb::Sign(SignedMethod::Delete) => &[Access::Delete],
            _ => &[Access::Write],
        }
    }

    pub(super) fn token(&self) -> Option<&str> {
        self.headers
            .get(AUTHORIZATION)?
            .to_str()
            .ok()?
            .strip_prefix("Bearer ")
    }

    /// On which condition the object is to be written.
    pub(super) fn mode(&self) -> Result<PutMode> {
        match (
            text(&self.headers, &IF_NONE_MATCH),
            text(&self.headers, &IF_MATCH),
        ) {
            (None, None) => Ok(PutMode::Overwrite),
            (Some("*"), None) => Ok(PutMode::Create),
            (None, Some(etag)) => Ok(PutMode::Update(UpdateVersion {
                e_tag: Some(unquote(etag).to_owned()),
                version: None,
            })),
            _ => Err(Error::new(
                ErrorKind::InvalidArgument,
                "bucket.put",
                "a write takes either `If-None-Match: *` or `If-Match` with one etag",
            )),
        }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// The conditions of a read.
pub(super) fn times(headers: &HeaderMap) -> GetOptions {
    let etags = |name| {
        let list: Vec<_> = text(headers, name)?.split(',').map(unquote).collect();
        Some(list.join(","))
    };
    let time = |name| {
        let text = text(headers, name)?;
        let time = DateTime::parse_from_rfc2822(text).or_else(|_| DateTime::parse_from_rfc3339(text));
        // A date that is none is to be ignored: RFC 9110, 13.1.3.
        time.ok().map(|time| time.with_timezone(&Utc))
    };
    GetOptions {
        if_match: etags(&IF_MATCH),
        if_none_match: etags(&IF_NONE_MATCH),
        if_modified_since: time(&IF_MODIFIED_SINCE),
        if_unmodified_since: time(&IF_UNMODIFIED_SINCE),
        ..GetOptions::default()
    }
}

/// The range asked for. One that is none, several, and one with `If-Range` are ignored, as a server may: RFC 9110, 14.2.
pub(super) fn range(headers: &HeaderMap) -> Option<GetRange> {
    if headers.contains_key(IF_RANGE) {
        return None;
    }
    let (first, last) = text(headers, &RANGE)?.strip_prefix("bytes=")?.split_once('-')?;
    match (first, last) {
        ("", length) => Some(GetRange::Suffix(length.parse().ok()?)),
        (start, "") => Some(GetRange::Offset(start.parse().ok()?)),
        (start, end) => {
            let (start, end): (u64, u64) = (start.parse().ok()?, end.parse().ok()?);
            (start <= end).then(|| GetRange::Bounded(start..end.saturating_add(1)))
        }
    }
}

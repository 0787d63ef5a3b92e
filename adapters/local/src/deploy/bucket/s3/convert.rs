//! Between S3's terms and ours: errors, times, etags, conditions, attributes.

use std::collections::HashMap;
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use nephos_core::{Error, ErrorKind};
use object_store::{Attribute, AttributeValue, Attributes, GetOptions, PutMode, UpdateVersion};
use s3s::dto::{ETag, ETagCondition, Timestamp};
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::super::content::range_error;

/// An error of ours as S3 says it: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
pub(super) fn s3_error(error: Error) -> S3Error {
    let code = match error.kind() {
        _ if range_error(&error).is_some() => S3ErrorCode::InvalidRange,
        ErrorKind::NotFound if error.operation() == "bucket.put_multipart" => S3ErrorCode::NoSuchUpload,
        ErrorKind::NotFound => S3ErrorCode::NoSuchKey,
        ErrorKind::AlreadyExists | ErrorKind::Conflict => S3ErrorCode::PreconditionFailed,
        ErrorKind::InvalidArgument if error.operation() == "bucket.put_multipart" => S3ErrorCode::InvalidPart,
        ErrorKind::InvalidArgument => S3ErrorCode::InvalidArgument,
        ErrorKind::PermissionDenied => S3ErrorCode::AccessDenied,
        ErrorKind::Unsupported => S3ErrorCode::NotImplemented,
        ErrorKind::Unavailable => S3ErrorCode::ServiceUnavailable,
        _ => S3ErrorCode::InternalError,
    };
    let message = error.to_string();
    tracing::debug!(error = %error.chain(), "the S3 store refuses a request");
    S3Error::with_message(code, message)
}

/// A store's error; one that says "not modified" has a code of its own.
pub(super) fn store_error(error: object_store::Error) -> S3Error {
    match error {
        object_store::Error::NotModified { .. } => S3Error::new(S3ErrorCode::NotModified),
        other => s3_error(other.into()),
    }
}

pub(super) fn timestamp(time: DateTime<Utc>) -> Timestamp {
    SystemTime::from(time).into()
}

fn time(timestamp: Timestamp) -> Option<DateTime<Utc>> {
    let time = s3s_time(timestamp)?;
    DateTime::parse_from_rfc3339(&time)
        .ok()
        .map(|time| time.with_timezone(&Utc))
}

fn s3s_time(timestamp: Timestamp) -> Option<String> {
    let mut text = Vec::new();
    timestamp
        .format(s3s::dto::TimestampFormat::DateTime, &mut text)
        .ok()?;
    String::from_utf8(text).ok()
}

pub(super) fn etag(etag: &str) -> ETag {
    ETag::Strong(etag.to_owned())
}

fn condition(condition: ETagCondition) -> String {
    match condition {
        ETagCondition::Any => "*".to_owned(),
        ETagCondition::ETag(etag) => etag.into_value(),
    }
}

/// The conditions of a read.
pub(super) fn conditions(
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
    if_modified_since: Option<Timestamp>,
    if_unmodified_since: Option<Timestamp>,
) -> GetOptions {
    GetOptions {
        if_match: if_match.map(condition),
        if_none_match: if_none_match.map(condition),
        if_modified_since: if_modified_since.and_then(time),
        if_unmodified_since: if_unmodified_since.and_then(time),
        ..GetOptions::default()
    }
}

/// The condition of a write.
pub(super) fn mode(
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
) -> S3Result<PutMode> {
    match (if_match, if_none_match) {
        (None, None) => Ok(PutMode::Overwrite),
        (None, Some(ETagCondition::Any)) => Ok(PutMode::Create),
        (Some(etag), None) => Ok(PutMode::Update(UpdateVersion {
            e_tag: Some(condition(etag)),
            version: None,
        })),
        _ => Err(S3Error::with_message(
            S3ErrorCode::NotImplemented,
            "a write takes either If-None-Match: * or If-Match with one etag",
        )),
    }
}

/// What a writer says of its object.
#[derive(Default)]
pub(super) struct Described {
    pub(super) content_type: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) content_language: Option<String>,
    pub(super) cache_control: Option<String>,
    pub(super) metadata: Option<HashMap<String, String>>,
}

impl Described {
    pub(super) fn of(attributes: &Attributes) -> Self {
        let mut described = Self::default();
        for (attribute, value) in attributes {
            let value = value.as_ref().to_owned();
            match attribute {
                Attribute::ContentType => described.content_type = Some(value),
                Attribute::ContentDisposition => described.content_disposition = Some(value),
                Attribute::ContentEncoding => described.content_encoding = Some(value),
                Attribute::ContentLanguage => described.content_language = Some(value),
                Attribute::CacheControl => described.cache_control = Some(value),
                Attribute::Metadata(name) => {
                    let metadata = described.metadata.get_or_insert_default();
                    metadata.insert(name.to_string(), value);
                }
                _ => {}
            }
        }
        described
    }

    pub(super) fn attributes(self) -> Attributes {
        let mut attributes = Attributes::new();
        // Clients that stream in chunks say so in this header; it is no property of the object.
        let encoding = self.content_encoding.map(|encoding| {
            let kept: Vec<_> = encoding
                .split(',')
                .map(str::trim)
                .filter(|name| *name != "aws-chunked")
                .collect();
            kept.join(", ")
        });
        let fixed = [
            (Attribute::ContentType, self.content_type),
            (Attribute::ContentDisposition, self.content_disposition),
            (
                Attribute::ContentEncoding,
                encoding.filter(|encoding| !encoding.is_empty()),
            ),
            (Attribute::ContentLanguage, self.content_language),
            (Attribute::CacheControl, self.cache_control),
        ];
        for (attribute, value) in fixed {
            if let Some(value) = value {
                attributes.insert(attribute, AttributeValue::from(value));
            }
        }
        for (name, value) in self.metadata.unwrap_or_default() {
            attributes.insert(
                Attribute::Metadata(name.to_lowercase().into()),
                AttributeValue::from(value),
            );
        }
        attributes
    }
}

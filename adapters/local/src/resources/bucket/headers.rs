//! An object's attributes, etags and conditions as HTTP headers.

use chrono::{DateTime, Utc};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_MATCH, IF_NONE_MATCH, LAST_MODIFIED, RANGE};
use http::{HeaderMap, HeaderName, HeaderValue};
use nephos_core::{Error, ErrorKind, Result};
use object_store::path::Path;
use object_store::{Attribute, AttributeValue, Attributes, GetOptions, GetRange, ObjectMeta, PutMode};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode, utf8_percent_encode};

use super::MODIFIED;
use crate::wire::OBJECT_META_PREFIX;

/// What a metadata value's header may not hold as it is; beyond ASCII everything is encoded.
const VALUE: &AsciiSet = &CONTROLS.add(b'%');
/// The same for a value that begins or ends with a space, which HTTP would drop.
const SPACED: &AsciiSet = &VALUE.add(b' ');

/// The name under which an attribute is kept and sent: the HTTP header of the same meaning. `None` for one that has no meaning here.
pub(crate) fn attribute_name(attribute: &Attribute) -> Option<String> {
    Some(match attribute {
        Attribute::ContentType => "content-type".to_owned(),
        Attribute::ContentDisposition => "content-disposition".to_owned(),
        Attribute::ContentEncoding => "content-encoding".to_owned(),
        Attribute::ContentLanguage => "content-language".to_owned(),
        Attribute::CacheControl => "cache-control".to_owned(),
        Attribute::Metadata(name) => format!("{OBJECT_META_PREFIX}{name}"),
        _ => return None,
    })
}

/// The attribute of such a name.
pub(crate) fn attribute_of(name: &str) -> Option<Attribute> {
    Some(match name {
        "content-type" => Attribute::ContentType,
        "content-disposition" => Attribute::ContentDisposition,
        "content-encoding" => Attribute::ContentEncoding,
        "content-language" => Attribute::ContentLanguage,
        "cache-control" => Attribute::CacheControl,
        other => Attribute::Metadata(other.strip_prefix(OBJECT_META_PREFIX)?.to_owned().into()),
    })
}

/// Writes attributes as headers. Metadata values are percent-encoded where a header could not hold them.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] for a name or a value that no header can hold.
pub(crate) fn write_attributes(
    attributes: &Attributes,
    headers: &mut HeaderMap,
    operation: &'static str,
) -> Result<()> {
    for (attribute, value) in attributes {
        let Some(name) = attribute_name(attribute) else {
            continue;
        };
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| {
            Error::new(
                ErrorKind::InvalidArgument,
                operation,
                "a metadata name must be made of lower-case letters, digits and the signs that a header's name may have",
            )
            .with("name", &name)
            .caused_by(error)
        })?;
        let value = value.as_ref();
        if matches!(attribute, Attribute::Metadata(_)) {
            let spaced = value.starts_with(' ') || value.ends_with(' ');
            let encoded = utf8_percent_encode(value, if spaced { SPACED } else { VALUE }).to_string();
            insert(headers, name, &encoded, operation)?;
        } else {
            insert(headers, name, value, operation)?;
        }
    }
    Ok(())
}

/// Reads attributes from headers.
pub(crate) fn read_attributes(headers: &HeaderMap) -> Attributes {
    let mut attributes = Attributes::new();
    for (name, value) in headers {
        let (Some(attribute), Ok(text)) =
            (attribute_of(name.as_str()), std::str::from_utf8(value.as_bytes()))
        else {
            continue;
        };
        let text = if matches!(attribute, Attribute::Metadata(_)) {
            percent_decode(text.as_bytes())
                .decode_utf8()
                .map_or_else(|_| text.to_owned(), std::borrow::Cow::into_owned)
        } else {
            text.to_owned()
        };
        attributes.insert(attribute, AttributeValue::from(text));
    }
    attributes
}

pub(crate) fn insert(
    headers: &mut HeaderMap,
    name: HeaderName,
    value: &str,
    operation: &'static str,
) -> Result<()> {
    let value = HeaderValue::from_str(value).map_err(|error| {
        Error::new(
            ErrorKind::InvalidArgument,
            operation,
            "an HTTP header cannot hold this value; leave out line breaks and other control characters",
        )
        .with("name", &name)
        .caused_by(error)
    })?;
    headers.insert(name, value);
    Ok(())
}

/// An etag as it stands in a header; the asterisk stands for any.
pub(crate) fn quote(etag: &str) -> String {
    if etag == "*" || etag.starts_with('"') {
        etag.to_owned()
    } else {
        format!("\"{etag}\"")
    }
}

/// An etag without its quotes, weak or not.
pub(crate) fn unquote(etag: &str) -> &str {
    etag.trim().trim_start_matches("W/").trim_matches('"')
}

/// The condition of a write as headers.
pub(super) fn mode_headers(mode: &PutMode, operation: &'static str, headers: &mut HeaderMap) -> Result<()> {
    match mode {
        PutMode::Overwrite => {}
        PutMode::Create => insert(headers, IF_NONE_MATCH, "*", operation)?,
        PutMode::Update(version) => {
            let etag = version.e_tag.as_deref().ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidArgument,
                    operation,
                    "a conditional write needs the etag to match; this bucket keeps no versions",
                )
            })?;
            insert(headers, IF_MATCH, &quote(etag), operation)?;
        }
    }
    Ok(())
}

/// The conditions and the range of a read as headers.
pub(super) fn get_headers(options: &GetOptions) -> Result<HeaderMap> {
    const OPERATION: &str = "bucket.get";
    let mut headers = HeaderMap::new();
    if options.version.is_some() {
        return Err(Error::new(
            ErrorKind::Unsupported,
            OPERATION,
            "this bucket keeps no versions",
        ));
    }
    if let Some(range) = &options.range {
        let range = match range {
            GetRange::Bounded(range) if range.start < range.end => {
                format!("bytes={}-{}", range.start, range.end - 1)
            }
            GetRange::Bounded(_) => {
                return Err(Error::new(
                    ErrorKind::InvalidArgument,
                    OPERATION,
                    "the range is empty",
                ));
            }
            GetRange::Offset(start) => format!("bytes={start}-"),
            GetRange::Suffix(length) => format!("bytes=-{length}"),
        };
        insert(&mut headers, RANGE, &range, OPERATION)?;
    }
    for (name, value) in [
        (IF_MATCH, &options.if_match),
        (IF_NONE_MATCH, &options.if_none_match),
    ] {
        if let Some(value) = value {
            let quoted: Vec<_> = value.split(',').map(|etag| quote(etag.trim())).collect();
            insert(&mut headers, name, &quoted.join(", "), OPERATION)?;
        }
    }
    for (name, value) in [
        (http::header::IF_MODIFIED_SINCE, options.if_modified_since),
        (http::header::IF_UNMODIFIED_SINCE, options.if_unmodified_since),
    ] {
        if let Some(value) = value {
            // To the nanosecond, which HTTP's own form cannot tell; the API reads both.
            insert(&mut headers, name, &value.to_rfc3339(), OPERATION)?;
        }
    }
    Ok(headers)
}

/// What an answer's headers tell of its object, and which bytes the answer holds.
pub(super) fn read_meta(location: &Path, headers: &HeaderMap) -> Option<(ObjectMeta, std::ops::Range<u64>)> {
    let text = |name: &HeaderName| headers.get(name)?.to_str().ok();
    let length: u64 = text(&CONTENT_LENGTH)?.parse().ok()?;
    let (range, size) = match text(&CONTENT_RANGE) {
        None => (0..length, length),
        Some(range) => {
            let (range, size) = range.strip_prefix("bytes ")?.split_once('/')?;
            let (first, last) = range.split_once('-')?;
            (
                first.parse().ok()?..last.parse::<u64>().ok()?.checked_add(1)?,
                size.parse().ok()?,
            )
        }
    };
    let last_modified = match text(&MODIFIED) {
        Some(exact) => DateTime::parse_from_rfc3339(exact).ok()?,
        None => DateTime::parse_from_rfc2822(text(&LAST_MODIFIED)?).ok()?,
    };
    let meta = ObjectMeta {
        location: location.clone(),
        last_modified: last_modified.with_timezone(&Utc),
        size,
        e_tag: text(&ETAG).map(|etag| unquote(etag).to_owned()),
        version: None,
    };
    Some((meta, range))
}

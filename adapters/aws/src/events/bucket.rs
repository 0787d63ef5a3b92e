//! Notifications of S3: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>.

use std::borrow::Cow;

use nephos_core::event::{
    Attributes, Data, ObjectCreated, ObjectDeleted, ObjectEvent, ObjectInfo, Raw, RecordFailure,
};
use nephos_core::{Error, ErrorKind, Event, Result};
use percent_encoding::percent_decode;
use serde::Deserialize;

use super::text::Text;
use super::time::Time;
use super::{Wiring, records};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notification<'a> {
    #[serde(borrow)]
    event_name: Cow<'a, str>,
    #[serde(default)]
    event_time: Option<Time>,
    #[serde(default, borrow)]
    aws_region: Text<'a>,
    #[serde(default, borrow)]
    user_identity: Option<Identity<'a>>,
    #[serde(default, borrow)]
    request_parameters: Option<RequestParameters<'a>>,
    #[serde(default, borrow)]
    response_elements: Option<ResponseElements<'a>>,
    #[serde(borrow)]
    s3: S3<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    #[serde(default, borrow)]
    principal_id: Text<'a>,
}

#[derive(Deserialize)]
struct RequestParameters<'a> {
    #[serde(default, borrow, rename = "sourceIPAddress")]
    source_ip: Text<'a>,
}

#[derive(Deserialize)]
struct ResponseElements<'a> {
    #[serde(default, borrow, rename = "x-amz-request-id")]
    request_id: Text<'a>,
}

#[derive(Deserialize)]
struct S3<'a> {
    #[serde(borrow)]
    bucket: Bucket<'a>,
    #[serde(borrow)]
    object: Object<'a>,
}

#[derive(Deserialize)]
struct Bucket<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    e_tag: Option<String>,
    #[serde(default)]
    version_id: Option<String>,
    #[serde(default, borrow)]
    sequencer: Text<'a>,
}

/// One event for each record: a neutral event is about one object.
pub(super) fn decode(document: &str, wiring: &Wiring) -> Result<Vec<Event>> {
    let (events, failures) = records::read(
        document,
        |_| None,
        |record: Notification<'_>| event(record, wiring).map_err(|error| records::failure("", error)),
    )?;
    // An object's event has no id under which it could fail alone.
    match failures.into_iter().next() {
        Some(RecordFailure { error, .. }) => Err(error),
        None => Ok(events),
    }
}

fn event(record: Notification<'_>, wiring: &Wiring) -> Result<Event> {
    let Notification { s3, .. } = &record;
    let key = decode_key(&s3.object.key)?;
    let bucket = wiring.source(&s3.bucket.name);
    let name = record
        .event_name
        .strip_prefix("s3:")
        .unwrap_or(&record.event_name);
    let object = ObjectInfo {
        bucket: bucket.to_owned(),
        key: key.clone(),
        size: s3.object.size,
        etag: s3.object.e_tag.clone().filter(|etag| !etag.is_empty()),
        version: s3.object.version_id.clone(),
        content_type: None,
    };
    // https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html
    let data = match name.split(':').next().unwrap_or_default() {
        "ObjectCreated" => Data::Bucket(ObjectEvent::Created(ObjectCreated(object))),
        "ObjectRemoved" | "LifecycleExpiration" => Data::Bucket(ObjectEvent::Deleted(ObjectDeleted(object))),
        // Restored from an archive, replicated, tagged: nothing that other targets know. The document follows.
        _ => Data::Raw(Raw::default()),
    };
    let request = record
        .response_elements
        .as_ref()
        .and_then(|elements| elements.request_id.as_deref());
    // One request may delete many objects, and one object's sequencer is unique for its key only.
    let id = s3.object.sequencer.as_deref().map(|sequencer| match request {
        Some(request) => [request, ".", sequencer].concat(),
        None => [&*s3.object.key, ".", sequencer].concat(),
    });
    let mut attributes = Attributes::known(&data, id, record.event_time.as_ref().map(|Time(time)| *time));
    if let (Data::Raw(_), source) = (&data, bucket) {
        attributes.source = format!("bucket/{source}").into();
        attributes.subject = Some(key);
    }
    let principal = record.user_identity.as_ref().map(|user| &user.principal_id);
    let source_ip = record
        .request_parameters
        .as_ref()
        .map(|parameters| &parameters.source_ip);
    let facts = [
        ("awsevent", Some(&*record.event_name)),
        ("awsregion", record.aws_region.as_deref()),
        ("awsprincipal", principal.and_then(Text::as_deref)),
        ("awssourceip", source_ip.and_then(Text::as_deref)),
        ("awssequencer", s3.object.sequencer.as_deref()),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            attributes.extensions.insert(name.into(), value.to_owned());
        }
    }
    Ok(Event::new(attributes, data))
}

/// Keys come as a form writes them: a space is a plus.
fn decode_key(key: &str) -> Result<String> {
    if !key.bytes().any(|byte| matches!(byte, b'+' | b'%')) {
        return Ok(key.to_owned());
    }
    let spaced: Vec<u8> = key
        .bytes()
        .map(|byte| if byte == b'+' { b' ' } else { byte })
        .collect();
    percent_decode(&spaced)
        .decode_utf8()
        .map(Cow::into_owned)
        .map_err(|error| {
            Error::new(
                ErrorKind::Decode,
                super::DECODE,
                "the object's key is not UTF-8 text",
            )
            .caused_by(error)
        })
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::{any, proptest};

    use super::decode_key;

    #[test]
    fn keys_are_read_as_a_form_writes_them() {
        assert_eq!(decode_key("a+b%2Bc%20d").unwrap(), "a b+c d");
        assert_eq!(decode_key("gr%C3%BC%C3%9Fe/%25.jpg").unwrap(), "grüße/%.jpg");
        assert!(decode_key("%ff").is_err());
    }

    proptest! {
        #[test]
        fn any_key_comes_back(key in any::<String>()) {
            let written = utf8_percent_encode(&key, NON_ALPHANUMERIC).to_string().replace("%20", "+");
            assert_eq!(decode_key(&written).unwrap(), key);
        }
    }
}

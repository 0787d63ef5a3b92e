//! The resource of an object: <https://cloud.google.com/storage/docs/json_api/v1/objects#resource>.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use crate::gcs::error::{Interface, Outcome, Refusal};
use crate::gcs::hash;
use crate::gcs::object::{Metadata, Object};

/// As an object is answered, and as notifications tell it.
pub(in crate::gcs) fn view(url: &str, bucket: &str, object: &Object) -> Value {
    let name = utf8_percent_encode(&object.name, NON_ALPHANUMERIC);
    let created = moment(object.created);
    let mut view = json!({
        "kind": "storage#object",
        "id": format!("{bucket}/{}/{}", object.name, object.generation),
        "selfLink": format!("{url}/storage/v1/b/{bucket}/o/{name}"),
        "mediaLink": format!("{url}/download/storage/v1/b/{bucket}/o/{name}?generation={}&alt=media", object.generation),
        "name": object.name,
        "bucket": bucket,
        "generation": object.generation.to_string(),
        "metageneration": object.metageneration.to_string(),
        "storageClass": object.storage_class(),
        "size": object.size().to_string(),
        "crc32c": hash::show_crc32c(object.crc32c),
        "etag": object.etag(Interface::Json),
        "timeCreated": created,
        "updated": moment(object.updated),
        "timeStorageClassUpdated": created,
        "timeFinalized": created,
    });
    let metadata = &object.metadata;
    let texts = [
        ("contentType", &metadata.content_type),
        ("contentEncoding", &metadata.content_encoding),
        ("contentDisposition", &metadata.content_disposition),
        ("contentLanguage", &metadata.content_language),
        ("cacheControl", &metadata.cache_control),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            view[name] = value.as_str().into();
        }
    }
    if let Some(md5) = &object.md5 {
        view["md5Hash"] = hash::show_md5(md5).into();
    }
    if let Some(components) = object.components {
        view["componentCount"] = components.into();
    }
    if !metadata.custom.is_empty() {
        view["metadata"] = json!(metadata.custom);
    }
    view
}

pub(in crate::gcs) fn moment(when: DateTime<Utc>) -> String {
    when.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// What a resource is sent for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// With content.
    New,
    /// To make an object of others.
    Copy,
    /// Of an object that is there; its storage class changes by a rewrite only.
    Change,
}

/// Metadata with what a resource says; `null` takes away. What cannot be written may be sent only as it `is`.
pub(super) fn metadata(
    body: &Map<String, Value>,
    mut metadata: Metadata,
    is: &Value,
    purpose: Purpose,
) -> Outcome<Metadata> {
    for (name, value) in body {
        let place = match name.as_str() {
            "contentType" => &mut metadata.content_type,
            "contentEncoding" => &mut metadata.content_encoding,
            "contentDisposition" => &mut metadata.content_disposition,
            "contentLanguage" => &mut metadata.content_language,
            "cacheControl" => &mut metadata.cache_control,
            "storageClass" if purpose != Purpose::Change => &mut metadata.storage_class,
            "metadata" => {
                custom(&mut metadata.custom, value)?;
                continue;
            }
            // They are checked where the content is.
            "crc32c" | "md5Hash" if purpose == Purpose::New => continue,
            _ if is.get(name) == Some(value) => continue,
            _ => {
                return Err(Refusal::not_built(format!(
                    "the field '{name}' with the value {value} here"
                )));
            }
        };
        *place = match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            _ => return Err(Refusal::invalid(format!("The field '{name}' is text."))),
        };
    }
    Ok(metadata)
}

fn custom(custom: &mut BTreeMap<String, String>, value: &Value) -> Outcome<()> {
    match value {
        Value::Null => custom.clear(),
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::Null => drop(custom.remove(key)),
                    Value::String(text) => drop(custom.insert(key.clone(), text.clone())),
                    _ => return Err(Refusal::invalid(format!("The metadata '{key}' is text."))),
                }
            }
        }
        _ => return Err(Refusal::invalid("The field 'metadata' is an object.")),
    }
    Ok(())
}

/// An object of texts.
pub(in crate::gcs) fn texts(value: Option<&Value>, name: &str) -> Outcome<BTreeMap<String, String>> {
    match value {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(value) => serde_json::from_value(value.clone())
            .map_err(|_| Refusal::invalid(format!("The field '{name}' is an object of texts."))),
    }
}

//! Content type and metadata, kept beside the bucket: one small file for each object that has some.
//!
//! A record's name holds the object's etag, so that it never speaks for another version: it is written before its object becomes visible, and the
//! one of the version before is removed after.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use nephos_core::{Error, ErrorKind, Result};
use object_store::{Attribute, AttributeValue, Attributes};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::files::io_error;
use crate::resources::bucket::{attribute_name, attribute_of};

#[derive(Serialize, Deserialize)]
struct Record {
    key: String,
    attributes: BTreeMap<String, String>,
}

/// Writes the attributes of the version `etag` of `key`.
pub(super) fn write(hidden: &Path, key: &str, etag: &str, attributes: &Attributes) -> Result<()> {
    const OPERATION: &str = "bucket.put";
    if attributes.is_empty() {
        return Ok(());
    }
    let record = Record {
        key: key.to_owned(),
        attributes: attributes
            .iter()
            .filter_map(|(attribute, value)| Some((attribute_name(attribute)?, value.as_ref().to_owned())))
            .collect(),
    };
    let path = path(hidden, key, etag);
    let json = serde_json::to_vec(&record).map_err(|error| {
        Error::new(ErrorKind::Internal, OPERATION, "the metadata has no JSON form").caused_by(error)
    })?;
    let failed = |error| io_error(error, OPERATION).with("file", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    // No reader looks for it before its object is visible, so it need not appear at once.
    fs::write(&path, json).map_err(failed)
}

/// The attributes of the version `etag` of `key`. A content type that was never set is guessed by the key's ending.
pub(super) fn read(hidden: &Path, key: &str, etag: &str) -> Attributes {
    let mut attributes = Attributes::new();
    let path = path(hidden, key, etag);
    match fs::read(&path) {
        Ok(json) => match serde_json::from_slice::<Record>(&json) {
            Ok(record) if record.key == key => {
                for (name, value) in record.attributes {
                    if let Some(attribute) = attribute_of(&name) {
                        attributes.insert(attribute, AttributeValue::from(value));
                    }
                }
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(key, file = %path.display(), %error, "an object's metadata is damaged and left out");
            }
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            tracing::warn!(key, file = %path.display(), %error, "an object's metadata cannot be read and is left out");
        }
    }
    if attributes.get(&Attribute::ContentType).is_none()
        && let Some(guess) = mime_guess::from_path(key).first_raw()
    {
        attributes.insert(Attribute::ContentType, AttributeValue::from(guess));
    }
    attributes
}

/// Forgets the attributes of a version that is no more.
pub(super) fn remove(hidden: &Path, key: &str, etag: &str) {
    let path = path(hidden, key, etag);
    if let Err(error) = fs::remove_file(&path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(key, file = %path.display(), %error, "the metadata of a former version stays behind");
    }
}

fn path(hidden: &Path, key: &str, etag: &str) -> PathBuf {
    let digest = hex(&Sha256::digest(key.as_bytes())[..16]);
    hidden
        .join("attributes")
        .join(&digest[..2])
        .join(format!("{digest}-{etag}.json"))
}

/// Bytes as lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

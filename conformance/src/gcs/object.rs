//! An object: content, metadata, and what tells one version of it from another.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::error::{Interface, Outcome, Refusal};
use super::hash;
use super::preconditions::Found;

/// The most that all keys and values of an object's own metadata have.
const MOST: usize = 8 * 1024;
const CLASSES: [&str; 4] = ["STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"];

/// What a client says of its object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) content_type: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) content_language: Option<String>,
    pub(super) cache_control: Option<String>,
    pub(super) storage_class: Option<String>,
    pub(super) custom: BTreeMap<String, String>,
}

impl Metadata {
    /// Refuses what no object may have.
    pub(super) fn check(&self) -> Outcome<()> {
        let size: usize = self
            .custom
            .iter()
            .map(|(key, value)| key.len() + value.len())
            .sum();
        if size > MOST {
            return Err(Refusal::new(
                400,
                "invalid",
                "MetadataTooLarge",
                format!("The total size of the metadata is {size} bytes, and may be {MOST}."),
            ));
        }
        for (key, value) in &self.custom {
            let is_token = http::HeaderName::from_bytes(format!("x-goog-meta-{key}").as_bytes()).is_ok();
            if key.is_empty() || !is_token || http::HeaderValue::from_bytes(value.as_bytes()).is_err() {
                return Err(Refusal::invalid(format!(
                    "The metadata '{key}' can be no header of the XML API."
                )));
            }
        }
        let fixed = [
            &self.content_type,
            &self.content_encoding,
            &self.content_disposition,
            &self.content_language,
            &self.cache_control,
        ];
        for value in fixed.into_iter().flatten() {
            if http::HeaderValue::from_str(value).is_err() {
                return Err(Refusal::invalid(format!(
                    "The metadata '{value}' can be no header's value."
                )));
            }
        }
        if let Some(class) = &self.storage_class
            && !CLASSES.contains(&class.as_str())
        {
            return Err(Refusal::new(
                400,
                "invalid",
                "InvalidStorageClass",
                format!("The storage class '{class}' is none of them."),
            ));
        }
        Ok(())
    }
}

/// What is written.
#[derive(Debug, Clone)]
pub(super) struct New {
    pub(super) content: Bytes,
    pub(super) metadata: Metadata,
    /// Objects that were put together have none.
    pub(super) has_md5: bool,
    pub(super) components: Option<u32>,
}

/// A live object.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) name: String,
    pub(super) content: Bytes,
    pub(super) metadata: Metadata,
    pub(super) generation: u64,
    pub(super) metageneration: u64,
    pub(super) crc32c: u32,
    pub(super) md5: Option<[u8; 16]>,
    pub(super) components: Option<u32>,
    pub(super) created: DateTime<Utc>,
    pub(super) updated: DateTime<Utc>,
}

impl Object {
    pub(super) fn new(name: &str, new: New, generation: u64, now: DateTime<Utc>) -> Self {
        Self {
            name: name.to_owned(),
            crc32c: hash::crc32c(&new.content),
            md5: new.has_md5.then(|| hash::md5(&new.content)),
            content: new.content,
            metadata: new.metadata,
            generation,
            metageneration: 1,
            components: new.components,
            created: now,
            updated: now,
        }
    }

    pub(super) fn size(&self) -> usize {
        self.content.len()
    }

    pub(super) fn storage_class(&self) -> &str {
        self.metadata.storage_class.as_deref().unwrap_or("STANDARD")
    }

    /// The ETag as an interface shows it: XML's is the MD5 sum where there is one, and so is the same for the same content.
    /// <https://cloud.google.com/storage/docs/hashes-etags#etags>
    pub(super) fn etag(&self, interface: Interface) -> String {
        match (interface, self.md5) {
            (Interface::Xml, Some(md5)) => format!("\"{}\"", hex(&md5)),
            (Interface::Xml, None) => format!("\"-{}\"", etag(self.generation, self.metageneration)),
            (Interface::Json, _) => etag(self.generation, self.metageneration),
        }
    }

    pub(super) fn found(&self, interface: Interface) -> Found {
        Found {
            generation: self.generation,
            metageneration: self.metageneration,
            etag: self.etag(interface),
            updated: self.updated,
        }
    }
}

/// JSON's ETag: two numbers in the encoding of Protocol Buffers, in Base64.
pub(super) fn etag(generation: u64, metageneration: u64) -> String {
    let mut bytes = Vec::new();
    number(&mut bytes, 0x08, generation);
    number(&mut bytes, 0x10, metageneration);
    STANDARD.encode(bytes)
}

/// That of a bucket has one; its first is `CAE=`.
pub(super) fn bucket_etag(metageneration: u64) -> String {
    let mut bytes = Vec::new();
    number(&mut bytes, 0x08, metageneration);
    STANDARD.encode(bytes)
}

fn number(bytes: &mut Vec<u8>, tag: u8, mut left: u64) {
    bytes.push(tag);
    while left > 0x7f {
        bytes.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

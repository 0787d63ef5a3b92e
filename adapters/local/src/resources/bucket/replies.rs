//! The JSON of the buckets' part of the resource API, for both sides.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One page of a listing.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct ListReply {
    /// The objects.
    pub(crate) objects: Vec<WireObject>,
    /// The common prefixes, each with the delimiter at its end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) prefixes: Vec<String>,
    /// With what the next page begins (`token=…`); none if this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// An object of a listing.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WireObject {
    pub(crate) key: String,
    pub(crate) size: u64,
    pub(crate) etag: Option<String>,
    pub(crate) modified: DateTime<Utc>,
}

/// The answer to the beginning of an upload.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct UploadReply {
    pub(crate) id: String,
}

/// The answer to the end of an upload.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WrittenReply {
    pub(crate) etag: String,
}

/// A signed URL.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SignedReply {
    pub(crate) url: String,
}

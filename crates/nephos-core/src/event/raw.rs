//! An event as it came: bytes and their media type.

use std::borrow::Cow;

use bytes::Bytes;

use crate::error::Result;
use crate::event::Payload;

/// Bytes as the provider sent them; the way to what no neutral field holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Raw {
    /// The media type, if it is known.
    pub content_type: Option<Cow<'static, str>>,
    /// The bytes.
    pub bytes: Bytes,
}

impl Raw {
    /// Raw JSON bytes.
    pub fn json(bytes: impl Into<Bytes>) -> Self {
        Self {
            content_type: Some(Cow::Borrowed("application/json")),
            bytes: bytes.into(),
        }
    }

    /// Bytes of the media type that a header names. The types that most events have take no memory of their own.
    #[must_use]
    pub fn of(content_type: Option<&str>, bytes: Bytes) -> Self {
        const MOST: [&str; 3] = [
            "application/json",
            "application/protobuf",
            "application/cloudevents+json",
        ];
        let known = |told: &str| MOST.into_iter().find(|known| *known == told);
        Self {
            content_type: content_type
                .map(|told| known(told).map_or_else(|| Cow::Owned(told.to_owned()), Cow::Borrowed)),
            bytes,
        }
    }

    /// Decodes the bytes, as [`Payload::decode`] does.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode) with the field that does not fit.
    pub fn decode<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        Payload {
            content_type: self.content_type.clone().map(Cow::into_owned),
            bytes: self.bytes.clone(),
        }
        .decode()
    }
}

impl From<Payload> for Raw {
    fn from(payload: Payload) -> Self {
        Self {
            content_type: payload.content_type.map(Cow::Owned),
            bytes: payload.bytes,
        }
    }
}

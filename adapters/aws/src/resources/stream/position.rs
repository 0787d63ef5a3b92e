//! A place in a stream: one in each of its shards.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nephos_core::resource::stream::Position;
use nephos_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// How far one shard was read. A shard that the position does not name was not read yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Place {
    /// Up to and with this number.
    After(String),
    /// To its end: it was split or merged, and takes no more.
    Ended,
}

/// A place in a stream, as text that only this stream takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Places {
    stream: String,
    pub(super) shards: BTreeMap<String, Place>,
    /// The shard that was read last: the next read begins behind it, so that a busy shard does not keep the others from being read.
    pub(super) last: Option<String>,
}

impl Places {
    pub(super) fn of(operation: &'static str, stream: &str, position: &Position) -> Result<Self> {
        let Position::After(text) = position else {
            return Ok(Self {
                stream: stream.to_owned(),
                ..Self::default()
            });
        };
        URL_SAFE_NO_PAD
            .decode(text)
            .ok()
            .and_then(|json| serde_json::from_slice::<Self>(&json).ok())
            .filter(|places| places.stream == stream)
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidArgument,
                    operation,
                    "the position is not one of this stream; pass what an earlier page of it returned as `next`",
                )
            })
    }

    pub(super) fn position(&self) -> Position {
        // Texts by text have a JSON form.
        Position::After(URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_comes_back_for_its_own_stream_only() {
        let mut places = Places::of("stream.read", "readings", &Position::Oldest).unwrap();
        places.shards.insert("a".to_owned(), Place::After("1".to_owned()));
        places.shards.insert("b".to_owned(), Place::Ended);
        places.last = Some("a".to_owned());
        let position = places.position();
        assert_eq!(Places::of("stream.read", "readings", &position).unwrap(), places);
        let foreign = Places::of("stream.read", "others", &position).unwrap_err();
        assert_eq!(foreign.kind(), ErrorKind::InvalidArgument);
    }

    #[test]
    fn what_is_no_position_is_refused() {
        for text in ["", "not a position", "-1", "💥", "e30"] {
            let position = Position::After(text.to_owned());
            let error = Places::of("stream.read", "readings", &position).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{text:?}");
        }
    }
}

//! A body in pieces: long repetitions, of which rules make megabytes, are told as such, so that a recording stays small and can be read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// The lengths of what may be repeated, in bytes: a letter, a letter of two to four bytes, all bytes there are, and these as Base64.
const UNITS: [usize; 6] = [1, 2, 3, 4, 256, 1024];

/// How long a repetition is at least, in bytes.
const LONG: usize = 1024;

/// How often something is repeated at least.
const OFTEN: usize = 4;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Literal(Vec<u8>),
    Repeated { unit: Vec<u8>, times: usize },
}

/// A body. The same bytes are always the same pieces.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Told", into = "Told")]
pub(super) struct Body(pub(super) Vec<Piece>);

impl Body {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut pieces = Vec::new();
        let (mut from, mut at) = (0, 0);
        while at < bytes.len() {
            let Some((unit, times)) = repetition(&bytes[at..]) else {
                at += 1;
                continue;
            };
            if from < at {
                pieces.push(Piece::Literal(bytes[from..at].to_vec()));
            }
            pieces.push(Piece::Repeated {
                unit: bytes[at..at + unit].to_vec(),
                times,
            });
            at += unit * times;
            from = at;
        }
        if from < bytes.len() {
            pieces.push(Piece::Literal(bytes[from..].to_vec()));
        }
        Self(pieces)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(literal) => bytes.extend_from_slice(literal),
                Piece::Repeated { unit, times } => bytes.extend_from_slice(&unit.repeat(*times)),
            }
        }
        bytes
    }

    /// For people: repetitions as what is repeated, and how often.
    pub(super) fn shown(&self) -> String {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Literal(literal) => String::from_utf8_lossy(literal).into_owned(),
                Piece::Repeated { unit, times } => {
                    format!("[{times} times {}]", String::from_utf8_lossy(unit))
                }
            })
            .collect()
    }
}

/// What is repeated at the beginning of `bytes`: its length, and how often it is there.
fn repetition(bytes: &[u8]) -> Option<(usize, usize)> {
    UNITS.into_iter().find_map(|unit| {
        let behind = bytes.get(unit..)?;
        let same = bytes.iter().zip(behind).take_while(|(a, b)| a == b).count();
        let times = same / unit + 1;
        (times >= OFTEN && times * unit >= LONG).then_some((unit, times))
    })
}

/// A body as the file has it: a text, or a list of texts and of what is no text or is repeated.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Told {
    Text(String),
    Pieces(Vec<ToldPiece>),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum ToldPiece {
    Text(String),
    Other(Other),
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Other {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    times: Option<usize>,
}

impl From<Body> for Told {
    fn from(body: Body) -> Self {
        let mut pieces: Vec<ToldPiece> = body.0.into_iter().map(ToldPiece::from).collect();
        match (pieces.pop(), pieces.is_empty()) {
            (None, _) => Self::Text(String::new()),
            (Some(ToldPiece::Text(text)), true) => Self::Text(text),
            (Some(last), _) => {
                pieces.push(last);
                Self::Pieces(pieces)
            }
        }
    }
}

impl From<Piece> for ToldPiece {
    fn from(piece: Piece) -> Self {
        let (bytes, times) = match piece {
            Piece::Literal(literal) => (literal, None),
            Piece::Repeated { unit, times } => (unit, Some(times)),
        };
        match (String::from_utf8(bytes), times) {
            (Ok(text), None) => Self::Text(text),
            (Ok(text), times) => Self::Other(Other {
                text: Some(text),
                times,
                ..Other::default()
            }),
            (Err(error), times) => Self::Other(Other {
                base64: Some(STANDARD.encode(error.as_bytes())),
                times,
                ..Other::default()
            }),
        }
    }
}

impl TryFrom<Told> for Body {
    type Error = String;

    fn try_from(told: Told) -> Result<Self, String> {
        let pieces = match told {
            Told::Text(text) if text.is_empty() => Vec::new(),
            Told::Text(text) => vec![Piece::Literal(text.into_bytes())],
            Told::Pieces(pieces) => pieces
                .into_iter()
                .map(Piece::try_from)
                .collect::<Result<_, String>>()?,
        };
        Ok(Self(pieces))
    }
}

impl TryFrom<ToldPiece> for Piece {
    type Error = String;

    fn try_from(told: ToldPiece) -> Result<Self, String> {
        let other = match told {
            ToldPiece::Text(text) => return Ok(Self::Literal(text.into_bytes())),
            ToldPiece::Other(other) => other,
        };
        let bytes = match (other.text, other.base64) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(base64)) => STANDARD
                .decode(base64)
                .map_err(|error| format!("a piece of a body is not Base64: {error}"))?,
            _ => return Err("a piece of a body has either `text` or `base64`".to_owned()),
        };
        Ok(match other.times {
            None => Self::Literal(bytes),
            Some(times) => Self::Repeated { unit: bytes, times },
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct File {
        body: Body,
    }

    fn through_a_file(body: &Body) -> (String, Body) {
        let text = toml::to_string(&File { body: body.clone() }).unwrap();
        let read: File = toml::from_str(&text).unwrap();
        (text, read.body)
    }

    #[test]
    fn megabytes_of_a_pattern_take_a_line_and_come_back() {
        let all: Vec<u8> = (0..=255).collect();
        for (pattern, times) in [
            (b"x".to_vec(), 1 << 20),
            ("É".as_bytes().to_vec(), 100_000),
            (all.clone(), 300),
            (STANDARD.encode(all.repeat(3)).into_bytes(), 64),
        ] {
            let bytes = [b"{\"text\":\"", pattern.repeat(times).as_slice(), b"\"}"].concat();
            let body = Body::of(&bytes);
            let (text, read) = through_a_file(&body);
            assert!(text.len() < 2000, "{} bytes of file: {text}", text.len());
            assert_eq!(read, body);
            assert!(read.bytes() == bytes, "the bytes changed");
        }
    }

    #[test]
    fn text_is_told_as_text_and_what_is_none_as_base64() {
        assert_eq!(
            through_a_file(&Body::of("é\n\"".as_bytes())).0,
            "body = \"\"\"\né\n\"\"\"\"\n"
        );
        assert!(through_a_file(&Body::of(&[0xff])).0.contains("base64 = \"/w==\""));
        assert_eq!(through_a_file(&Body::default()).0, "body = \"\"\n");
    }

    proptest! {
        #[test]
        fn every_body_comes_back_from_its_file(
            parts in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..6), 1..2000_usize), 0..4)
        ) {
            let bytes: Vec<u8> = parts.iter().flat_map(|(unit, times)| unit.repeat(*times)).collect();
            let body = Body::of(&bytes);
            prop_assert!(body.bytes() == bytes);
            let (_, read) = through_a_file(&body);
            prop_assert!(read.bytes() == bytes);
            // Literals that follow each other are never made, so the same bytes are the same pieces.
            prop_assert_eq!(Body::of(&read.bytes()), body);
        }
    }
}

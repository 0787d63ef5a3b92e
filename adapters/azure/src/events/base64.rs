//! Base64 as Azure writes it: the standard alphabet, padded.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nephos_core::{Error, ErrorKind, Result};

pub(super) fn decode(text: &str, what: &'static str) -> Result<Vec<u8>> {
    STANDARD
        .decode(text)
        .map_err(|error| Error::new(ErrorKind::Decode, super::DECODE, what).caused_by(error))
}

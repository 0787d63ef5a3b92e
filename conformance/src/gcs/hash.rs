//! Checksums: what content has, and what a client says that it has.
//!
//! <https://cloud.google.com/storage/docs/data-validation>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use serde_json::{Map, Value};

use super::error::{Outcome, Refusal};
use super::request::Asked;

/// The checksum of a client's choice.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Sum {
    Crc32c(u32),
    Md5([u8; 16]),
}

/// What a client says of its content.
#[derive(Debug, Clone, Default)]
pub(super) struct Expected(Vec<Sum>);

pub(super) fn crc32c(content: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(content)
}

pub(super) fn md5(content: &[u8]) -> [u8; 16] {
    Md5::digest(content).into()
}

/// In Base64, in the order of the network.
pub(super) fn show_crc32c(sum: u32) -> String {
    STANDARD.encode(sum.to_be_bytes())
}

pub(super) fn show_md5(sum: &[u8; 16]) -> String {
    STANDARD.encode(sum)
}

impl Expected {
    /// `x-goog-hash`, and `Content-MD5` where it is documented.
    pub(super) fn headers(asked: &Asked) -> Outcome<Self> {
        let mut expected = Self::default();
        for value in asked.headers.get_all("x-goog-hash") {
            let value = value
                .to_str()
                .map_err(|_| Refusal::invalid("The header 'x-goog-hash' is not ASCII."))?;
            for one in value.split(',').map(str::trim) {
                match one.split_once('=') {
                    Some(("crc32c", sum)) => expected.crc32c(sum)?,
                    Some(("md5", sum)) => expected.md5(sum)?,
                    _ => return Err(malformed(one)),
                }
            }
        }
        if let Some(sum) = asked.header("content-md5")? {
            expected.md5(sum)?;
        }
        Ok(expected)
    }

    /// `crc32c` and `md5Hash` of a resource.
    pub(super) fn resource(&mut self, resource: &Map<String, Value>) -> Outcome<()> {
        if let Some(sum) = resource.get("crc32c") {
            self.crc32c(sum.as_str().unwrap_or_default())?;
        }
        if let Some(sum) = resource.get("md5Hash") {
            self.md5(sum.as_str().unwrap_or_default())?;
        }
        Ok(())
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    fn crc32c(&mut self, text: &str) -> Outcome<()> {
        let bytes = decoded::<4>(text)?;
        self.0.push(Sum::Crc32c(u32::from_be_bytes(bytes)));
        Ok(())
    }

    fn md5(&mut self, text: &str) -> Outcome<()> {
        self.0.push(Sum::Md5(decoded(text)?));
        Ok(())
    }

    /// Refuses content that has other checksums.
    pub(super) fn check(&self, content: &[u8]) -> Outcome<()> {
        for sum in &self.0 {
            match sum {
                Sum::Crc32c(sent) => {
                    let found = crc32c(content);
                    if found != *sent {
                        return Err(Refusal::digest(
                            "CRC32C",
                            &show_crc32c(*sent),
                            &show_crc32c(found),
                        ));
                    }
                }
                Sum::Md5(sent) => {
                    let found = md5(content);
                    if found != *sent {
                        return Err(Refusal::digest("MD5 hash", &show_md5(sent), &show_md5(&found)));
                    }
                }
            }
        }
        Ok(())
    }
}

fn decoded<const N: usize>(text: &str) -> Outcome<[u8; N]> {
    STANDARD
        .decode(text)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| malformed(text))
}

fn malformed(text: &str) -> Refusal {
    Refusal::new(
        400,
        "invalid",
        "InvalidDigest",
        format!("'{text}' is no checksum: it is crc32c or md5, in Base64."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksums_are_those_of_the_documents() {
        // RFC 3720, B.4, and RFC 1321, A.5.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(show_crc32c(crc32c(b"")), "AAAAAA==");
        assert_eq!(show_md5(&md5(b"")), "1B2M2Y8AsgTpgAmY7PhCfg==");
    }
}

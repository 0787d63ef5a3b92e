//! Positions and cursors that callers hold: opaque to them, recognised by the store.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nephos_core::{Error, ErrorKind, Result};

/// The most items or records that one page holds, whatever was asked for: a page is held in memory.
pub(super) const MAX_PAGE: usize = 1000;

/// A short mark of what a token belongs to. It guards against mistakes, not against forgery: a token opens nothing that its bearer
/// could not read anyway.
pub(super) fn tag(parts: &[&str]) -> u32 {
    // FNV-1a over the parts, each closed by a byte that text cannot hold.
    let mut hash: u32 = 0x811c_9dc5;
    for part in parts {
        for byte in part.bytes().chain([0xff]) {
            hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    }
    hash
}

/// A cursor behind the item of this key, for the request that `mark` stands for.
pub(super) fn cursor(mark: u32, partition: &str, sort: &str) -> String {
    let mut bytes = mark.to_be_bytes().to_vec();
    // Text of any length; the partition key's length tells where the sort key begins.
    bytes.extend(u32::try_from(partition.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(partition.bytes());
    bytes.extend(sort.bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The key in a cursor, if it is one for the same request.
pub(super) fn key_of_cursor(operation: &'static str, mark: u32, cursor: &str) -> Result<(String, String)> {
    read(mark, cursor).ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidArgument,
            operation,
            "not a cursor of this request; pass on `next` of the page before, with the same query",
        )
    })
}

fn read(mark: u32, cursor: &str) -> Option<(String, String)> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (of, rest) = bytes.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    if u32::from_be_bytes(*of) != mark {
        return None;
    }
    let (partition, sort) = rest.split_at_checked(length)?;
    Some((
        String::from_utf8(partition.to_vec()).ok()?,
        String::from_utf8(sort.to_vec()).ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_gives_its_key_back_and_only_to_the_same_request() {
        let text = cursor(7, "a\0é", "");
        assert_eq!(
            key_of_cursor("table.scan", 7, &text).unwrap(),
            ("a\0é".into(), String::new())
        );
        for (mark, text) in [
            (8, text.as_str()),
            (7, ""),
            (7, "AAAA"),
            (7, "%"),
            (7, &text[..text.len() - 2]),
        ] {
            let error = key_of_cursor("table.scan", mark, text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{text}");
        }
    }

    #[test]
    fn parts_are_told_apart() {
        assert_ne!(tag(&["ab", "c"]), tag(&["a", "bc"]));
    }
}

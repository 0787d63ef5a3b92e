//! JSON that is read from bytes.

use serde::Deserialize;
use serde::de::Error as _;

/// Reads JSON. That it is UTF-8 is looked at once for all of it, which costs less than for each text in it by itself.
///
/// # Errors
/// As [`serde_json::from_slice`].
pub fn from_slice<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> serde_json::Result<T> {
    serde_json::from_str(text(bytes)?)
}

pub(crate) fn text(bytes: &[u8]) -> serde_json::Result<&str> {
    std::str::from_utf8(bytes)
        .map_err(|error| serde_json::Error::custom(format_args!("the text is not UTF-8: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_utf8_is_refused_and_all_else_read_as_ever() {
        assert_eq!(from_slice::<Vec<&str>>(br#"["a", "b"]"#).unwrap(), ["a", "b"]);
        assert!(from_slice::<Vec<&str>>(b"[\"a\"").unwrap_err().is_eof());
        let error = from_slice::<String>(b"\"\xff\"").unwrap_err();
        assert!(error.to_string().contains("not UTF-8"), "{error}");
    }
}

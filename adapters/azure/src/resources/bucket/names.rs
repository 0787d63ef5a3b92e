//! Names of metadata. Azure takes identifiers of C# only, ours are all visible ASCII signs: what Azure does not take is written as `_` and its number
//! in two hexadecimal digits (`exposure-ms` as `exposure_2dms`). <https://learn.microsoft.com/dotnet/csharp/language-reference/language-specification/lexical-structure#643-identifiers>

use std::borrow::Cow;

/// The name as Azure keeps it.
pub(super) fn escape(name: &str) -> Cow<'_, str> {
    if name.bytes().enumerate().all(|(at, byte)| is_taken(at == 0, byte)) {
        return Cow::Borrowed(name);
    }
    let mut escaped = String::with_capacity(name.len() + 4);
    for (at, byte) in name.bytes().enumerate() {
        if is_taken(at == 0, byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("_{byte:02x}"));
        }
    }
    Cow::Owned(escaped)
}

/// Undoes [`escape`]. A name of others stays as it is, unless it looks just like one that was escaped.
pub(super) fn unescape(name: &str) -> Cow<'_, str> {
    if !name.contains('_') {
        return Cow::Borrowed(name);
    }
    let mut plain = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find('_') {
        let (before, escaped) = rest.split_at(at);
        plain.push_str(before);
        let byte = escaped
            .get(1..3)
            .filter(|digits| {
                digits
                    .bytes()
                    .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
            })
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .filter(|byte| byte.is_ascii_graphic() && !is_taken(plain.is_empty(), *byte));
        match byte {
            Some(byte) => {
                plain.push(char::from(byte));
                rest = &escaped[3..];
            }
            None => {
                plain.push('_');
                rest = &escaped[1..];
            }
        }
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

/// Whether Azure takes the sign, and gives it back as it was.
fn is_taken(is_first: bool, byte: u8) -> bool {
    byte.is_ascii_lowercase() || (byte.is_ascii_digit() && !is_first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_azure_does_not_take_is_escaped() {
        for (name, escaped) in [
            ("camera", "camera"),
            ("exposure-ms", "exposure_2dms"),
            ("2nd", "_32nd"),
            ("a_b", "a_5fb"),
            ("_2d", "_5f2d"),
            ("a.b!", "a_2eb_21"),
        ] {
            assert_eq!(escape(name), escaped);
            assert_eq!(unescape(escaped), name);
        }
        // Of others.
        for name in ["my_name", "my_face", "_", "a__b", "Camera", "a_2"] {
            assert_eq!(unescape(name), name);
        }
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name in "[!-@\\[-~]{1,20}") {
            let escaped = escape(&name).into_owned();
            prop_assert_eq!(unescape(&escaped).into_owned(), name);
        }
    }
}

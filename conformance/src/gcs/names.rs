//! Names of buckets and objects: <https://cloud.google.com/storage/docs/buckets#naming>, <https://cloud.google.com/storage/docs/objects#naming>.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::error::{Outcome, Refusal};

/// Whether a bucket may be called so.
pub(super) fn bucket(name: &str) -> Outcome<()> {
    let invalid = |why: &str| Err(Refusal::invalid(format!("Invalid bucket name: '{name}': {why}.")));
    let limit = if name.contains('.') { 222 } else { 63 };
    if !(3..=limit).contains(&name.len()) {
        return invalid("it has 3 to 63 characters, with dots up to 222");
    }
    if name.split('.').any(|part| part.is_empty() || part.len() > 63) {
        return invalid("what stands between dots has 1 to 63 characters");
    }
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if !name
        .bytes()
        .all(|byte| alphanumeric(byte) || b"-_.".contains(&byte))
    {
        return invalid("it has lower-case letters, digits, '-', '_' and '.'");
    }
    let ends = [name.bytes().next(), name.bytes().last()];
    if !ends.into_iter().flatten().all(alphanumeric) {
        return invalid("it begins and ends with a letter or a digit");
    }
    if name.parse::<Ipv4Addr>().is_ok() {
        return invalid("it is no IP address");
    }
    if name.starts_with("goog") || name.contains("google") || name.contains("g00gle") {
        return invalid("it does not begin with 'goog' and has nothing like 'google' in it");
    }
    if name.contains('.') {
        return Err(Refusal::new(
            403,
            "forbidden",
            "AccessDenied",
            "The bucket you tried to create requires domain ownership verification.",
        ));
    }
    Ok(())
}

/// Whether a bucket may have these labels: <https://cloud.google.com/storage/docs/tags-and-labels#bucket-labels>.
pub(super) fn labels(labels: &BTreeMap<String, String>) -> Outcome<()> {
    if labels.len() > 64 {
        return Err(Refusal::invalid("A bucket has at most 64 labels."));
    }
    let fits = |text: &str| {
        let known = |c: char| c.is_numeric() || "-_".contains(c) || (c.is_alphabetic() && !c.is_uppercase());
        text.chars().count() <= 63 && text.chars().all(known)
    };
    let wrong = labels
        .iter()
        .find(|(key, value)| !key.starts_with(char::is_alphabetic) || !fits(key) || !fits(value));
    match wrong {
        Some((key, _)) => Err(Refusal::invalid(format!(
            "Invalid label '{key}': keys and values have at most 63 lower-case letters, digits, '-' and '_', and keys begin with a letter."
        ))),
        None => Ok(()),
    }
}

/// Whether an object may be called so.
pub(super) fn object(name: &str) -> Outcome<()> {
    let invalid = |why: &str| Err(Refusal::invalid(format!("Invalid object name: {why}.")));
    if name.is_empty() || name.len() > 1024 {
        return invalid("it has 1 to 1024 bytes of UTF-8");
    }
    if name.contains(['\r', '\n']) {
        return invalid("it has no carriage return and no line feed");
    }
    if name.starts_with(".well-known/acme-challenge/") {
        return invalid("it does not begin with '.well-known/acme-challenge/'");
    }
    if name == "." || name == ".." {
        return invalid("it is not '.' or '..'");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_buckets_are_those_of_the_documents() {
        for name in ["abc", "a-b_c0", &"a".repeat(63)] {
            assert!(bucket(name).is_ok(), "{name}");
        }
        let long = "a".repeat(64);
        for name in [
            "ab",
            "Abc",
            "-ab",
            "ab-",
            "a b",
            "192.168.5.4",
            "goog-a",
            "my-google",
            "g00gle1",
            "a..b",
            &long,
        ] {
            assert_eq!(bucket(name).unwrap_err().status, 400, "{name}");
        }
        assert_eq!(bucket("www.example.com").unwrap_err().status, 403);
    }

    #[test]
    fn names_of_objects_are_those_of_the_documents() {
        for name in ["a", "ä/ö?#&%", "a//b", "...", &"ä".repeat(512)] {
            assert!(object(name).is_ok(), "{name}");
        }
        let long = "ä".repeat(513);
        for name in [
            "",
            ".",
            "..",
            "a\nb",
            "a\r",
            ".well-known/acme-challenge/x",
            &long,
        ] {
            assert_eq!(object(name).unwrap_err().status, 400, "{name:?}");
        }
    }
}

//! What a document most likely is, by its first fields and without reading it: the codec reads all of it in any case, and where it refuses,
//! [`classify`](super::classify()) has the last word.
//!
//! Nothing here is checked; a codec whose kind is guessed by more than its name checks that. What is not written as services write it is no error, but no guess either.

use memchr::memchr2;

use super::Kind;
use super::classify::of_source;

/// The kind that has the document's first fields alone, if one does.
pub(super) fn guess(document: &str) -> Option<Kind> {
    let mut fields = Fields::of(document.as_bytes())?;
    let (mut tick, mut events, mut format_2, mut trigger) = (false, false, false, false);
    while let Some(name) = fields.name() {
        if name == b"Records" {
            return first_record(fields.rest);
        }
        let value = fields.value()?;
        match name {
            b"detail-type" => tick = text(value)? == b"Scheduled Event",
            b"source" => events = text(value)? == b"aws.events",
            b"version" => format_2 = text(value)? == b"2.0",
            // An authorizer is asked.
            b"type" => return None,
            b"triggerSource" => trigger = true,
            // Its context, which says the same, stands almost at the end.
            b"rawPath" if format_2 => return Some(Kind::Http),
            b"userPoolId" if trigger => return Some(Kind::Auth),
            _ => {}
        }
        if tick && events {
            return Some(Kind::Rule);
        }
    }
    None
}

/// The kind of the first record of a list, by its source, or by the field that only its kind has, where that comes first: all of the content is in it.
fn first_record(list: &[u8]) -> Option<Kind> {
    let mut record = Fields::of(list.trim_ascii_start().strip_prefix(b"[")?)?;
    while let Some(name) = record.name() {
        match name {
            b"kinesis" => return Some(Kind::Stream),
            b"ses" => return Some(Kind::Email),
            _ => {}
        }
        let value = record.value()?;
        // SNS writes it with a capital.
        if matches!(name, b"eventSource" | b"EventSource") {
            return of_source(std::str::from_utf8(text(value)?).ok()?);
        }
    }
    None
}

/// The text of a string without escapes.
fn text(value: &[u8]) -> Option<&[u8]> {
    value.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// The fields of an object, one after the other.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn of(json: &'a [u8]) -> Option<Self> {
        let rest = json.trim_ascii_start().strip_prefix(b"{")?;
        Some(Self { rest })
    }

    /// The next field's name.
    fn name(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.trim_ascii_start();
        let rest = rest.strip_prefix(b",").unwrap_or(rest).trim_ascii_start();
        let end = string(rest)?;
        self.rest = rest[end..].trim_ascii_start().strip_prefix(b":")?;
        text(&rest[..end])
    }

    /// The text of its value.
    fn value(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.trim_ascii_start();
        let end = match rest.first()? {
            b'"' => string(rest)?,
            b'{' | b'[' => nested(rest)?,
            _ => rest.iter().position(|byte| matches!(byte, b',' | b'}' | b']'))?,
        };
        self.rest = &rest[end..];
        Some(&rest[..end])
    }
}

/// Where the string ends that begins here.
fn string(json: &[u8]) -> Option<usize> {
    let mut at = 1;
    if json.first() != Some(&b'"') {
        return None;
    }
    loop {
        at += memchr2(b'"', b'\\', json.get(at..)?)?;
        if json[at] == b'"' {
            return Some(at + 1);
        }
        // What it escapes is one character at least.
        at += 2;
    }
}

/// Where the object or list ends that begins here.
fn nested(json: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_usize);
    loop {
        match json.get(at)? {
            b'"' => {
                at += string(&json[at..])?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::super::classify;
    use super::guess;

    #[test]
    fn the_first_fields_of_a_kind_tell_it() {
        for document in [
            r#" {"Records" : [ {"a": {"b": ["]", "\"}"]}, "n": -1.5, "eventSource": "aws:sqs", "#,
            r#"{"Records":[{"EventSource":"aws:sns""#,
            r#"{"Records":[{"eventVersion":"1.0","ses":"#,
            r#"{"Records":[{"kinesis":"#,
            r#"{"version":"2.0","routeKey":"x","rawPath":"/","#,
            r#"{"detail-type":"Scheduled Event","x":null,"source":"aws.events","#,
            r#"{"triggerSource":"PreSignUp_SignUp","userPoolId":"p","#,
        ] {
            assert!(guess(document).is_some(), "{document}");
        }
    }

    #[test]
    fn what_may_be_something_else_is_left_open() {
        for document in [
            "",
            "[]",
            r#"{"version":"2.0","type":"REQUEST","rawPath":"/"}"#,
            r#"{"Records":[]}"#,
            r#"{"Records":[{"eventSource":"aws:kafka"}]}"#,
            r#"{"Rec\u006frds":[{"eventSource":"aws:sqs"}]}"#,
            r#"{"source":"aws.events","detail-type":"Other"}"#,
            r#"{"session":{},"request":{"type":"LaunchRequest"}}"#,
        ] {
            assert_eq!(guess(document), None, "{document}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_guessed_without_a_panic(text in any::<String>(), cut in 0_usize..200) {
            let _ = guess(&text);
            let whole = format!(r#"{{"a":[{{"b":{text:?}}}],"version":"2.0","rawPath":"/","requestContext":{{"http":{{}}}}}}"#);
            let cut = (0..=cut.min(whole.len())).rev().find(|at| whole.is_char_boundary(*at)).unwrap_or(0);
            let _ = guess(&whole[..cut]);
            if let (Some(guessed), Ok(kind)) = (guess(&whole), classify(whole.as_bytes())) {
                assert_eq!(guessed, kind);
            }
        }
    }
}

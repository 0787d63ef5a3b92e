//! A request as the client sent it, or nearly: what the host does to it on the way to the process is done here too.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request};
use http_body_util::{BodyExt as _, Full};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{Answer, Call, failed, joined};
use crate::azure_functions::invoke::Invoker;
use crate::azure_functions::package::Function;

/// Headers that the host knows as those of a body, and does not carry over with the others.
const CONTENT: [&str; 11] = [
    "allow",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-md5",
    "content-range",
    "content-type",
    "expires",
    "last-modified",
];

/// Headers of one connection.
const HOP: [&str; 5] = ["connection", "keep-alive", "te", "transfer-encoding", "upgrade"];

/// What stays as it is in a path.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@')
    .remove(b'%');

/// What stays as it is in a query.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Path and query, and the rest of the request, as the process gets them.
pub(in crate::azure_functions) fn request(call: &Call) -> (String, http::request::Builder) {
    let mut target = path(call.parts.uri.path());
    let query: Vec<String> = joined(call.parts.uri.query().unwrap_or_default())
        .iter()
        .map(|(name, value)| {
            format!(
                "{}={}",
                utf8_percent_encode(name, QUERY),
                utf8_percent_encode(value, QUERY)
            )
        })
        .collect();
    if !query.is_empty() {
        target.push('?');
        target.push_str(&query.join("&"));
    }
    let mut request = Request::builder().method(call.parts.method.clone());
    if let Some(headers) = request.headers_mut() {
        carry(&call.parts.headers, headers, &call.body);
    }
    (target, request)
}

pub(super) async fn call(invoker: &Invoker, function: &Function, call: Call) -> Answer {
    let (target, request) = request(&call);
    let answered = invoker
        .send(function, &target, request, Full::new(call.body).boxed())
        .await;
    match answered {
        Ok(answered) => {
            let (parts, body) = answered.into_parts();
            let mut answer = Answer::new(Full::new(body));
            *answer.status_mut() = parts.status;
            for (name, value) in &parts.headers {
                if !HOP.contains(&name.as_str()) && name != http::header::CONTENT_LENGTH {
                    answer.headers_mut().append(name, value.clone());
                }
            }
            answer
        }
        Err(failure) => {
            invoker
                .log
                .line(format!("function `{}` failed: {failure}", function.name));
            failed()
        }
    }
}

fn carry(from: &HeaderMap, to: &mut HeaderMap, body: &Bytes) {
    for (name, value) in from {
        if !CONTENT.contains(&name.as_str()) && !HOP.contains(&name.as_str()) {
            to.append(name, value.clone());
        }
    }
    if body.is_empty() {
        return;
    }
    to.insert(http::header::CONTENT_LENGTH, body.len().into());
    let kind: HeaderName = http::header::CONTENT_TYPE;
    if let Some(value) = from.get(&kind) {
        to.insert(kind, value.clone());
    }
}

/// The path that the process sees: decoded but for slashes, read again as an address, and encoded.
fn path(sent: &str) -> String {
    let mut text = String::new();
    let mut rest = sent;
    while let Some(at) = rest.to_ascii_lowercase().find("%2f") {
        text.push_str(&percent_decode_str(&rest[..at]).decode_utf8_lossy());
        text.push_str(&rest[at..at + 3]);
        rest = &rest[at + 3..];
    }
    text.push_str(&percent_decode_str(rest).decode_utf8_lossy());
    // What was an escaped `?` or `#` begins a query or a fragment now, and is lost.
    let kept = text.split(['?', '#']).next().unwrap_or_default();
    let mut encoded = String::new();
    let mut characters = kept.char_indices();
    while let Some((at, character)) = characters.next() {
        let triplet = kept
            .get(at + 1..at + 3)
            .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        match (character, triplet) {
            ('%', Some(hex)) => {
                let byte = u8::from_str_radix(hex, 16).unwrap_or(b'%');
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    encoded.push(char::from(byte));
                } else {
                    encoded.push('%');
                    encoded.push_str(hex);
                }
                characters.next();
                characters.next();
            }
            ('%', None) => encoded.push_str("%25"),
            (character, _) => {
                encoded.extend(utf8_percent_encode(character.encode_utf8(&mut [0; 4]), PATH));
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_decoded_and_encoded_again() {
        assert_eq!(path("/a/b"), "/a/b");
        assert_eq!(path("/a%20b/%C3%BC"), "/a%20b/%C3%BC");
        assert_eq!(path("/a%2Fb"), "/a%2Fb");
        assert_eq!(path("/100%25"), "/100%25");
        // What was escaped twice is escaped once.
        assert_eq!(path("/%2541"), "/A");
        assert_eq!(path("/what%3Fwhen/then"), "/what");
    }

    #[test]
    fn headers_of_a_body_are_lost_but_its_type() {
        let mut from = HeaderMap::new();
        for (name, value) in [
            ("content-encoding", "gzip"),
            ("content-type", "a/b"),
            ("x-own", "1"),
            ("host", "h"),
        ] {
            from.insert(name, value.parse().unwrap());
        }
        let mut to = HeaderMap::new();
        carry(&from, &mut to, &Bytes::from_static(b"abc"));
        assert_eq!(to["content-type"], "a/b");
        assert_eq!(to["content-length"], "3");
        assert_eq!(
            (to["x-own"].to_str().unwrap(), to["host"].to_str().unwrap()),
            ("1", "h")
        );
        assert!(!to.contains_key("content-encoding"));
        let mut bare = HeaderMap::new();
        carry(&from, &mut bare, &Bytes::new());
        assert!(!bare.contains_key("content-type"));
    }
}

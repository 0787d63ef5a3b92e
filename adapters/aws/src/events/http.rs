//! Requests to a function URL or an HTTP API, payload format 2.0, and their answers:
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads> and
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use chrono::DateTime;
use http::header::{COOKIE, SET_COOKIE};
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};
use memchr::memchr2;
use nephos_core::event::{Attributes, Body, Data, Response};
use nephos_core::handler::PathParams;
use nephos_core::{Error, ErrorKind, Event, Result};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::text::{Str, Text};
use super::{Wiring, base64, malformed};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    #[serde(default, borrow)]
    route_key: Text<'a>,
    #[serde(borrow)]
    raw_path: Cow<'a, str>,
    #[serde(default, borrow)]
    raw_query_string: Cow<'a, str>,
    #[serde(default, borrow)]
    cookies: Option<Vec<Str<'a>>>,
    #[serde(default)]
    headers: Headers,
    #[serde(default)]
    path_parameters: Option<BTreeMap<String, String>>,
    #[serde(borrow)]
    request_context: RequestContext<'a>,
    #[serde(default, borrow)]
    body: Option<Str<'a>>,
    #[serde(default)]
    is_base64_encoded: bool,
    /// Of an authorizer's question alone, which is like a request else.
    #[serde(default, borrow, rename = "type")]
    ty: Text<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    #[serde(borrow)]
    http: Http<'a>,
    #[serde(default, borrow)]
    request_id: Text<'a>,
    #[serde(default, borrow)]
    stage: Text<'a>,
    #[serde(default, borrow)]
    domain_name: Text<'a>,
    #[serde(default)]
    time_epoch: Option<i64>,
    #[serde(default, borrow)]
    authorizer: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Http<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(default, borrow)]
    protocol: Text<'a>,
    #[serde(default, borrow)]
    source_ip: Text<'a>,
}

/// Where a request goes.
#[expect(
    clippy::large_enum_variant,
    reason = "it is taken apart at once, and most are of the large one"
)]
pub(super) enum Routed {
    To(Event),
    Refused(Response),
}

/// What a path or query must not hold as it is: gateways decode some of it.
const NOT_IN_QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

const NOT_IN_PATH: &AsciiSet = &NOT_IN_QUERY.add(b'?');

pub(super) fn decode(document: &str, wiring: &Wiring) -> Result<Routed> {
    let read: Document<'_> = serde_json::from_str(document)
        .map_err(|error| malformed("the request is not of payload format 2.0", error))?;
    if read.ty.is("REQUEST") {
        return Err(refused("an authorizer is asked, not a function"));
    }
    let context = read.request_context;
    let method = Method::from_bytes(context.http.method.as_bytes())
        .map_err(|error| refused("the request's method is none").caused_by(error))?;
    let path = without_stage(&read.raw_path, context.stage.as_deref());
    let mut target = String::with_capacity(path.len() + 1 + read.raw_query_string.len());
    target.extend(utf8_percent_encode(path, NOT_IN_PATH));
    let gateway_matched = read.route_key.as_deref().is_some_and(|key| key != "$default");
    let params = match &wiring.routes {
        Some(routes) if !gateway_matched => match routes.find(&target, &method) {
            Ok((_, params)) => params,
            Err(refusal) => return Ok(Routed::Refused(refusal.response())),
        },
        _ => PathParams(read.path_parameters.unwrap_or_default()),
    };
    if !read.raw_query_string.is_empty() {
        target.push('?');
        target.extend(utf8_percent_encode(&read.raw_query_string, NOT_IN_QUERY));
    }
    let body = match read.body {
        Some(Str(text)) if read.is_base64_encoded => {
            base64::decode(&text, "the request's body is said to be base64, and is not")?.into()
        }
        Some(Str(text)) => Bytes::from(text.into_owned()),
        None => Bytes::new(),
    };
    let mut request = Request::new(Body::from(body));
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from_maybe_shared(Bytes::from(target))
        .map_err(|error| refused("the request's path and query are none").caused_by(error))?;
    *request.version_mut() = version(context.http.protocol.as_deref());
    let mut headers = read.headers.0?;
    if let Some(cookies) = read.cookies.filter(|cookies| !cookies.is_empty()) {
        headers.insert(COOKIE, cookie(&cookies)?);
    }
    *request.headers_mut() = headers;
    if !params.0.is_empty() {
        request.extensions_mut().insert(params);
    }
    let data = Data::Http(request);
    let time = context.time_epoch.and_then(DateTime::from_timestamp_millis);
    let mut attributes = Attributes::known(&data, context.request_id.0.map(Cow::into_owned), time);
    let authorizer = context.authorizer.map(|found| compact(found.get()));
    let facts = [
        ("awssourceip", context.http.source_ip.as_deref()),
        ("awsdomain", context.domain_name.as_deref()),
        ("awsstage", context.stage.as_deref()),
        ("awsroute", read.route_key.as_deref()),
        // JSON: the claims of a token, who signed the request, or what an authorizer of one's own found.
        ("awsauthorizer", authorizer.as_deref()),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            attributes.extensions.insert(name.into(), value.to_owned());
        }
    }
    Ok(Routed::To(Event::new(attributes, data)))
}

/// An HTTP API puts the stage before the path, unless it is the one without name.
fn without_stage<'a>(path: &'a str, stage: Option<&str>) -> &'a str {
    let Some(stage) = stage.filter(|stage| *stage != "$default") else {
        return path;
    };
    match path.strip_prefix('/').and_then(|rest| rest.strip_prefix(stage)) {
        Some("") => "/",
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    }
}

fn version(protocol: Option<&str>) -> Version {
    match protocol {
        Some("HTTP/1.0") => Version::HTTP_10,
        Some("HTTP/2" | "HTTP/2.0") => Version::HTTP_2,
        Some("HTTP/3" | "HTTP/3.0") => Version::HTTP_3,
        _ => Version::HTTP_11,
    }
}

/// The request's headers, or why they are none. Values of one name came joined by commas and stay so: which commas were there before, nobody knows.
struct Headers(Result<HeaderMap>);

impl Default for Headers {
    fn default() -> Self {
        Self(Ok(HeaderMap::new()))
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct ByName;
        impl<'de> Visitor<'de> for ByName {
            type Value = Headers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("headers by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> std::result::Result<Headers, A::Error> {
                let mut headers = HeaderMap::new();
                let mut failed = None;
                while let Some((Str(name), Str(value))) = fields.next_entry()? {
                    match header(&name, &value) {
                        Ok((name, value)) => {
                            headers.append(name, value);
                        }
                        // The document is read to its end all the same.
                        Err(error) => failed = failed.or(Some(error)),
                    }
                }
                Ok(Headers(failed.map_or(Ok(headers), Err)))
            }
        }
        deserializer.deserialize_map(ByName)
    }
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_bytes(name.as_bytes())
        .map_err(|error| refused("a header's name is none").caused_by(error))?;
    let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|error| {
        refused("a header's value is none")
            .with("header", &name)
            .caused_by(error)
    })?;
    Ok((name, value))
}

/// The cookies as the request's one header has them.
fn cookie(cookies: &[Str<'_>]) -> Result<HeaderValue> {
    let mut joined = String::with_capacity(cookies.iter().map(|Str(cookie)| cookie.len() + 2).sum());
    for Str(cookie) in cookies {
        if !joined.is_empty() {
            joined.push_str("; ");
        }
        joined.push_str(cookie);
    }
    HeaderValue::from_maybe_shared(Bytes::from(joined))
        .map_err(|error| refused("the request's cookies are none").caused_by(error))
}

/// JSON without the spaces between its parts.
fn compact(json: &str) -> String {
    let bytes = json.as_bytes();
    let mut text = String::with_capacity(json.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let begin = at;
        at += 1;
        if byte == b'"' {
            at += string_end(&bytes[at..]);
        } else if byte.is_ascii_whitespace() {
            continue;
        }
        // Whole strings, or single ASCII characters between them.
        text.push_str(json.get(begin..at).unwrap_or_default());
    }
    text
}

/// Where the string ends whose opening quotation mark has been read.
fn string_end(json: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = json.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found + 1;
        if json[at - 1] == b'"' {
            return at;
        }
        // What is escaped is one character at least.
        at += 1;
    }
    json.len()
}

fn refused(what: &'static str) -> Error {
    Error::new(ErrorKind::Decode, super::DECODE, what)
}

/// The answer of [payload format 2.0](https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-response-payload).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpReply {
    status_code: u16,
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<String>,
    body: String,
    is_base64_encoded: bool,
}

/// Writes a response whose body was read whole: as text where it is text, as base64 where it is not.
#[must_use]
pub fn encode(parts: &Parts, body: &Bytes) -> HttpReply {
    let (body, is_base64_encoded) = match std::str::from_utf8(body) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (base64::encode(body), true),
    };
    let (headers, cookies) = reply_headers(&parts.headers);
    HttpReply {
        status_code: parts.status.as_u16(),
        headers: headers
            .into_iter()
            .map(|(name, value)| (name.to_string(), value))
            .collect(),
        cookies,
        body,
        is_base64_encoded,
    }
}

/// The headers of a response, several values of one name joined as [RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#section-5.3) allows, and the
/// cookies, which must not be joined.
#[must_use]
pub fn reply_headers(headers: &HeaderMap) -> (BTreeMap<&str, String>, Vec<String>) {
    let mut joined: BTreeMap<&str, String> = BTreeMap::new();
    let mut cookies = Vec::new();
    for (name, value) in headers {
        // What is not UTF-8 is most often Latin-1.
        let value = std::str::from_utf8(value.as_bytes()).map_or_else(
            |_| value.as_bytes().iter().copied().map(char::from).collect(),
            str::to_owned,
        );
        if name == SET_COOKIE {
            cookies.push(value);
            continue;
        }
        joined
            .entry(name.as_str())
            .and_modify(|values| {
                values.push_str(", ");
                values.push_str(&value);
            })
            .or_insert(value);
    }
    (joined, cookies)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};
    use serde_json::{Value, json};

    use super::compact;

    proptest! {
        #[test]
        fn json_without_spaces_is_the_same_json(key in any::<String>(), text in any::<String>(), number in any::<i64>()) {
            let value = json!({ key: [text, { "a \" b": number }], "c": null });
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            assert_eq!(compact(&pretty), value.to_string());
            assert_eq!(serde_json::from_str::<Value>(&compact(&pretty)).unwrap(), value);
        }
    }
}

//! A request as a value of an invocation, and what is made of the handler's output.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

use super::{Answer, Call, answer, failed, header, joined};
use crate::azure_functions::invoke::{Bound, Input, Invoker, Outcome};
use crate::azure_functions::package::Function;
use crate::azure_functions::value::BindingData;

pub(super) async fn call(invoker: &Invoker, function: &Function, call: Call) -> Answer {
    match invoker.invoke(function, input(&call)).await {
        Ok(outcome) => respond(function, &outcome).unwrap_or_else(|reason| {
            invoker
                .log
                .line(format!("function `{}` failed: {reason}", function.name));
            failed()
        }),
        Err(_) => failed(),
    }
}

/// What a request is handed over as.
pub(in crate::azure_functions) fn input(call: &Call) -> Input {
    Input {
        metadata: metadata(call),
        value: Bound::Object(document(call)),
    }
}

/// The request as the host writes it.
fn document(call: &Call) -> Value {
    let headers = &call.parts.headers;
    let mut document = Map::new();
    let host = header(headers, "host").unwrap_or_default();
    document.insert(
        "Url".to_owned(),
        format!("http://{host}{}", call.parts.uri).into(),
    );
    document.insert("Method".to_owned(), call.parts.method.as_str().into());
    document.insert(
        "Query".to_owned(),
        object(joined(call.parts.uri.query().unwrap_or_default())),
    );
    let mut lists: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        lists
            .entry(name.as_str())
            .or_default()
            .push(String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    document.insert("Headers".to_owned(), json!(lists));
    document.insert("Params".to_owned(), object(call.parameters.iter().cloned()));
    document.insert(
        "Identities".to_owned(),
        json!([{
            "AuthenticationType": null,
            "IsAuthenticated": false,
            "Actor": null,
            "BootstrapContext": null,
            "Claims": [],
            "Label": null,
            "Name": null,
            "NameClaimType": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
            "RoleClaimType": "http://schemas.microsoft.com/ws/2008/06/identity/claims/role",
        }]),
    );
    if !call.body.is_empty() {
        document.insert("Body".to_owned(), body(call));
    }
    Value::Object(document)
}

/// Only two kinds of body come as bytes, in Base64; of all others, what is no text is lost.
fn body(call: &Call) -> Value {
    let kind = header(&call.parts.headers, "content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_lowercase();
    if kind == "application/octet-stream" || kind.contains("multipart/") {
        return STANDARD.encode(&call.body).into();
    }
    String::from_utf8_lossy(&call.body).into_owned().into()
}

fn metadata(call: &Call) -> Vec<(String, Bound)> {
    // Later ones take the place of earlier ones: the body, the query, the route.
    let mut names: Vec<(String, Bound)> = Vec::new();
    let mut data = BindingData::default();
    if let Ok(text) = std::str::from_utf8(&call.body) {
        data.apply_text(text);
    }
    let query = joined(call.parts.uri.query().unwrap_or_default());
    for (name, value) in data.into_iter() {
        names.push((name, value));
    }
    for (name, value) in query
        .iter()
        .filter(|(name, _)| !name.eq_ignore_ascii_case("code"))
    {
        names.push((name.clone(), Bound::Text(value.clone())));
    }
    for (name, value) in &call.parameters {
        if let Some(value) = value {
            names.push((name.clone(), Bound::Text(value.clone())));
        }
    }
    let has = |wanted: &str| names.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
    let (has_query, has_headers) = (has("Query"), has("Headers"));
    if !has_query {
        names.push(("Query".to_owned(), Bound::Object(object(query))));
    }
    if !has_headers {
        let headers = call.parts.headers.iter().map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        });
        names.push(("Headers".to_owned(), Bound::Object(object(headers))));
    }
    names
}

fn object<V: Into<Value>>(pairs: impl IntoIterator<Item = (String, V)>) -> Value {
    Value::Object(
        pairs
            .into_iter()
            .map(|(name, value)| (name, value.into()))
            .collect(),
    )
}

/// What the client gets.
fn respond(function: &Function, outcome: &Outcome) -> Result<Answer, String> {
    let Some(output) = &function.http_output else {
        return Ok(answer(StatusCode::OK, ""));
    };
    if output == "$return" {
        return returned(outcome.return_value.as_ref());
    }
    let Some(outputs) = &outcome.outputs else {
        return Ok(answer(StatusCode::OK, ""));
    };
    let Some(value) = outputs.get(output) else {
        return text(StatusCode::OK, &Map::new(), "{}".into());
    };
    let value = match value {
        // A string may hold the object.
        Value::String(text) => serde_json::from_str(text).unwrap_or(Value::Null),
        other => other.clone(),
    };
    let Value::Object(fields) = value else {
        return Err("the output of HTTP is not in the expected format".to_owned());
    };
    written(&fields)
}

/// A return value: bytes if it is Base64, else an object with a body, else text.
fn returned(value: Option<&Value>) -> Result<Answer, String> {
    match value {
        None => Ok(answer(StatusCode::OK, "")),
        Some(Value::String(string)) => match STANDARD.decode(string) {
            Ok(bytes) => Ok(answer(StatusCode::OK, bytes)),
            Err(_) => text(StatusCode::OK, &Map::new(), string.clone()),
        },
        Some(Value::Object(fields)) if field(fields, "body").is_some() => written(fields),
        Some(other) => text(StatusCode::OK, &Map::new(), shown(other)),
    }
}

fn field<'a>(fields: &'a Map<String, Value>, wanted: &str) -> Option<&'a Value> {
    fields
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
        .map(|(_, value)| value)
}

/// An object with status, headers and body. The body is text, always.
fn written(fields: &Map<String, Value>) -> Result<Answer, String> {
    let status = [field(fields, "statusCode"), field(fields, "status")]
        .into_iter()
        .flatten()
        .find(|value| !value.is_null());
    let status = match status {
        None => StatusCode::OK,
        Some(value) => shown(value)
            .trim()
            .parse::<u16>()
            .ok()
            .and_then(|status| StatusCode::from_u16(status).ok())
            .unwrap_or(StatusCode::OK),
    };
    let none = Map::new();
    let headers = match field(fields, "headers") {
        None | Some(Value::Null) => &none,
        Some(Value::Object(headers)) => headers,
        Some(_) => return Err("the headers of the output are no object".to_owned()),
    };
    let body = field(fields, "body").map(shown).unwrap_or_default();
    text(status, headers, body)
}

fn text(status: StatusCode, headers: &Map<String, Value>, body: String) -> Result<Answer, String> {
    let mut answer = answer(status, Bytes::from(body));
    for (name, value) in headers {
        let unusable = || format!("the header `{name}` of the output cannot be written");
        if value.is_null() {
            return Err(unusable());
        }
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unusable())?;
        let value = HeaderValue::from_str(&shown(value)).map_err(|_| unusable())?;
        answer.headers_mut().insert(header, value);
    }
    if !answer.headers().contains_key(http::header::CONTENT_TYPE) {
        answer.headers_mut().insert(
            http::header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
    }
    Ok(answer)
}

/// A value as the host writes it: text as it is, objects and lists in lines.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    }
}

//! Azure's errors as ours: what kind by the service's own code, whether trying again can help, and what to do. In one place, for all services.

mod codes;
mod credentials;

use std::error::Error as StdError;
use std::fmt;

use azure_core::error::ErrorKind as AzureKind;
use azure_core::http::headers::{HeaderName, Headers};
use nephos_core::{Error, ErrorKind};
use serde_json::Value;

/// The fact of an error that holds the service's own code for it (`QueueNotFound`).
pub const CODE: &str = "azure_error";

/// The fact of an error that holds after how many seconds the service wants to be asked again.
pub const RETRY_AFTER: &str = "retry_after_s";

/// The error of one call. `operation` is `resource.verb`.
///
/// The kind follows the service's code for the error; of a code that is not known here, the HTTP status tells. Azure's sentence is the cause, without the values
/// that it quotes.
pub fn failed(operation: &'static str, error: azure_core::Error) -> Error {
    match error.kind() {
        AzureKind::HttpResponse {
            status,
            error_code,
            raw_response,
        } => {
            let status = u16::from(*status);
            match raw_response {
                Some(raw) => answered(operation, status, raw.headers(), raw.body()),
                None => coded(operation, status, error_code.as_deref(), None, ""),
            }
        }
        AzureKind::Credential => credentials::failed(operation, &error),
        // A credential's error may be wrapped by the pipeline.
        _ if causes(&error).any(credentials::is_one) => credentials::failed(operation, &error),
        AzureKind::DataConversion => Error::new(
            ErrorKind::Unavailable,
            operation,
            "the answer is not one of Azure; check what lies between here and the endpoint",
        )
        .caused_by(chain(&error)),
        _ => not_sent(operation, &error),
    }
}

/// The error of an answer.
pub(crate) fn answered(operation: &'static str, status: u16, headers: &Headers, body: &[u8]) -> Error {
    let header = |name: &'static str| headers.get_optional_str(&HeaderName::from_static(name));
    let (code, sentence) = told(body);
    let code = header("x-ms-error-code").map(str::to_owned).or(code);
    let mut error = coded(
        operation,
        status,
        code.as_deref(),
        header("x-ms-substatus").and_then(|text| text.parse().ok()),
        &sentence,
    );
    let millis = ["x-ms-retry-after-ms", "retry-after-ms"]
        .into_iter()
        .find_map(header)
        .and_then(|text| text.parse::<u64>().ok())
        .map(|millis| millis.div_ceil(1000));
    if let Some(seconds) = millis.or_else(|| header("retry-after").and_then(|text| text.parse().ok())) {
        error = error.with(RETRY_AFTER, seconds);
    }
    match header("x-ms-request-id").or_else(|| header("x-ms-activity-id")) {
        Some(request) => error.with("request", request),
        None => error,
    }
}

/// Azure's own code for the error, if it has one.
#[must_use]
pub fn code(error: &Error) -> Option<&str> {
    error
        .context()
        .find_map(|(name, value)| (name == CODE).then_some(value))
}

pub(crate) fn coded(
    operation: &'static str,
    status: u16,
    code: Option<&str>,
    substatus: Option<u32>,
    sentence: &str,
) -> Error {
    let meaning = code
        .and_then(codes::of_code)
        .or_else(|| substatus.and_then(|substatus| codes::of_substatus(status, substatus)))
        .unwrap_or_else(|| codes::of_status(status));
    let mut error = meaning.error(operation);
    error = match code {
        Some(code) if !code.is_empty() => error.with(CODE, code),
        _ => error.with("status", status),
    };
    if let Some(substatus) = substatus.filter(|substatus| *substatus != 0) {
        error = error.with("substatus", substatus);
    }
    error.caused_by(Told(without_secrets(sentence)))
}

/// The code and the sentence of an answer's body: JSON of most services, XML of storage and Service Bus.
fn told(body: &[u8]) -> (Option<String>, String) {
    let Ok(text) = std::str::from_utf8(body) else {
        return (None, String::new());
    };
    if let Ok(json) = serde_json::from_str::<Value>(text) {
        let error = json.get("error").unwrap_or(&json);
        let field = |name: &str| error.get(name).and_then(Value::as_str).map(str::to_owned);
        return (field("code"), field("message").unwrap_or_default());
    }
    // `<Code>` of Service Bus is the status again.
    let code = between(text, "<Code>", "</Code>").filter(|code| code.parse::<u16>().is_err());
    let sentence = between(text, "<Message>", "</Message>")
        .or_else(|| between(text, "<Detail>", "</Detail>"))
        .unwrap_or_default();
    (code.map(str::to_owned), sentence.to_owned())
}

pub(crate) fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(inner, _)| inner)
}

/// A request that did not leave this machine, or whose answer did not come.
fn not_sent(operation: &'static str, error: &azure_core::Error) -> Error {
    let text = chain(error);
    let (kind, message) = if text.contains("timed out") || text.contains("timeout") {
        (
            ErrorKind::DeadlineExceeded,
            "Azure did not answer in time; check the network, and raise the function's timeout if it is short",
        )
    } else if text.contains("must use https") || text.contains("non-TLS") {
        (
            ErrorKind::InvalidArgument,
            "a token is never sent over plain HTTP; check NEPHOS_AZURE_ENDPOINTS",
        )
    } else {
        (
            ErrorKind::Unavailable,
            "Azure cannot be reached; check the network, and NEPHOS_AZURE_ENDPOINTS if it is set",
        )
    };
    Error::new(kind, operation, message).caused_by(text)
}

fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| {
        (*error).source()
    })
}

/// The error and its causes on one line, without what nobody may see.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut line = String::new();
    for cause in causes(error) {
        let text = without_secrets(&cause.to_string());
        if line.contains(&text) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&text);
    }
    line
}

/// How much of Azure's sentence is told: some services append the whole request.
const LONGEST: usize = 400;

/// The first line of a text, without what proves who asks: the query of a URL may be a signature, and storage quotes the one that it refused. Values in quotes
/// that a service refuses may be a payload.
pub(crate) fn without_secrets(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let mut clean = String::with_capacity(line.len());
    for (index, word) in line.split(' ').enumerate() {
        if index > 0 {
            clean.push(' ');
        }
        clean.push_str(&clean_word(word));
    }
    let clean = without_values(&clean);
    match clean.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &clean[..end]),
        None => clean,
    }
}

fn clean_word(word: &str) -> String {
    if let Some((address, _)) = word.split_once('?')
        && address.contains("://")
    {
        return format!("{address}?…");
    }
    for secret in ["sig=", "SharedAccessSignature", "AccountKey=", "SharedAccessKey="] {
        if let Some((before, _)) = word.split_once(secret) {
            return format!("{before}{secret}…");
        }
    }
    // A token, as of `Bearer eyJ…`.
    if word.trim_start_matches(['\'', '"']).starts_with("eyJ") {
        return "…".to_owned();
    }
    word.to_owned()
}

/// `Value 'x'`, `signature found in the HTTP request 'x'`: what is quoted behind these words.
fn without_values(sentence: &str) -> String {
    let mut text = String::with_capacity(sentence.len());
    let mut rest = sentence;
    while let Some(start) = ["alue '", "alue: '", "request '", "input '", "signature '"]
        .iter()
        .filter_map(|word| rest.find(word).map(|at| at + word.len()))
        .min()
    {
        let (before, quoted) = rest.split_at(start);
        text.push_str(before);
        text.push('…');
        // The value may hold quotes itself: it ends at the last one.
        rest = quoted.rfind('\'').map_or("", |end| &quoted[end..]);
        if rest.len() == 1 {
            break;
        }
        text.push_str(&rest[..rest.len().min(1)]);
        rest = &rest[rest.len().min(1)..];
    }
    text.push_str(rest);
    text
}

/// What Azure said.
#[derive(Debug)]
struct Told(String);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() {
            "Azure said nothing more"
        } else {
            &self.0
        })
    }
}

impl StdError for Told {}

#[cfg(test)]
mod tests;

//! Requests to storage that a shared key signs: <https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key>.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{Context, Request};

use super::{Key, date, pass_on};

/// Signs requests to storage.
#[derive(Debug)]
pub(crate) struct SharedKey {
    pub(crate) account: String,
    pub(crate) key: Key,
}

#[allow(
    elided_lifetimes_in_paths,
    reason = "the trait is written so, and another lifetime would be another method"
)]
#[async_trait]
impl Policy for SharedKey {
    async fn send(&self, context: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        request.insert_header("x-ms-date", date());
        let signature = self.key.sign(&to_sign(&self.account, request))?;
        request.insert_header("authorization", format!("SharedKey {}:{signature}", self.account));
        pass_on(context, request, next).await
    }
}

fn to_sign(account: &str, request: &Request) -> String {
    let headers = request.headers();
    let mut text = format!("{}\n", request.method().as_str());
    for name in [
        "content-encoding",
        "content-language",
        "content-length",
        "content-md5",
        "content-type",
        "date",
        "if-modified-since",
        "if-match",
        "if-none-match",
        "if-unmodified-since",
        "range",
    ] {
        // The client adds the length when it sends.
        let length = (name == "content-length")
            .then(|| request.body().len().filter(|length| *length > 0))
            .flatten()
            .map(|length| length.to_string());
        let value = length
            .as_deref()
            .or_else(|| header(headers, name))
            .unwrap_or_default();
        text.push_str(value);
        text.push('\n');
    }
    let ours: BTreeMap<&str, &str> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| name.starts_with("x-ms-"))
        .collect();
    for (name, value) in ours {
        text.push_str(&format!("{name}:{}\n", value.trim()));
    }
    text.push_str(&format!("/{account}{}", request.url().path()));
    let mut query: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in request.url().query_pairs() {
        query
            .entry(name.to_ascii_lowercase())
            .or_default()
            .push(value.into_owned());
    }
    for (name, mut values) in query {
        values.sort();
        text.push_str(&format!("\n{name}:{}", values.join(",")));
    }
    text
}

fn header<'a>(headers: &'a Headers, name: &'static str) -> Option<&'a str> {
    headers.get_optional_str(&HeaderName::from_static(name))
}

#[cfg(test)]
mod tests {
    use azure_core::http::{Method, Url};

    use super::*;

    #[test]
    fn a_request_to_storage_is_signed_with_all_that_counts() {
        let url = Url::parse(
            "https://a.queue.core.windows.net/jobs/messages?visibilitytimeout=1&numofmessages=2&a=b%20c",
        )
        .unwrap();
        let mut request = Request::new(url, Method::Post);
        request.insert_header("x-ms-version", "2026-04-06");
        request.insert_header("x-ms-date", "now");
        request.insert_header("content-type", "application/xml");
        request.insert_header("accept", "application/xml");
        request.set_body("body");
        assert_eq!(
            to_sign("a", &request),
            "POST\n\n\n4\n\napplication/xml\n\n\n\n\n\n\nx-ms-date:now\nx-ms-version:2026-04-06\n/a/jobs/messages\na:b c\nnumofmessages:2\nvisibilitytimeout:1"
        );
    }
}

//! Requests that a shared key signs. Azure's crates sign by tokens only; keys are for emulators, and where deployment says so.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::http::headers::Headers;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{Context, Request, Url};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use hmac::{Hmac, KeyInit as _, Mac as _};
use nephos_core::{Error, ErrorKind, Result};
use sha2::Sha256;

/// A shared key. `Debug` does not show it.
#[derive(Clone)]
pub(crate) struct Key(Arc<[u8]>);

impl Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").finish_non_exhaustive()
    }
}

impl Key {
    /// Reads the Base64 of the variable `name`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if it is none. The error does not show it.
    pub(crate) fn read(name: &'static str, text: &str) -> Result<Self> {
        STANDARD
            .decode(text.trim())
            .map(|bytes| Self(bytes.into()))
            .map_err(|_| {
                Error::new(
                    ErrorKind::InvalidArgument,
                    super::LOAD,
                    "the shared key is not in Base64; take it as the Azure portal shows it",
                )
                .with("variable", name)
            })
    }

    /// The key in Base64, for clients that sign by themselves.
    #[cfg(feature = "bucket")]
    pub(crate) fn base64(&self) -> String {
        STANDARD.encode(&self.0)
    }

    /// The signature of the text, in Base64.
    pub(crate) fn sign(&self, text: &str) -> azure_core::Result<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).map_err(|_| {
            azure_core::Error::with_message(
                azure_core::error::ErrorKind::Credential,
                "the shared key cannot be used",
            )
        })?;
        mac.update(text.as_bytes());
        Ok(STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// Today, as a header has it.
pub(crate) fn date() -> String {
    Utc::now().format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Signs requests to storage: <https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key>.
#[cfg(any(feature = "bucket", feature = "queue"))]
#[derive(Debug)]
pub(crate) struct SharedKey {
    pub(crate) account: String,
    pub(crate) key: Key,
}

#[cfg(any(feature = "bucket", feature = "queue"))]
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

#[cfg(any(feature = "bucket", feature = "queue"))]
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

#[cfg(any(feature = "bucket", feature = "queue"))]
fn header<'a>(headers: &'a Headers, name: &'static str) -> Option<&'a str> {
    headers.get_optional_str(&azure_core::http::headers::HeaderName::from_static(name))
}

/// Signs requests to Cosmos DB: <https://learn.microsoft.com/rest/api/cosmos-db/access-control-on-cosmosdb-resources>.
#[cfg(feature = "table")]
#[derive(Debug)]
pub(crate) struct MasterKey(pub(crate) Key);

#[cfg(feature = "table")]
#[allow(
    elided_lifetimes_in_paths,
    reason = "the trait is written so, and another lifetime would be another method"
)]
#[async_trait]
impl Policy for MasterKey {
    async fn send(&self, context: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let date = date();
        let method = request.method().as_str().to_ascii_lowercase();
        let (kind, link) = resource(request.url());
        let text = format!("{method}\n{kind}\n{link}\n{}\n\n", date.to_ascii_lowercase());
        let signature = self.0.sign(&text)?;
        request.insert_header("x-ms-date", date);
        request.insert_header(
            "authorization",
            url_encode(&format!("type=master&ver=1.0&sig={signature}")),
        );
        pass_on(context, request, next).await
    }
}

/// The kind of resource that a URL names, and its link: of a list, that of whose list it is.
#[cfg(feature = "table")]
fn resource(url: &Url) -> (String, String) {
    let segments: Vec<&str> = url
        .path_segments()
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect();
    let is_list = segments.len() % 2 == 1;
    let end = segments.len() - usize::from(is_list);
    let kind = if is_list {
        segments.last()
    } else {
        segments.iter().rev().nth(1)
    };
    (
        kind.copied().unwrap_or_default().to_owned(),
        segments[..end].join("/"),
    )
}

#[cfg(feature = "table")]
pub(crate) fn url_encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Sends the request on through the rest of the pipeline.
pub(crate) async fn pass_on(
    context: &Context<'_>,
    request: &mut Request,
    next: &[Arc<dyn Policy>],
) -> PolicyResult {
    match next.split_first() {
        Some((policy, rest)) => policy.send(context, request, rest).await,
        None => Err(azure_core::Error::with_message(
            azure_core::error::ErrorKind::Other,
            "the pipeline ends before the request was sent",
        )),
    }
}

#[cfg(test)]
mod tests {
    use azure_core::http::Method;

    use super::*;

    #[test]
    fn a_key_is_read_from_base64_and_never_shown() {
        let key = Key::read("K", "c2VjcmV0\n").unwrap();
        assert_eq!(&*key.0, b"secret");
        assert!(!format!("{key:?}").contains("secret"), "{key:?}");
        let error = Key::read("K", "no key!").unwrap_err();
        assert!(error.to_string().contains("variable=K"), "{error}");
        assert!(!format!("{error:?}").contains("no key!"), "{error:?}");
    }

    /// The example of <https://learn.microsoft.com/rest/api/cosmos-db/access-control-on-cosmosdb-resources>, with its date.
    #[cfg(feature = "table")]
    #[test]
    fn a_request_to_cosmos_is_of_the_resource_or_of_whose_list_it_is() {
        for (path, kind, link) in [
            ("/dbs", "dbs", ""),
            ("/dbs/a", "dbs", "dbs/a"),
            ("/dbs/a/colls/b/docs", "docs", "dbs/a/colls/b"),
            ("/dbs/a/colls/b/docs/c", "docs", "dbs/a/colls/b/docs/c"),
        ] {
            let url = Url::parse(&format!("https://a.documents.azure.com{path}")).unwrap();
            assert_eq!(resource(&url), (kind.to_owned(), link.to_owned()), "{path}");
        }
        let key = Key::read(
            "K",
            "dsZQi3KtZmCv1ljt3VNWNm7sQUF1y5rJfC6kv5JiwvW0EndXdDku/dkKBp8/ufDToSxLzR4y+O/0H/t4bQtVNw==",
        )
        .unwrap();
        let signature = key
            .sign("get\ndbs\ndbs/ToDoList\nthu, 27 apr 2017 00:51:12 gmt\n\n")
            .unwrap();
        assert_eq!(signature, "c09PEVJrgp2uQRkr934kFbTqhByc7TVr3OHyqlu+c+c=");
    }

    #[cfg(any(feature = "bucket", feature = "queue"))]
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

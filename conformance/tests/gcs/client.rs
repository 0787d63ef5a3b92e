//! A client that knows nothing, and `object_store`'s.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use nephos_conformance::gcs::{Options, ServiceAccount, Storage};
use object_store::gcp::{GoogleCloudStorage, GoogleCloudStorageBuilder};
use object_store::{ClientOptions, RetryConfig, StaticCredentialProvider};
use serde_json::Value;

pub(crate) const BUCKET: &str = "tests";
pub(crate) const ACCOUNT: &str = "app@tests.iam.gserviceaccount.com";
pub(crate) const KEY: &str = nephos_conformance::gcs::PRIVATE_KEY;

/// The answer to a request.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
}

impl Answered {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect()
    }

    /// JSON's reason, or XML's code.
    pub(crate) fn reason(&self) -> String {
        let text = self.text();
        match text
            .split_once("<Code>")
            .and_then(|(_, rest)| rest.split_once("</Code>"))
        {
            Some((code, _)) => code.to_owned(),
            None => self.json()["error"]["errors"][0]["reason"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        }
    }

    /// The status and the reason.
    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status, self.reason())
    }
}

/// A stand-in with one bucket.
pub(crate) struct Gcs {
    pub(crate) storage: Storage,
}

impl Gcs {
    pub(crate) async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    pub(crate) async fn start_with(mut options: Options) -> Self {
        options
            .service_accounts
            .push(ServiceAccount::of_private_key(ACCOUNT, KEY).unwrap());
        let storage = Storage::start(options).await.unwrap();
        storage.create_bucket(BUCKET).unwrap();
        Self { storage }
    }

    /// A request with the token.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answered {
        let token = format!("Bearer {}", self.storage.options().tokens[0]);
        let mut all = vec![("authorization", token.as_str())];
        all.extend(headers);
        self.send(method, path, &all, body).await.unwrap()
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answered, hyper_util::client::legacy::Error> {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}{path}", self.storage.url())
        };
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body))).unwrap();
        let (parts, body) = client.request(request).await?.into_parts();
        Ok(Answered {
            status: parts.status.as_u16(),
            headers: parts.headers,
            bytes: body.collect().await.unwrap().to_bytes(),
        })
    }

    pub(crate) async fn get(&self, path: &str) -> Answered {
        self.ask(Method::GET, path, &[], b"").await
    }

    /// JSON with a method.
    pub(crate) async fn json(&self, method: Method, path: &str, body: Value) -> Answered {
        let body = body.to_string();
        self.ask(
            method,
            path,
            &[("content-type", "application/json")],
            body.as_bytes(),
        )
        .await
    }

    /// Puts an object by the XML API, and gives its generation.
    pub(crate) async fn put(&self, name: &str, content: &[u8]) -> u64 {
        let answer = self.ask(Method::PUT, &xml(name), &[], content).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.header("x-goog-generation").unwrap().parse().unwrap()
    }

    /// `object_store`'s client with the token, which does not try again.
    pub(crate) fn store(&self) -> GoogleCloudStorage {
        self.builder().build().unwrap()
    }

    pub(crate) fn builder(&self) -> GoogleCloudStorageBuilder {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let bearer = self.storage.options().tokens[0].clone();
        GoogleCloudStorageBuilder::new()
            .with_bucket_name(BUCKET)
            .with_service_account_key(self.key(false))
            .with_client_options(ClientOptions::new().with_allow_http(true))
            .with_retry(RetryConfig {
                max_retries: 0,
                ..RetryConfig::default()
            })
            .with_credentials(Arc::new(StaticCredentialProvider::new(
                object_store::gcp::GcpCredential { bearer },
            )))
    }

    /// A service account's file that leads here.
    pub(crate) fn key(&self, is_without_tokens: bool) -> String {
        serde_json::json!({
            "gcs_base_url": self.storage.url(), "disable_oauth": is_without_tokens,
            "client_email": ACCOUNT, "private_key": KEY, "private_key_id": "1",
        })
        .to_string()
    }
}

/// An object's path in the XML API; the name is part of it as it is.
pub(crate) fn xml(name: &str) -> String {
    format!("/{BUCKET}/{name}")
}

/// An object's path in the JSON API.
pub(crate) fn object(name: &str) -> String {
    format!("/storage/v1/b/{BUCKET}/o/{name}")
}

/// Where content is posted.
pub(crate) fn upload(query: &str) -> String {
    format!("/upload/storage/v1/b/{BUCKET}/o?{query}")
}

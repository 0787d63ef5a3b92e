//! Services that are asked by their REST interface, in JSON (<https://cloud.google.com/apis/docs/http>), over the configuration's one client of HTTPS.
//!
//! Google's own crates of Secret Manager, Pub/Sub and Firestore stand on a client of their own, with the SDK of OpenTelemetry, and for the last two gRPC: a second TLS stack to
//! start, and more code than all the rest of a function, for the few methods that are asked here. Their client of Pub/Sub also pulls by itself and keeps leases of its own,
//! where a queue is to receive when it is asked.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method};
use nephos_core::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::config::Config;
use crate::error::{answered, unreadable, unsent};

/// A client of one service.
#[derive(Debug, Clone)]
pub struct Rest {
    config: Config,
    /// Where the service is, without a slash at its end.
    base: String,
    /// Whether who asks is told: over plain HTTP, which only emulators are asked by, they are not.
    is_secure: bool,
}

impl Rest {
    /// A client of the service at this URL (`https://pubsub.googleapis.com/v1`), or at its other place.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](nephos_core::ErrorKind::InvalidArgument) if it is no URL.
    pub fn new(config: &Config, service: &str) -> Result<Self> {
        let url: Url = config.address(service)?;
        Ok(Self {
            config: config.clone(),
            base: url.as_str().trim_end_matches('/').to_owned(),
            is_secure: url.scheme() == "https",
        })
    }

    /// Asks for what is at `path`, which begins with a slash and is encoded as a path.
    ///
    /// # Errors
    /// Google's, or why it was not asked.
    pub async fn get<T: DeserializeOwned>(&self, operation: &'static str, path: &str) -> Result<T> {
        self.ask(operation, Method::GET, path, None).await
    }

    /// Sends `body` as JSON to `path`.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn post<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T> {
        self.ask(operation, Method::POST, path, Some(written(operation, body)?))
            .await
    }

    /// The same with `PUT`, by which Pub/Sub makes things.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn put<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T> {
        self.ask(operation, Method::PUT, path, Some(written(operation, body)?))
            .await
    }

    /// Asks with any method, and gives the answer as it is; null if it has no body.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    #[cfg(feature = "deploy")]
    pub(crate) async fn call(
        &self,
        operation: &'static str,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<serde_json::Value> {
        let body = body.map(|body| written(operation, body)).transpose()?;
        let answer = self.send(operation, method, path, body).await?;
        if answer.is_empty() {
            return Ok(serde_json::Value::Null);
        }
        read(operation, &answer)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<T> {
        read(operation, &self.send(operation, method, path, body).await?)
    }

    async fn send(
        &self,
        operation: &'static str,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Bytes> {
        let mut headers = if self.is_secure {
            self.config.identity().headers(operation).await?
        } else {
            let token = self.config.emulator_token();
            let value = token.and_then(|token| HeaderValue::from_str(&format!("Bearer {token}")).ok());
            value.map(|value| (AUTHORIZATION, value)).into_iter().collect()
        };
        let mut request = self
            .config
            .https()
            .client()?
            .request(method, format!("{}{path}", self.base));
        if let Some(body) = body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            request = request.body(body);
        }
        let answer = request
            .headers(headers)
            .send()
            .await
            .map_err(|error| unsent(operation, &error.without_url()))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer
            .bytes()
            .await
            .map_err(|error| unsent(operation, &error.without_url()))?;
        if !status.is_success() {
            return Err(answered(operation, status.as_u16(), &headers, &body));
        }
        Ok(body)
    }
}

fn read<T: DeserializeOwned>(operation: &'static str, body: &[u8]) -> Result<T> {
    // serde_json's error tells a place, and of what was wrong no more than its kind: the body may be a secret.
    serde_json::from_slice(body).map_err(|error| {
        unreadable(
            operation,
            format!("{:?} at column {}", error.classify(), error.column()),
        )
    })
}

fn written(operation: &'static str, body: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(body).map_err(|error| {
        nephos_core::Error::new(
            nephos_core::ErrorKind::InvalidArgument,
            operation,
            "it cannot be written as JSON",
        )
        .caused_by(error)
    })
}

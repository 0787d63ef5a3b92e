//! The HTTP client of the embedded host's resource API: one pool of loopback connections for all drivers of a process.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use nephos_core::env::Environment;
use nephos_core::event::Body;
use nephos_core::{Error, ErrorKind, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::wire::{ENV_API, ENV_TOKEN, JSON, WireError, kind_of_status};

/// How long a connection may take: the host is on the same machine.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a JSON request may take, besides the time that it was asked to wait.
pub const ANSWER: Duration = Duration::from_secs(60);

/// A client of the resource API; cheap to clone. Connects on first use.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    http: legacy::Client<HttpConnector, Body>,
    base: String,
    authorization: HeaderValue,
}

impl std::fmt::Debug for Client {
    /// Without the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.0.base)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the API at `base` (`http://127.0.0.1:4567`) with this token.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if `base` is no HTTP URL, or the token cannot be in a header.
    pub fn new(base: &str, token: &str) -> Result<Self> {
        let refuse = |message: &'static str| {
            Error::new(ErrorKind::InvalidArgument, "host.start", message).with("variable", ENV_API)
        };
        let base = base.trim_end_matches('/');
        let uri: Uri = base
            .parse()
            .map_err(|error| refuse("the resource API's address is no URL").caused_by(error))?;
        if uri.scheme_str() != Some("http") || uri.authority().is_none() {
            return Err(refuse("the resource API's address must begin with http://").with("address", base));
        }
        let mut authorization = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| {
            Error::new(
                ErrorKind::InvalidArgument,
                "host.start",
                "the token has characters that no header can hold",
            )
            .with("variable", ENV_TOKEN)
        })?;
        authorization.set_sensitive(true);
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT));
        let http = legacy::Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self(Arc::new(Inner {
            http,
            base: base.to_owned(),
            authorization,
        })))
    }

    /// The client that the process's environment tells of.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if a variable is missing, or as [`new`](Self::new).
    pub fn from_environment(environment: &Environment) -> Result<Self> {
        Self::new(environment.require(ENV_API)?, environment.require(ENV_TOKEN)?)
    }

    /// Where the API is (`http://127.0.0.1:4567`).
    #[must_use]
    pub fn base(&self) -> &str {
        &self.0.base
    }

    /// Sends a request, whose URI is the path and query alone; the answer's body streams. An answer with an error's status is an error.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the host does not answer, or the error that it answers with.
    pub async fn send(
        &self,
        operation: &'static str,
        request: Request<impl Into<Body>>,
    ) -> Result<Response<Incoming>> {
        let response = self.exchange(operation, request).await?;
        if response.status().is_client_error() || response.status().is_server_error() {
            return Err(failure(operation, response).await);
        }
        Ok(response)
    }

    /// Sends a request, as [`send`](Self::send) does, and returns its answer whatever the status.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the host does not answer.
    pub async fn exchange(
        &self,
        operation: &'static str,
        request: Request<impl Into<Body>>,
    ) -> Result<Response<Incoming>> {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        parts.uri = format!("{}{path}", self.0.base).parse().map_err(|error| {
            Error::new(
                ErrorKind::InvalidArgument,
                operation,
                "the request's path is no URL",
            )
            .caused_by(error)
        })?;
        parts.headers.insert(AUTHORIZATION, self.0.authorization.clone());
        let request = Request::from_parts(parts, body.into());
        self.0.http.request(request).await.map_err(|error| {
            let message = if error.is_connect() {
                "the embedded host does not answer; is `nephos dev` still running?"
            } else {
                "the connection to the embedded host broke off"
            };
            Error::new(ErrorKind::Unavailable, operation, message)
                .with("api", &self.0.base)
                .caused_by(error)
        })
    }

    /// Posts `body` as JSON and reads the answer as JSON, within [`ANSWER`].
    ///
    /// # Errors
    /// As [`call_within`](Self::call_within).
    pub async fn call<Q, A>(&self, operation: &'static str, path: &str, body: &Q) -> Result<A>
    where
        Q: Serialize + Sync,
        A: DeserializeOwned,
    {
        self.call_within(operation, path, body, ANSWER).await
    }

    /// The same within another time.
    ///
    /// # Errors
    /// [`ErrorKind::DeadlineExceeded`] if that time is over, [`ErrorKind::Unavailable`] if the host does not answer,
    /// [`ErrorKind::Internal`] for an answer that cannot be read, or the error that the host answers with.
    pub async fn call_within<Q, A>(
        &self,
        operation: &'static str,
        path: &str,
        body: &Q,
        within: Duration,
    ) -> Result<A>
    where
        Q: Serialize + Sync,
        A: DeserializeOwned,
    {
        let defect = |message: &'static str| Error::new(ErrorKind::Internal, operation, message);
        let body = serde_json::to_vec(body)
            .map_err(|error| defect("the request cannot be written as JSON").caused_by(error))?;
        let request = Request::post(path)
            .header(CONTENT_TYPE, HeaderValue::from_static(JSON))
            .body(Bytes::from(body))
            .map_err(|error| defect("the request's path is no URL").caused_by(error))?;
        let answer = async {
            let response = self.send(operation, request).await?;
            read(operation, response).await
        };
        let bytes = tokio::time::timeout(within, answer).await.map_err(|_| {
            Error::new(
                ErrorKind::DeadlineExceeded,
                operation,
                "the embedded host did not answer in time",
            )
            .with("within_s", within.as_secs_f64())
        })??;
        serde_json::from_slice(&bytes)
            .map_err(|error| defect("the embedded host's answer cannot be read").caused_by(error))
    }
}

/// The answer's body, whole.
///
/// # Errors
/// [`ErrorKind::Unavailable`] if it breaks off.
pub async fn read(operation: &'static str, response: Response<Incoming>) -> Result<Bytes> {
    response
        .into_body()
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .map_err(|error| {
            Error::new(
                ErrorKind::Unavailable,
                operation,
                "the connection to the embedded host broke off",
            )
            .caused_by(error)
        })
}

/// The error that an answer stands for: the one in its body, or else what its status says.
pub async fn failure(operation: &'static str, response: Response<Incoming>) -> Error {
    let status = response.status();
    match read(operation, response).await {
        Ok(body) => match serde_json::from_slice::<WireError>(&body) {
            Ok(error) => error.into(),
            Err(_) => Error::new(
                kind_of_status(status),
                operation,
                "the embedded host answered with an error",
            )
            .with("status", status.as_u16()),
        },
        Err(error) => error,
    }
}

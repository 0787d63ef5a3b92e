//! HTTP requests and responses: the `http` crate's types around a streaming body.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use bytes::{Bytes, BytesMut};
use futures::FutureExt as _;
use http::request::Parts;
use http_body::Body as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::time::Instant;

use super::payload;
use crate::error::{BoxError, Error, ErrorKind, Result};

/// A streaming body, the one that `axum` uses.
pub use axum_core::body::Body;

/// An HTTP request: the `http` crate's, with a streaming [`Body`]. Path parameters of the route are in its
/// extensions, as [`PathParams`](crate::handler::PathParams).
pub type Request = http::Request<Body>;

/// An HTTP response: the `http` crate's, with a streaming [`Body`].
pub type Response = http::Response<Body>;

/// The operation of an error while a request's body is read, by which its answer is told from one about the function's own limits.
pub(crate) const READ: &str = "http.read";

/// The whole body of a response, for hosts whose provider takes no stream. The handler's code may be what makes it, so its deadline and its panics count as the
/// handler's.
///
/// # Errors
/// [`ErrorKind::DeadlineExceeded`] if it is not finished in time, [`ErrorKind::ResourceExhausted`] if it is longer than `limit` bytes, [`ErrorKind::Panicked`],
/// and [`ErrorKind::Handler`] if it breaks off.
pub async fn read_body(body: Body, limit: usize, deadline: Option<Instant>) -> Result<Bytes> {
    const OPERATION: &str = "http.answer";
    let collected = AssertUnwindSafe(whole(body, limit)).catch_unwind();
    let collected = match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline, collected).await.map_err(|_| {
            Error::new(
                ErrorKind::DeadlineExceeded,
                OPERATION,
                "the response was not finished in time; raise the function's `timeout` in nephos.toml",
            )
        })?,
        None => collected.await,
    };
    match collected {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Error::new(
            ErrorKind::ResourceExhausted,
            OPERATION,
            "the response is larger than the target takes at once; stream it, or answer with a link to a bucket",
        )
        .with("max_bytes", limit)),
        Ok(Err(error)) => {
            Err(Error::new(ErrorKind::Handler, OPERATION, "the response broke off").caused_by(error))
        }
        Err(_) => Err(Error::new(
            ErrorKind::Panicked,
            OPERATION,
            "the handler panicked while its response was written",
        )),
    }
}

/// The frames of a body, joined.
async fn whole(body: Body, limit: usize) -> std::result::Result<Bytes, BoxError> {
    let mut body = Limited::new(body, limit);
    let Some(first) = body.frame().await else {
        return Ok(Bytes::new());
    };
    // What is there already, which most bodies are, needs no copy.
    let first = first?.into_data().unwrap_or_default();
    if body.is_end_stream() {
        return Ok(first);
    }
    let mut joined = BytesMut::from(first);
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            joined.extend_from_slice(&data);
        }
    }
    Ok(joined.freeze())
}

/// The body of a request as JSON, read up to `limit` bytes.
///
/// # Errors
/// Those of [`BufferedRequest::read`] and [`BufferedRequest::json`].
pub fn read_json<T: serde::de::DeserializeOwned>(
    request: Request,
    limit: usize,
) -> impl Future<Output = Result<T>> + Send {
    // Nothing but the body is carried along.
    let body = request.into_body();
    async move { json(&buffered(body, limit).await?) }
}

fn json<T: serde::de::DeserializeOwned>(body: &Bytes) -> Result<T> {
    payload::decode(body, Some("application/json"))
}

/// The body of a request as a whole, read up to `limit` bytes.
///
/// # Errors
/// [`ErrorKind::ResourceExhausted`] if it is longer, [`ErrorKind::Unavailable`] if it breaks off.
pub async fn buffered(body: Body, limit: usize) -> Result<Bytes> {
    whole(body, limit).await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            return Error::new(
                ErrorKind::ResourceExhausted,
                READ,
                "the request's body is too long",
            )
            .with("limit_bytes", limit);
        }
        Error::new(ErrorKind::Unavailable, READ, "the request's body broke off").caused_by(error)
    })
}

/// A request whose body was read whole, so that it can be kept or sent again.
#[derive(Debug, Clone)]
pub struct BufferedRequest {
    /// Method, URI, version and headers.
    pub parts: Parts,
    /// The body.
    pub body: Bytes,
}

impl BufferedRequest {
    /// Reads the body of `request`, up to `limit` bytes.
    ///
    /// # Errors
    /// [`ErrorKind::ResourceExhausted`] if the body is longer than `limit`, [`ErrorKind::Unavailable`] if it breaks off.
    pub async fn read(request: Request, limit: usize) -> Result<Self> {
        let (parts, body) = request.into_parts();
        let body = buffered(body, limit).await?;
        Ok(Self { parts, body })
    }

    /// The body, read as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] with the field that does not fit.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        json(&self.body)
    }

    /// The request again.
    #[must_use]
    pub fn into_request(self) -> Request {
        Request::from_parts(self.parts, Body::from(self.body))
    }
}

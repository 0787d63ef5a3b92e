//! HTTP requests and responses: the `http` crate's types around a streaming body.

use std::panic::AssertUnwindSafe;

use bytes::Bytes;
use futures::FutureExt as _;
use http::request::Parts;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Result};

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
    let collected = AssertUnwindSafe(Limited::new(body, limit).collect()).catch_unwind();
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
        Ok(Ok(body)) => Ok(body.to_bytes()),
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
        let limited = Limited::new(body, limit);
        match limited.collect().await {
            Ok(collected) => Ok(Self {
                parts,
                body: collected.to_bytes(),
            }),
            Err(error) if error.is::<LengthLimitError>() => Err(Error::new(
                ErrorKind::ResourceExhausted,
                READ,
                "the request's body is too long",
            )
            .with("limit_bytes", limit)),
            Err(error) => {
                Err(Error::new(ErrorKind::Unavailable, READ, "the request's body broke off").caused_by(error))
            }
        }
    }

    /// The body, read as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] with the field that does not fit.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        crate::event::Payload {
            content_type: Some("application/json".to_owned()),
            bytes: self.body.clone(),
        }
        .decode()
    }

    /// The request again.
    #[must_use]
    pub fn into_request(self) -> Request {
        Request::from_parts(self.parts, Body::from(self.body))
    }
}

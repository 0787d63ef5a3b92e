//! HTTP requests and responses: the `http` crate's types around a streaming body.

use bytes::Bytes;
use http::request::Parts;
use http_body_util::BodyExt as _;

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
        let limited = http_body_util::Limited::new(body, limit);
        match limited.collect().await {
            Ok(collected) => Ok(Self {
                parts,
                body: collected.to_bytes(),
            }),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(Error::new(
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

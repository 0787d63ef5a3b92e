//! HTTP for functions: the `http` crate's types around the streaming body that axum uses.

use std::future::Future;

use nephos_core::event::{Payload, read_json};
use nephos_core::{Error, ErrorKind, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use axum_core::response::IntoResponse;
pub use nephos_core::event::{Body, BufferedRequest, Request, Response};
pub use nephos_core::handler::PathParams;

pub use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};

/// The longest body that [`json`] reads, in bytes; read a longer one with [`BufferedRequest::read`], or as a stream.
pub const MAX_JSON: usize = 1 << 20;

/// Reads the request's body, up to [`MAX_JSON`], as JSON.
///
/// # Errors
/// [`ErrorKind::Decode`] with the field that does not fit, which answers 400; [`ErrorKind::ResourceExhausted`] for a body that is too long, which
/// answers 413.
///
/// ```
/// use nephos::http::{self, Body, Request};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> nephos::Result<()> {
/// let sizes: Vec<u32> = http::json(Request::new(Body::from("[1, 2]"))).await?;
/// assert_eq!(sizes, [1, 2]);
/// # Ok(())
/// # }
/// ```
pub fn json<T: DeserializeOwned>(request: Request) -> impl Future<Output = Result<T>> + Send {
    read_json(request, MAX_JSON)
}

/// The route's parameter of this name, decoded: `id` of `/orders/{id}`.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] if the route has no such parameter.
pub fn path<'request>(request: &'request Request, name: &str) -> Result<&'request str> {
    PathParams::of(request, name).ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidArgument,
            "http.path",
            "the route has no such parameter; its path in nephos.toml must have it in braces",
        )
        .with("parameter", name)
    })
}

/// A JSON response: `Ok(Json(order))`.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    /// A value that has no JSON form is answered with 500, and the reason goes to the log.
    fn into_response(self) -> Response {
        match Payload::json(&self.0) {
            Ok(payload) => {
                let mut response = Response::new(Body::from(payload.bytes));
                let json = HeaderValue::from_static("application/json");
                response.headers_mut().insert(header::CONTENT_TYPE, json);
                response
            }
            Err(error) => Error::new(
                ErrorKind::Internal,
                "http.json",
                "the response cannot be written as JSON",
            )
            .caused_by(error)
            .into_response(),
        }
    }
}

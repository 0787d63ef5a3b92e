//! A small HTTP client for the gateway and the engine's own API, both on this machine.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::net::SocketAddr;

use crate::fail::Fail;

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends a request to `address`; a body is sent as JSON.
pub(crate) async fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    body: Option<&str>,
) -> miette::Result<Answer> {
    let mut builder = hyper::Request::builder()
        .method(method)
        .uri(format!("http://{address}{path}"));
    if body.is_some() {
        builder = builder.header("content-type", "application/json");
    }
    let request = builder
        .body(Full::new(Bytes::from(body.unwrap_or_default().to_owned())))
        .map_err(|error| Fail::usage(format!("`{method} {path}` is no HTTP request: {error}")))?;
    send(request).await
}

/// Sends a ready request.
pub(crate) async fn send(request: hyper::Request<Full<Bytes>>) -> miette::Result<Answer> {
    let uri = request.uri().clone();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client
        .request(request)
        .await
        .map_err(|error| Fail::new(format!("{uri} did not answer: {error}")))?;
    let (parts, body) = response.into_parts();
    let body = body
        .collect()
        .await
        .map_err(|error| Fail::new(format!("{uri} broke off its answer: {error}")))?;
    Ok(Answer {
        status: parts.status.as_u16(),
        body: body.to_bytes(),
    })
}

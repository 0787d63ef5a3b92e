//! The least HTTP client that the rules need.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use crate::rule::Violation;

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Refused for want of a right, not for another reason.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.status, 400 | 401 | 403)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends one request.
pub(crate) async fn call(method: &str, url: &str, body: &str) -> Result<Answer, Violation> {
    call_with(method, url, body.as_bytes(), &[]).await
}

/// Sends one request with headers.
pub(crate) async fn call_with(
    method: &str,
    url: &str,
    body: &[u8],
    headers: &[(&str, &str)],
) -> Result<Answer, Violation> {
    let (answer, _) = timed(method, url, body, headers).await?;
    Ok(answer)
}

/// The same; says how long before its end the first byte of the body came.
pub(crate) async fn timed(
    method: &str,
    url: &str,
    body: &[u8],
    headers: &[(&str, &str)],
) -> Result<(Answer, Duration), Violation> {
    let failed =
        |error: &dyn std::fmt::Display| Violation::new(format!("{method} {url} has no answer: {error}"));
    let mut request = http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request
        .body(Full::new(Bytes::copy_from_slice(body)))
        .map_err(|error| failed(&error))?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let (parts, mut body) = client
        .request(request)
        .await
        .map_err(|error| failed(&error))?
        .into_parts();
    let mut read = BytesMut::new();
    let mut first = None;
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|error| failed(&error))?.into_data() {
            first.get_or_insert_with(Instant::now);
            read.extend_from_slice(&data);
        }
    }
    let answer = Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: read.freeze(),
    };
    Ok((answer, first.map_or(Duration::ZERO, |first| first.elapsed())))
}

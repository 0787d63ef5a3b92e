//! Responses: read whole, or streamed where the function's URL is.

use std::panic::AssertUnwindSafe;

use bytes::Bytes;
use futures::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::{BodyDataStream, BodyExt as _, LengthLimitError, Limited};
use lambda_runtime::{FunctionResponse, MetadataPrelude, StreamResponse};
use nephos_core::env::Environment;
use nephos_core::event::{Body, Response};
use nephos_core::{Error, ErrorKind, Result};
use tokio::time::Instant;

use super::invocation::Answer;
use crate::events::{Reply, http as codec};
use crate::variables::STREAMING;

/// The largest response that is not streamed, in bytes:
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#function-configuration-deployment-and-execution>.
const MAX_RESPONSE_BYTES: usize = 6 * 1024 * 1024;

/// Turns responses into answers.
#[derive(Debug)]
pub(super) struct Responder {
    streaming: bool,
}

impl Responder {
    pub(super) fn new(environment: &Environment) -> Self {
        Self {
            streaming: environment.get(STREAMING) == Some("1"),
        }
    }

    /// The answer of a response; streamed, it counts as given when it begins.
    ///
    /// # Errors
    /// As [`read`].
    pub(super) async fn answer(&self, response: Response, deadline: Option<Instant>) -> Result<Answer> {
        let (parts, body) = response.into_parts();
        if self.streaming {
            let (joined, cookies) = codec::reply_headers(&parts.headers);
            let headers: HeaderMap = joined
                .into_iter()
                .filter_map(|(name, value)| {
                    let name = HeaderName::try_from(name).ok()?;
                    Some((name, HeaderValue::from_bytes(value.as_bytes()).ok()?))
                })
                .collect();
            return Ok(FunctionResponse::StreamingResponse(StreamResponse {
                metadata_prelude: MetadataPrelude {
                    status_code: parts.status,
                    headers,
                    cookies,
                },
                stream: BodyDataStream::new(body),
            }));
        }
        let bytes = read(body, deadline).await?;
        Ok(FunctionResponse::BufferedResponse(Reply::Http(codec::encode(
            &parts, &bytes,
        ))))
    }
}

/// The whole body: it may be the handler's code that makes it, so its deadline and its panics count as the handler's.
async fn read(body: Body, deadline: Option<Instant>) -> Result<Bytes> {
    const OPERATION: &str = "http.answer";
    let collected = AssertUnwindSafe(Limited::new(body, MAX_RESPONSE_BYTES).collect()).catch_unwind();
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
            "the response is larger than Lambda takes at once; stream it, or answer with a link to a bucket",
        )
        .with("max_bytes", MAX_RESPONSE_BYTES)),
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

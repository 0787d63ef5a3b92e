//! Responses: read whole, or streamed where the function's URL is.

use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::BodyDataStream;
use lambda_runtime::{FunctionResponse, MetadataPrelude, StreamResponse};
use nephos_core::Result;
use nephos_core::env::Environment;
use nephos_core::event::{Response, read_body};
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
    /// As [`read_body`].
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
        let bytes = read_body(body, MAX_RESPONSE_BYTES, deadline).await?;
        Ok(FunctionResponse::BufferedResponse(Reply::Http(codec::encode(
            &parts, &bytes,
        ))))
    }
}

//! What Google's services are told of an event that nobody waits for: done with (a status from 200 to 299), or to be brought again (any other). None of them knows a word for giving up, so what
//! is rejected must have been sent to the dead-letter queue before.
//!
//! | | done with | again |
//! |---|---|---|
//! | [Pub/Sub](https://cloud.google.com/pubsub/docs/push#receive_push), and Eventarc over it | 102, 200, 201, 202, 204 | any other; more slowly, the more of them there are |
//! | [Cloud Scheduler](https://cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs#RetryConfig) | 200 to 299 | any other, as often as the job says |
//! | [Cloud Tasks](https://cloud.google.com/tasks/docs/creating-http-target-tasks#handler) | 200 to 299 | any other; after 429 and 503 the whole queue is slower |

use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use nephos_core::event::{Body, Response};
use nephos_core::outcome::problem;
use nephos_core::{Error, ErrorKind, Outcome};

/// Writes an outcome.
#[must_use]
pub fn encode(outcome: Outcome) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    match outcome {
        Outcome::Ack => response,
        Outcome::Batch(batch) if batch.failures().is_empty() => response,
        Outcome::Batch(batch) => again(batch.failures().first().map(|failure| &failure.error)),
        Outcome::Failed(error) => again(Some(&error)),
        // Nobody reads it, but who calls by hand.
        Outcome::Data(payload) => {
            if let Some(ty) = payload.content_type.and_then(|ty| HeaderValue::try_from(ty).ok()) {
                response.headers_mut().insert(CONTENT_TYPE, ty);
            }
            *response.status_mut() = StatusCode::OK;
            *response.body_mut() = Body::from(payload.bytes);
            response
        }
        // There is no such answer to an event that nobody waits for.
        _ => again(None),
    }
}

/// Again, and why: for the log of who calls, not for strangers.
fn again(error: Option<&Error>) -> Response {
    let status = match error.map(Error::kind) {
        Some(ErrorKind::Unavailable) => StatusCode::SERVICE_UNAVAILABLE,
        Some(ErrorKind::ResourceExhausted) => StatusCode::TOO_MANY_REQUESTS,
        Some(ErrorKind::DeadlineExceeded) => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    problem(status, None)
}

#[cfg(test)]
mod tests {
    use nephos_core::BatchOutcome;
    use nephos_core::event::{AuthDecision, Payload};

    use super::*;

    #[test]
    fn done_and_again_are_all_that_they_know() {
        let status = |outcome| encode(outcome).status().as_u16();
        assert_eq!(status(Outcome::Ack), 204);
        assert_eq!(status(BatchOutcome::new().into()), 204);
        let mut batch = BatchOutcome::new();
        batch.retry("m", "later");
        assert_eq!(status(batch.into()), 500);
        assert_eq!(status(Outcome::Failed(Error::reject("never"))), 500);
        let failed = |kind| Outcome::Failed(Error::new(kind, "x", "y"));
        assert_eq!(status(failed(ErrorKind::Unavailable)), 503);
        assert_eq!(status(failed(ErrorKind::ResourceExhausted)), 429);
        assert_eq!(status(failed(ErrorKind::DeadlineExceeded)), 504);
        assert_eq!(status(Outcome::Auth(Box::new(AuthDecision::allow()))), 500);
        let data = encode(Outcome::Data(Payload::text("hi")));
        assert_eq!(data.status(), 200);
        assert_eq!(data.headers()[CONTENT_TYPE], "text/plain; charset=utf-8");
    }
}

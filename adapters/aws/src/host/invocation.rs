//! One invocation: from Lambda's bytes to its answer.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::{BodyDataStream, BodyExt as _, LengthLimitError, Limited};
use lambda_runtime::{Diagnostic, FunctionResponse, MetadataPrelude, StreamResponse};
use nephos_core::adapter::Launch;
use nephos_core::context::ContextBuilder;
use nephos_core::env::{APP, FUNCTION, TARGET};
use nephos_core::event::{Body, Data, Response};
use nephos_core::resource::Drivers;
use nephos_core::{BatchOutcome, Context, Error, ErrorKind, Event, Function, Outcome, Result};
use tokio::time::Instant;

use super::letter::{DEAD_LETTER, Letters};
use super::resources::{self, Refuse};
use super::{STREAMING, mail, trace};
use crate::events::{self, Decoded, Kind, MAIL, Reply, Wiring, http as codec};

/// The largest response that is not streamed, in bytes:
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#function-configuration-deployment-and-execution>.
const MAX_RESPONSE_BYTES: usize = 6 * 1024 * 1024;

/// The longest time before Lambda's own deadline at which a handler is ended, so that what it did of a batch can still be reported: Lambda ends a process
/// that is late, and hears nothing of it.
const MARGIN: Duration = Duration::from_millis(100);

/// What a handler's answer becomes for the Runtime API.
pub(super) type Answer = FunctionResponse<Reply, BodyDataStream<Body>>;

/// What all invocations share.
#[derive(Debug)]
pub(super) struct Invocations {
    function: Function,
    context: ContextBuilder,
    wiring: Wiring,
    drivers: Arc<dyn Drivers>,
    letters: Letters,
    streaming: bool,
}

impl Invocations {
    pub(super) async fn new(launch: Launch) -> Result<Self> {
        let environment = &launch.environment;
        let wiring = Wiring::of(environment)?;
        let needs_drivers = !environment.bindings()?.is_empty()
            || [DEAD_LETTER, MAIL]
                .into_iter()
                .any(|variable| environment.get(variable).is_some());
        let drivers: Arc<dyn Drivers> = if needs_drivers {
            resources::drivers().await
        } else {
            Arc::new(Refuse)
        };
        Self::with_drivers(launch, wiring, drivers)
    }

    pub(super) fn with_drivers(launch: Launch, wiring: Wiring, drivers: Arc<dyn Drivers>) -> Result<Self> {
        let resources = launch.resources(Arc::clone(&drivers))?;
        let environment = &launch.environment;
        let name: Arc<str> = environment
            .get(FUNCTION)
            .unwrap_or(&launch.function.info().name)
            .into();
        let context = Context::builder(&name)
            .app(environment.get(APP).unwrap_or_default())
            .target(environment.get(TARGET).unwrap_or("aws"))
            .resources(Arc::new(resources));
        Ok(Self {
            letters: Letters::new(environment, &drivers, name),
            streaming: environment.get(STREAMING) == Some("1"),
            function: launch.function,
            context,
            wiring,
            drivers,
        })
    }

    pub(super) async fn handle(
        &self,
        document: Bytes,
        lambda: lambda_runtime::Context,
    ) -> std::result::Result<Answer, Diagnostic> {
        let deadline = deadline(lambda.deadline(), SystemTime::now());
        let context = self
            .context
            .clone()
            .invocation_id(lambda.request_id)
            .deadline(deadline)
            .trace(trace::from_xray(
                lambda.xray_trace_id.as_deref().unwrap_or_default(),
            ));
        self.answer(document, context, deadline)
            .await
            .map_err(|error| Diagnostic {
                error_type: error.kind().name().to_owned(),
                error_message: error.chain(),
            })
    }

    async fn answer(
        &self,
        document: Bytes,
        context: ContextBuilder,
        deadline: Option<Instant>,
    ) -> Result<Answer> {
        let Decoded {
            kind,
            events,
            refusal,
        } = events::decode(&document, &self.wiring)?;
        if let Some(response) = refusal {
            return self.respond(response, deadline).await;
        }
        let mut all = Outcome::Ack;
        for (index, event) in events.into_iter().enumerate() {
            let outcome = self.dispatch(event, context.clone()).await;
            let outcome = self.settle(kind, &document, index, outcome).await?;
            all = match (all, outcome) {
                // The others are handled all the same; all come again.
                (Outcome::Failed(error), _) => Outcome::Failed(error),
                (_, outcome) => outcome,
            };
        }
        match all {
            Outcome::Http(response) => self.respond(response, deadline).await,
            outcome => events::encode(kind, &document, outcome).map(FunctionResponse::BufferedResponse),
        }
    }

    async fn dispatch(&self, mut event: Event, context: ContextBuilder) -> Outcome {
        if let Err(error) = mail::complete(&mut event, &self.drivers).await {
            return Outcome::Failed(error);
        }
        let context = match &event.data {
            Data::Http(request) => match trace::of_request(request.headers()) {
                Some(trace) => context.trace(trace),
                None => context,
            },
            _ => context,
        };
        self.function.dispatch(event, context.build()).await
    }

    /// Sends dead letters, and keeps the order of a FIFO queue's groups.
    async fn settle(&self, kind: Kind, document: &Bytes, index: usize, outcome: Outcome) -> Result<Outcome> {
        let is_settled = match (&outcome, kind) {
            (Outcome::Batch(_), Kind::Queue) => false,
            // A caller waits for these, and is told.
            (_, Kind::Http | Kind::Auth | Kind::Voice | Kind::Raw) => true,
            (Outcome::Batch(_) | Outcome::Failed(_), _) => !self.letters.can_send(),
            _ => true,
        };
        if is_settled {
            return Ok(outcome);
        }
        // Reading it again costs only those invocations in which something failed.
        let event = events::decode(document, &self.wiring)?
            .events
            .into_iter()
            .nth(index);
        let Some(event) = event else {
            return Ok(outcome);
        };
        let planned = self.letters.plan(&event, outcome);
        Ok(match self.letters.settle(planned).await {
            Outcome::Batch(batch) => in_order(&event, batch).into(),
            outcome => outcome,
        })
    }

    /// A response, streamed where the function's URL is.
    async fn respond(&self, response: Response, deadline: Option<Instant>) -> Result<Answer> {
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

/// When a handler is ended: a little before Lambda ends the process. A deadline that is over already is none: emulators tell times that are not the
/// clock's, and Lambda does not begin what it would not wait for.
fn deadline(ends: SystemTime, now: SystemTime) -> Option<Instant> {
    let left = ends.duration_since(now).ok().filter(|left| !left.is_zero())?;
    Instant::now().checked_add(left - MARGIN.min(left / 10))
}

/// In a FIFO queue, what stands behind a failed message of its group fails too: it would overtake it otherwise.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting>
fn in_order(event: &Event, batch: BatchOutcome) -> BatchOutcome {
    let Data::Queue(messages) = &event.data else {
        return batch;
    };
    let mut failed = batch.into_failures();
    let mut blocked: Vec<&str> = Vec::new();
    for message in messages {
        let Some(group) = message.group.as_deref() else {
            continue;
        };
        if failed.iter().any(|failure| failure.id == message.id) {
            blocked.push(group);
        } else if blocked.contains(&group) {
            failed.push(nephos_core::event::RecordFailure {
                id: message.id.clone(),
                error: Error::new(
                    ErrorKind::Cancelled,
                    "handler",
                    "a message before it failed, and order must be kept",
                ),
            });
        }
    }
    let mut batch = BatchOutcome::new();
    batch.extend(failed);
    batch
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

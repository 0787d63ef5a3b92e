//! One invocation: from Lambda's bytes to its answer.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::BodyDataStream;
use lambda_runtime::{Diagnostic, FunctionResponse};
use nephos_core::adapter::Launch;
use nephos_core::context::ContextBuilder;
use nephos_core::event::Body;
use nephos_core::resource::Drivers;
use nephos_core::wiring::Wiring as Told;
use nephos_core::{Event, Function, Outcome, Result};
use tokio::time::Instant;

#[cfg(feature = "on-http")]
use super::http::Responder;
#[cfg(feature = "asynchronous")]
use super::letter::{Letters, letters};
#[cfg(feature = "on-email")]
use super::mail;
use super::resources::{self, REFUSE};
use super::trace;
#[cfg(feature = "asynchronous")]
use crate::events::Kind;
use crate::events::{self, Decoded, Reply, Wiring};
use crate::variables::MAIL;

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
    #[cfg(feature = "on-email")]
    drivers: Arc<dyn Drivers>,
    #[cfg(feature = "asynchronous")]
    letters: Letters,
    #[cfg(feature = "on-http")]
    responder: Responder,
}

impl Invocations {
    pub(super) async fn new(launch: Launch) -> Result<Self> {
        let environment = &launch.environment;
        let told = environment.wiring()?;
        let needs_drivers =
            !told.bindings.is_empty() || told.dead_letter.is_some() || environment.get(MAIL).is_some();
        let drivers: Arc<dyn Drivers> = if needs_drivers {
            resources::drivers().await
        } else {
            Arc::new(REFUSE)
        };
        Self::with_drivers(launch, told, drivers)
    }

    pub(super) fn with_drivers(launch: Launch, told: Told, drivers: Arc<dyn Drivers>) -> Result<Self> {
        Ok(Self {
            wiring: Wiring::new(&told, &launch.environment)?,
            #[cfg(feature = "asynchronous")]
            letters: letters(told.dead_letter.as_deref(), &drivers, launch.name().into()),
            #[cfg(feature = "on-http")]
            responder: Responder::new(&launch.environment),
            context: launch.context("aws", told.bindings, Arc::clone(&drivers)),
            function: launch.function,
            #[cfg(feature = "on-email")]
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
            #[cfg(feature = "on-http")]
            refusal,
            ..
        } = events::decode(&document, &self.wiring)?;
        #[cfg(feature = "on-http")]
        if let Some(response) = refusal {
            return self.responder.answer(response, deadline).await;
        }
        let mut all = Outcome::Ack;
        for (index, event) in (0..).zip(events) {
            let outcome = self.dispatch(event, context.clone()).await;
            #[cfg(feature = "asynchronous")]
            let outcome = self.settle(kind, &document, index, outcome).await?;
            all = match (all, outcome) {
                // The others are handled all the same; all come again.
                (Outcome::Failed(error), _) => Outcome::Failed(error),
                (_, outcome) => outcome,
            };
        }
        match all {
            #[cfg(feature = "on-http")]
            Outcome::Http(response) => self.responder.answer(response, deadline).await,
            outcome => events::encode(kind, &document, outcome).map(FunctionResponse::BufferedResponse),
        }
    }

    #[cfg_attr(
        not(feature = "on-email"),
        expect(unused_mut, reason = "only an e-mail is completed")
    )]
    async fn dispatch(&self, mut event: Event, context: ContextBuilder) -> Outcome {
        #[cfg(feature = "on-email")]
        if let Err(error) = mail::complete(&mut event, &self.drivers).await {
            return Outcome::Failed(error);
        }
        #[cfg(feature = "on-http")]
        let context = match &event.data {
            nephos_core::event::Data::Http(request) => {
                let trace = nephos_core::TraceContext::of_headers(request.headers());
                match trace.parent {
                    Some(_) => context.trace(trace),
                    None => context,
                }
            }
            _ => context,
        };
        self.function.dispatch(event, context.build()).await
    }

    /// Sends dead letters, and keeps the order of a FIFO queue's groups.
    #[cfg(feature = "asynchronous")]
    async fn settle(&self, kind: Kind, document: &Bytes, index: usize, outcome: Outcome) -> Result<Outcome> {
        let is_settled = match (&outcome, kind) {
            (Outcome::Batch(batch), _) if batch.failures().is_empty() => true,
            (Outcome::Batch(_), Kind::Queue) => false,
            // A caller waits for these, and is told.
            (_, Kind::Http | Kind::Auth | Kind::Voice | Kind::Raw) => true,
            _ => !self.letters.concern(&outcome),
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
        let planned = self.letters.plan(&event, outcome, 1);
        let mut outcome = self.letters.settle(planned).await;
        // https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
        if let (Outcome::Batch(batch), nephos_core::event::Data::Queue(messages)) =
            (&mut outcome, &event.data)
        {
            batch.hold_groups(messages);
        }
        Ok(outcome)
    }
}

/// When a handler is ended: a little before Lambda ends the process. A deadline that is over already is none: emulators tell times that are not the
/// clock's, and Lambda does not begin what it would not wait for.
fn deadline(ends: SystemTime, now: SystemTime) -> Option<Instant> {
    let left = ends.duration_since(now).ok().filter(|left| !left.is_zero())?;
    Instant::now().checked_add(left - MARGIN.min(left / 10))
}

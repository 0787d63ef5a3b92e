//! Invocations: an event or a request into a process, its outcome back, and what is told of it.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderName, Request, Response};
use hyper::body::Incoming;
use nephos_core::event::{Attributes, Data, Event, TriggerKind};
use nephos_core::handler::PathParams;
use nephos_core::{Error, ErrorKind, Outcome, Result, TraceContext};
use tokio::time::Instant;
use uuid::Uuid;

use super::connection::{Connection, DeliveryBody, Failure};
use super::lease::{Answer, AnswerBody, Lease, deadline};
use super::{Patience, Pool};
use crate::deploy::activity::{Activities, Activity, Invocation, InvocationResult};
use crate::deploy::process::Ending;
use crate::deploy::pump::Invoker;
use crate::events::{decode_outcome, encode_delivery, encode_http};
use crate::wire::{MAX_EVENT_BYTES, Meta, OutcomeKind, TRACEPARENT, TRACESTATE, WireError};

/// How long the end of a process is waited for whose connection broke off: it tells why.
const END_GRACE: Duration = Duration::from_secs(1);

/// What is told of an invocation when it ends.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) result: Option<InvocationResult>,
    activities: Activities,
    function: Arc<str>,
    trigger: TriggerKind,
    id: String,
    subject: String,
    attempt: u32,
    records: usize,
    begun: Instant,
}

impl Report {
    /// Tells it.
    pub(super) fn tell(self, lease: &Lease) {
        self.tell_of(lease.process().peak_memory(), lease.is_cold());
    }

    fn tell_of(self, peak_memory: Option<u64>, cold: bool) {
        self.activities.tell(Activity::Invocation(Invocation {
            function: self.function.to_string(),
            trigger: self.trigger,
            id: self.id,
            subject: self.subject,
            attempt: self.attempt,
            records: self.records,
            result: self.result.unwrap_or(InvocationResult::Ok),
            duration: self.begun.elapsed(),
            peak_memory,
            cold,
        }));
    }
}

/// What an outcome is in the activity.
fn result_of(outcome: &Result<Outcome>) -> InvocationResult {
    let failed = |error: &Error| InvocationResult::Failed {
        kind: error.kind(),
        reason: error.chain(),
    };
    match outcome {
        Err(error) | Ok(Outcome::Failed(error)) => failed(error),
        Ok(Outcome::Batch(batch)) => InvocationResult::Partial {
            failed: batch.failures().len(),
            reason: batch
                .failures()
                .first()
                .map(|failure| failure.error.chain())
                .unwrap_or_default(),
        },
        Ok(Outcome::Http(response)) => InvocationResult::Status {
            status: response.status().as_u16(),
        },
        Ok(_) => InvocationResult::Ok,
    }
}

impl Pool {
    /// Has an event handled.
    ///
    /// The event is read before the first wait, and need not be shareable between threads.
    ///
    /// # Errors
    /// What kept it from being handled: [`ErrorKind::Crashed`], [`ErrorKind::DeadlineExceeded`], or an answer that is none.
    pub fn deliver(
        self: &Arc<Self>,
        event: &Event,
        attempt: u32,
    ) -> impl Future<Output = Result<Outcome>> + Send + use<> {
        let meta = Meta {
            invocation_id: Uuid::now_v7().to_string(),
            timeout: self.spec.timeout,
            attempt,
            trace: trace_of(&event.attributes),
        };
        let request = encode_delivery(event, &meta);
        let records: Vec<_> = event.record_ids().into_iter().map(str::to_owned).collect();
        let report = self.report(&meta, event.kind(), || subject(event), records.len());
        let pool = Arc::clone(self);
        async move {
            let request = request?.map(|bytes| DeliveryBody::Whole(Some(bytes)));
            let lease = match pool.acquire(Patience::Event).await {
                Ok(lease) => lease,
                Err(error) => return Err(tell_failure(report, error)),
            };
            let records: Vec<_> = records.iter().map(String::as_str).collect();
            let outcome = pool.exchange_whole(&lease, request, &records).await;
            if let Some(mut report) = report {
                report.result = Some(result_of(&outcome));
                report.tell(&lease);
            }
            outcome
        }
    }

    /// Has a client's request handled. `timeout` also bounds the wait for a place, and, from the answer's head on, its body.
    ///
    /// # Errors
    /// As [`deliver`](Self::deliver); [`ErrorKind::ResourceExhausted`] if too many wait already.
    pub async fn request(
        self: &Arc<Self>,
        mut request: Request<DeliveryBody>,
        params: &PathParams,
    ) -> Result<Answer> {
        let id = Uuid::now_v7();
        let headers = request.headers();
        let text = |name: HeaderName| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let parent = text(TRACEPARENT).unwrap_or_else(|| new_trace(id));
        let meta = Meta {
            invocation_id: id.to_string(),
            timeout: self.spec.timeout,
            attempt: 1,
            trace: TraceContext {
                parent: Some(parent),
                state: text(TRACESTATE),
            },
        };
        encode_http(request.headers_mut(), &meta, params)?;
        let report = self.report(
            &meta,
            TriggerKind::Http,
            || format!("{} {}", request.method(), request.uri().path()),
            1,
        );
        let acquired = tokio::time::timeout(self.spec.timeout, self.acquire(Patience::Client)).await;
        let lease = match acquired {
            Ok(Ok(lease)) => lease,
            Ok(Err(error)) => return Err(tell_failure(report, error)),
            Err(_) => {
                let busy = Error::new(
                    ErrorKind::ResourceExhausted,
                    "function.invoke",
                    "the function is busy; raise `concurrency` or `max_instances` in nephos.toml",
                )
                .with("function", self.function());
                return Err(tell_failure(report, busy));
            }
        };
        let until = deadline(self.spec.timeout);
        match self.exchange(&lease, request, until).await {
            Ok((response, connection)) => {
                lease.answered();
                let report = report.map(|mut report| {
                    report.result = Some(InvocationResult::Status {
                        status: response.status().as_u16(),
                    });
                    Box::new(report)
                });
                Ok(response.map(|body| AnswerBody::new(body, connection, lease, until, report)))
            }
            Err(error) => {
                if let Some(mut report) = report {
                    report.result = Some(result_of(&Err(copy(&error))));
                    report.tell(&lease);
                }
                Err(error)
            }
        }
    }

    fn report(
        &self,
        meta: &Meta,
        trigger: TriggerKind,
        subject: impl FnOnce() -> String,
        records: usize,
    ) -> Option<Report> {
        // What nobody hears need not be made.
        self.activities.has_listeners().then(|| Report {
            result: None,
            activities: self.activities.clone(),
            function: self.function(),
            trigger,
            id: meta.invocation_id.clone(),
            subject: subject(),
            attempt: meta.attempt,
            records: records.max(1),
            begun: Instant::now(),
        })
    }

    async fn exchange_whole(
        &self,
        lease: &Lease,
        request: Request<DeliveryBody>,
        records: &[&str],
    ) -> Result<Outcome> {
        let until = deadline(self.spec.timeout);
        let (response, mut connection) = self.exchange(lease, request, until).await?;
        let (parts, mut body) = response.into_parts();
        let read = tokio::time::timeout_at(until, read_whole(&mut connection, &mut body)).await;
        let bytes = match read {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => return Err(self.broken(lease, error).await),
            Err(_) => return Err(self.too_long(lease)),
        };
        lease.answered();
        lease.rest(connection);
        decode_outcome(parts, bytes, records)
    }

    /// Sends the request and waits for the head of the answer.
    async fn exchange(
        &self,
        lease: &Lease,
        mut request: Request<DeliveryBody>,
        until: Instant,
    ) -> Result<(Response<Incoming>, Connection)> {
        loop {
            let (mut connection, rested) = match lease.slot().rested() {
                Some(connection) => (connection, true),
                None => match Connection::open(lease.process().socket()).await {
                    Ok(connection) => (connection, false),
                    Err(error) => return Err(self.crashed(lease, error).await),
                },
            };
            match tokio::time::timeout_at(until, connection.exchange(request)).await {
                Ok(Ok(response)) => return Ok((response, connection)),
                // A connection that rested may have been closed since; the request has not left yet.
                Ok(Err(Failure::NotSent(back))) if rested => request = *back,
                Ok(Err(Failure::NotSent(_))) => {
                    return Err(self
                        .crashed(lease, "the connection was closed before the request was sent")
                        .await);
                }
                Ok(Err(Failure::Broken(error))) => return Err(self.broken(lease, error.into()).await),
                Err(_) => return Err(self.too_long(lease)),
            }
        }
    }

    fn too_long(&self, lease: &Lease) -> Error {
        lease.timed_out();
        Error::new(
            ErrorKind::DeadlineExceeded,
            "function.invoke",
            "the function did not answer in time, and its process was ended; raise its `timeout` in nephos.toml",
        )
        .with("function", self.function())
        .with("timeout_s", self.spec.timeout.as_secs_f64())
    }

    /// Why an exchange broke off: the process ended, or sent what is no HTTP.
    async fn broken(&self, lease: &Lease, error: BoxError) -> Error {
        let parse = error
            .downcast_ref::<hyper::Error>()
            .is_some_and(hyper::Error::is_parse);
        if parse {
            return Error::new(
                ErrorKind::Internal,
                "function.invoke",
                "the function's process answered what is not HTTP; is the binary a Nephos function that begins with `nephos::main!`",
            )
            .with("function", self.function())
            .caused_by(error);
        }
        self.crashed(lease, error).await
    }

    async fn crashed(&self, lease: &Lease, error: impl Into<BoxError>) -> Error {
        let process = lease.process();
        let ended = tokio::time::timeout(END_GRACE, process.ended()).await;
        let crashed = |message: &'static str| {
            Error::new(ErrorKind::Crashed, "function.invoke", message)
                .with("function", self.function())
                .with("pid", process.pid())
        };
        match (process.ending(), ended) {
            (Some(Ending::TimedOut), _) => crashed(
                "the function's process was ended because another of its invocations did not answer in time",
            ),
            (Some(ending), _) => crashed("the function's process was ended in the middle of the invocation")
                .with("reason", ending.name()),
            (None, Ok(exit)) => {
                crashed("the function's process ended in the middle of the invocation").with("ended", exit)
            }
            (None, Err(_)) => {
                crashed("the function's process hung up in the middle of the invocation").caused_by(error)
            }
        }
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The same error, for the activity.
fn copy(error: &Error) -> Error {
    WireError::from(error).into()
}

fn tell_failure(report: Option<Report>, error: Error) -> Error {
    if let Some(mut report) = report {
        report.result = Some(result_of(&Err(copy(&error))));
        report.tell_of(None, false);
    }
    error
}

async fn read_whole(connection: &mut Connection, body: &mut Incoming) -> Result<Bytes, BoxError> {
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| connection.poll_body(body, cx)).await {
        let Ok(data) = frame?.into_data() else { continue };
        match &first {
            None => first = Some(data),
            Some(_) => rest.extend_from_slice(&data),
        }
        if first.as_ref().map_or(0, Bytes::len) + rest.len() > MAX_EVENT_BYTES {
            return Err("the function's answer to an event is larger than the host takes".into());
        }
    }
    match first {
        Some(first) if rest.is_empty() => Ok(first),
        Some(first) => Ok([first, rest.freeze()].concat().into()),
        None => Ok(Bytes::new()),
    }
}

/// The event's own trace, or a new one.
fn trace_of(attributes: &Attributes) -> TraceContext {
    match attributes.extensions.get("traceparent") {
        Some(parent) => TraceContext {
            parent: Some(parent.clone()),
            state: attributes.extensions.get("tracestate").cloned(),
        },
        None => TraceContext {
            parent: Some(new_trace(Uuid::now_v7())),
            state: None,
        },
    }
}

/// A new `traceparent`, not sampled.
fn new_trace(seed: Uuid) -> String {
    // The last half of a version 7 id is random; the first bit of it is set, so a span's id is never zero.
    format!("00-{}-{:016x}-00", Uuid::new_v4().simple(), seed.as_u64_pair().1)
}

/// What an event is about, in a few words.
fn subject(event: &Event) -> String {
    match &event.data {
        Data::Http(request) => format!("{} {}", request.method(), request.uri().path()),
        Data::Bucket(happened) => {
            let object = happened.object();
            format!("{}/{}", object.bucket, object.key)
        }
        Data::Queue(messages) => messages
            .first()
            .map(|message| message.queue.clone())
            .unwrap_or_default(),
        Data::Topic(notification) => notification.topic.clone(),
        Data::Stream(records) => records
            .first()
            .map(|record| record.stream.clone())
            .unwrap_or_default(),
        Data::Table(changes) => changes
            .first()
            .map(|change| change.table.clone())
            .unwrap_or_default(),
        Data::Schedule(tick) => tick.schedule.clone(),
        Data::Email(email) => email.subject.clone(),
        Data::Auth(auth) => auth.stage.name().to_owned(),
        Data::Voice(voice) => voice.skill.clone(),
        _ => event
            .attributes
            .subject
            .clone()
            .unwrap_or_else(|| event.attributes.ty.clone()),
    }
}

/// The pools of all functions.
#[derive(Debug)]
pub struct Fleet(BTreeMap<String, Arc<Pool>>);

impl Fleet {
    /// All of them.
    #[must_use]
    pub fn new(pools: BTreeMap<String, Arc<Pool>>) -> Self {
        Self(pools)
    }

    /// The pool of a function.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the app has no such function.
    pub fn pool(&self, function: &str) -> Result<&Arc<Pool>> {
        self.0.get(function).ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                "function.invoke",
                "the app has no such function",
            )
            .with("function", function)
        })
    }

    /// All pools, by function.
    pub fn pools(&self) -> impl Iterator<Item = (&str, &Arc<Pool>)> {
        self.0.iter().map(|(name, pool)| (name.as_str(), pool))
    }

    /// Calls a function with an event, once.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the app has no such function; else as [`Pool::deliver`].
    pub async fn call(&self, function: &str, event: Event) -> Result<Outcome> {
        let pool = self.pool(function)?;
        let Event {
            data: Data::Http(request),
            ..
        } = event
        else {
            let delivered = pool.deliver(&event, 1);
            drop(event);
            return delivered.await;
        };
        let (parts, body) = request.into_parts();
        let params = parts.extensions.get::<PathParams>().cloned().unwrap_or_default();
        let answer = pool
            .request(Request::from_parts(parts, DeliveryBody::Made(body)), &params)
            .await?;
        let (parts, mut body) = answer.into_parts();
        if OutcomeKind::of(&parts.headers) == Some(OutcomeKind::Http) {
            let mut response = Response::from_parts(parts, nephos_core::event::Body::new(body));
            response.headers_mut().remove(crate::wire::OUTCOME);
            return Ok(Outcome::Http(response));
        }
        let bytes = http_body_util::BodyExt::collect(&mut body)
            .await
            .map_err(|error| {
                Error::new(ErrorKind::Crashed, "function.invoke", "the answer broke off").caused_by(error)
            })?;
        let outcome = decode_outcome(parts, bytes.to_bytes(), &[]);
        body.set_result(result_of(&outcome));
        outcome
    }

    /// Starts new processes of all functions from another binary from now on.
    pub fn replace_binary(&self, binary: &Path) {
        self.0
            .values()
            .for_each(|pool| pool.replace_binary(binary.to_owned()));
    }

    /// Stops all functions.
    pub async fn stop(&self) {
        futures::future::join_all(self.0.values().map(|pool| pool.stop())).await;
    }
}

impl Invoker for Fleet {
    // As `async_trait` would write it, but that it would keep the event over the waits, and an event cannot be shared between threads.
    fn invoke<'life0, 'life1, 'life2, 'async_trait>(
        &'life0 self,
        function: &'life1 str,
        event: &'life2 Event,
        attempt: u32,
    ) -> Pin<Box<dyn Future<Output = Result<Outcome>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        'life2: 'async_trait,
        Self: 'async_trait,
    {
        match self.pool(function) {
            Ok(pool) => Box::pin(pool.deliver(event, attempt)),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    fn capacity(&self, function: &str) -> usize {
        self.0.get(function).map_or(1, |pool| pool.capacity())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_trace_is_one_of_the_standards() {
        let trace = new_trace(Uuid::now_v7());
        let parts: Vec<_> = trace.split('-').collect();
        let [version, trace_id, span, flags] = parts.as_slice() else {
            panic!("{trace}")
        };
        assert_eq!((*version, *flags), ("00", "00"));
        assert_eq!((trace_id.len(), span.len()), (32, 16));
        assert!(
            trace
                .bytes()
                .all(|byte| byte == b'-' || byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase())
        );
        assert_ne!(u64::from_str_radix(span, 16).unwrap(), 0);
    }
}

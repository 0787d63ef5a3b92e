//! Invocations: an event or a request into a process, its outcome back, and what is told of it.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderName, Request, Response};
use hyper::body::Incoming;
use nephos_core::event::{Attributes, Event, TriggerKind};
use nephos_core::handler::PathParams;
use nephos_core::{Error, ErrorKind, Outcome, Result, TraceContext};
use tokio::time::Instant;
use uuid::Uuid;

use super::connection::{Connection, DeliveryBody, Failure};
use super::lease::{Answer, AnswerBody, Lease, deadline};
use super::report::{copy, result_of, subject, tell_failure};
use super::{Patience, Pool};
use crate::deploy::activity::InvocationResult;
use crate::deploy::process::Ending;
use crate::events::{decode_outcome, encode_delivery, encode_http};
use crate::wire::{MAX_EVENT_BYTES, Meta, TRACEPARENT, TRACESTATE};

/// How long the end of a process is waited for whose connection broke off: it tells why.
const END_GRACE: Duration = Duration::from_secs(1);

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
            let mut lease = match pool.acquire(Patience::Event).await {
                Ok(lease) => lease,
                Err(error) => return Err(tell_failure(report, error)),
            };
            let records: Vec<_> = records.iter().map(String::as_str).collect();
            let outcome = pool.exchange_whole(&mut lease, request, &records).await;
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
            || [request.method().as_str(), request.uri().path()].join(" "),
            1,
        );
        let mut lease = match self.acquire_now() {
            Some(lease) => lease,
            None => match self.wait_for_place().await {
                Ok(lease) => lease,
                Err(error) => return Err(tell_failure(report, error)),
            },
        };
        let until = deadline(self.spec.timeout);
        match self.exchange(&mut lease, request, until).await {
            Ok((response, connection)) => {
                lease.answered();
                let report = report.map(|mut report| {
                    report.result = Some(InvocationResult::Status {
                        status: response.status().as_u16(),
                    });
                    report
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

    /// A place for a client's request, within the function's own time.
    async fn wait_for_place(self: &Arc<Self>) -> Result<Lease> {
        tokio::time::timeout(self.spec.timeout, self.acquire(Patience::Client))
            .await
            .unwrap_or_else(|_| {
                Err(Error::new(
                    ErrorKind::ResourceExhausted,
                    "function.invoke",
                    "the function is busy; raise `concurrency` or `max_instances` in nephos.toml",
                )
                .with("function", self.function()))
            })
    }

    async fn exchange_whole(
        &self,
        lease: &mut Lease,
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
        lease: &mut Lease,
        mut request: Request<DeliveryBody>,
        until: Instant,
    ) -> Result<(Response<Incoming>, Connection)> {
        loop {
            let (mut connection, rested) = match lease.rested() {
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
    async fn broken(&self, lease: &mut Lease, error: BoxError) -> Error {
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

    async fn crashed(&self, lease: &mut Lease, error: impl Into<BoxError>) -> Error {
        let process = lease.process();
        let ended = tokio::time::timeout(END_GRACE, process.ended()).await;
        if ended.is_ok() {
            // Before anybody hears of it: whoever comes next gets another process.
            lease.ended();
        }
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
    let (mut trace, mut span) = ([0; 32], [0; 32]);
    let trace = Uuid::new_v4().simple().encode_lower(&mut trace);
    let span = &seed.simple().encode_lower(&mut span)[16..];
    ["00-", trace, "-", span, "-00"].concat()
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

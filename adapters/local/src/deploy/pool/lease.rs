//! An invocation's place in a process, and the answer that keeps the place until its body has been read.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use nephos_core::app::Isolation;
use nephos_core::{Error, ErrorKind};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};

use super::connection::Connection;
use super::report::Report;
use super::slot::{Place, Slot};
use super::{IDLE_GRACE, Pool};
use crate::deploy::activity::InvocationResult;
use crate::deploy::process::{Ending, Process};

/// A place in a process. Given back when dropped.
#[derive(Debug)]
pub(super) struct Lease {
    pool: Arc<Pool>,
    slot: Arc<Slot>,
    permit: Option<OwnedSemaphorePermit>,
    cold: bool,
    /// A connection that nobody uses: the one that came with the place, or the one that goes back with it.
    resting: Option<Connection>,
}

impl Lease {
    pub(super) fn new(
        pool: Arc<Pool>,
        (slot, place): (Arc<Slot>, Place),
        permit: OwnedSemaphorePermit,
        cold: bool,
    ) -> Self {
        pool.in_flight.fetch_add(1, Ordering::AcqRel);
        Self {
            pool,
            slot,
            permit: Some(permit),
            cold,
            resting: place.rested,
        }
    }

    pub(super) fn process(&self) -> &Arc<Process> {
        self.slot.process()
    }

    /// The connection that came with the place, once.
    pub(super) fn rested(&mut self) -> Option<Connection> {
        self.resting.take()
    }

    /// Whether the process was started for this invocation.
    pub(super) fn is_cold(&self) -> bool {
        self.cold
    }

    /// The process answered.
    pub(super) fn answered(&self) {
        self.pool.answered(&self.slot);
    }

    /// Gives the process no more invocations: it has ended.
    pub(super) fn ended(&self) {
        self.pool.retire(&self.slot);
    }

    /// Ends the process: it did not answer in time.
    pub(super) fn timed_out(&self) {
        self.pool.retire(&self.slot);
        self.slot.process().kill(Ending::TimedOut);
    }

    /// Lets the connection rest, if it has nothing left to do.
    pub(super) fn rest(&mut self, mut connection: Connection) {
        if connection.settle() {
            self.resting = Some(connection);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pool.in_flight.fetch_sub(1, Ordering::AcqRel);
        if self.pool.spec.isolation == Isolation::Invocation {
            self.pool.retire(&self.slot);
            let (slot, permit) = (Arc::clone(&self.slot), self.permit.take());
            self.pool.runtime.spawn(async move {
                slot.process().terminate(Ending::Isolation, IDLE_GRACE).await;
                // The place is free when the process is gone: there are never more of them than the manifest allows.
                drop(permit);
            });
        }
        self.slot.leave(self.resting.take());
    }
}

/// A function's answer to an HTTP request.
pub type Answer = Response<AnswerBody>;

/// The body of a function's answer, streaming. It keeps the invocation's place until it has been read, or is dropped.
#[derive(Debug)]
pub struct AnswerBody {
    body: Incoming,
    connection: Option<Connection>,
    lease: Lease,
    deadline: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    report: Option<Box<Report>>,
}

impl AnswerBody {
    pub(super) fn new(
        body: Incoming,
        connection: Connection,
        lease: Lease,
        deadline: Instant,
        report: Option<Box<Report>>,
    ) -> Self {
        Self {
            body,
            connection: Some(connection),
            lease,
            deadline,
            timer: None,
            report,
        }
    }

    /// Sets what the activity says of the invocation.
    pub fn set_result(&mut self, result: InvocationResult) {
        if let Some(report) = &mut self.report {
            report.result = Some(result);
        }
    }

    /// The time is over: whoever streams for ever would keep its place for ever.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let deadline = self.deadline;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        timer.as_mut().poll(cx).map(|()| {
            Error::new(
                ErrorKind::DeadlineExceeded,
                "http.answer",
                "the function did not finish its answer in time; raise its `timeout` in nephos.toml",
            )
        })
    }
}

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        let Some(connection) = &mut this.connection else {
            return Poll::Ready(None);
        };
        match connection.poll_body(&mut this.body, cx) {
            Poll::Ready(None) => {
                if let Some(connection) = this.connection.take() {
                    this.lease.rest(connection);
                }
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                this.connection = None;
                this.set_result(InvocationResult::Failed {
                    kind: ErrorKind::Crashed,
                    reason: format!("the answer broke off: {error}"),
                });
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(frame))),
            Poll::Pending => match this.poll_deadline(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(error) => {
                    this.connection = None;
                    this.set_result(InvocationResult::Failed {
                        kind: error.kind(),
                        reason: error.chain(),
                    });
                    Poll::Ready(Some(Err(error.into())))
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.connection.is_none() || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && self.body.is_end_stream()
        {
            self.lease.rest(connection);
        }
        if let Some(report) = self.report.take() {
            report.tell(&self.lease);
        }
    }
}

/// When an invocation that began now must have been answered: the function's own time, and a little for it to say itself that it was too long.
pub(super) fn deadline(timeout: Duration) -> Instant {
    const MARGIN: Duration = Duration::from_millis(500);
    let now = Instant::now();
    now.checked_add(timeout.saturating_add(MARGIN))
        // Farther than a clock can count is no deadline.
        .unwrap_or_else(|| now + Duration::from_secs(365 * 24 * 3600))
}

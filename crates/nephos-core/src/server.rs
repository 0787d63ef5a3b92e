//! The connections of a host that is called over HTTP, and their orderly end.
//!
//! What calls is a provider's own front, which keeps its connections for as long as it likes and dates answers itself. An answer is written as a whole: waiting for more would
//! only delay it.

mod pieces;

use std::convert::Infallible;
use std::fmt::Display;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Waker};
use std::time::Duration;

use futures::FutureExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulConnection;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use self::pieces::Pieces;
use crate::Result;
use crate::event::{Body, Request, Response};

/// The wait after a connection could not be accepted, most often for too many open files: the next try may find some closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// How many requests one connection of HTTP/2 carries at once: more than any front lets one process have.
#[cfg(feature = "server-http2")]
const MAX_STREAMS: u32 = 1_024;

/// Answers requests of HTTP/1.1 on `listener` until `told_to_end`, and then finishes those in flight, at most within `drain`.
///
/// # Errors
/// Those of `told_to_end`, once what was in flight is finished.
pub async fn serve_http1<A, F>(
    listener: TcpListener,
    drain: Duration,
    told_to_end: impl Future<Output = Result<()>>,
    answer: A,
) -> Result<()>
where
    A: Fn(Request) -> F + Clone + Send + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let http = http1_builder();
    serve(listener, drain, told_to_end, move |stream| {
        let answer = answer.clone();
        let service = service_fn(move |request: http::Request<Incoming>| {
            let answering = answer(request.map(Body::new));
            answering.map(|answer| Ok::<_, Infallible>(answer.map(Pieces::new)))
        });
        http.serve_connection(TokioIo::new(stream), service)
    })
    .await
}

/// The same of HTTP/1.1 and of HTTP/2 without TLS, whichever a connection begins with.
///
/// # Errors
/// As [`serve_http1`].
#[cfg(feature = "server-http2")]
pub async fn serve_http1_and_2<A, F>(
    listener: TcpListener,
    drain: Duration,
    told_to_end: impl Future<Output = Result<()>>,
    answer: A,
) -> Result<()>
where
    A: Fn(Request) -> F + Clone + Send + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    use hyper_util::rt::TokioExecutor;
    use hyper_util::server::conn::auto;

    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .header_read_timeout(None)
        .auto_date_header(false)
        .writev(false);
    http.http2()
        .auto_date_header(false)
        .max_concurrent_streams(MAX_STREAMS);
    serve(listener, drain, told_to_end, move |stream| {
        let answer = answer.clone();
        let service = service_fn(move |request: http::Request<Incoming>| {
            let answering = answer(request.map(Body::new));
            answering.map(|answer| Ok::<_, Infallible>(answer.map(Pieces::new)))
        });
        http.serve_connection(TokioIo::new(stream), service).into_owned()
    })
    .await
}

fn http1_builder() -> http1::Builder {
    let mut http = http1::Builder::new();
    // Each piece of a body is short.
    http.header_read_timeout(None)
        .auto_date_header(false)
        .writev(false);
    http
}

async fn serve<C>(
    listener: TcpListener,
    drain: Duration,
    told_to_end: impl Future<Output = Result<()>>,
    connection: impl Fn(TcpStream) -> C,
) -> Result<()>
where
    C: GracefulConnection<Error: Display + Send> + Send + 'static,
{
    let mut connections = Connections::default();
    let mut told_to_end = pin!(told_to_end);
    let told = loop {
        let accepted = tokio::select! {
            biased;
            told = &mut told_to_end => break told,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "a connection keeps its delay");
                }
                connections.serve(connection(stream));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    };
    drop(listener);
    if tokio::time::timeout(drain, connections.end()).await.is_err() {
        tracing::warn!("invocations were still in flight when the time to finish them was over");
    }
    told
}

/// The connections that are open.
#[derive(Debug, Default)]
struct Connections {
    open: JoinSet<()>,
    endings: Vec<Weak<Ending>>,
}

/// What tells one connection to end. It is looked at whenever the connection is, twice in each invocation: so looking is reading a flag, where a channel would be registered with
/// each time, and what all connections wait for together must be locked.
#[derive(Debug, Default)]
struct Ending {
    told: AtomicBool,
    /// Of the task of the connection, which is one and the same all along.
    waker: OnceLock<Waker>,
}

impl Ending {
    fn is_told(&self, task: &Context<'_>) -> bool {
        if self.waker.get().is_none() {
            let _ = self.waker.set(task.waker().clone());
            // Either this sees the flag, or who sets it sees the waker.
            fence(Ordering::SeqCst);
        }
        self.told.load(Ordering::Acquire)
    }

    fn tell(&self) {
        self.told.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }
}

impl Connections {
    fn serve<C>(&mut self, connection: C)
    where
        C: GracefulConnection<Error: Display + Send> + Send + 'static,
    {
        while self.open.try_join_next().is_some() {}
        self.endings.retain(|ending| ending.strong_count() > 0);
        let ending = Arc::new(Ending::default());
        self.endings.push(Arc::downgrade(&ending));
        self.open.spawn(async move {
            let mut connection = pin!(connection);
            let mut is_ending = false;
            let ended = poll_fn(|task| {
                if !is_ending && ending.is_told(task) {
                    is_ending = true;
                    connection.as_mut().graceful_shutdown();
                }
                connection.as_mut().poll(task)
            })
            .await;
            if let Err(error) = ended {
                // The caller hung up, or sent what is no HTTP: its own loss, as it got no answer.
                tracing::debug!(%error, "a connection broke off");
            }
        });
    }

    /// Ends them, each after what it is at.
    async fn end(&mut self) {
        for ending in self.endings.drain(..).filter_map(|ending| ending.upgrade()) {
            ending.tell();
        }
        while self.open.join_next().await.is_some() {}
    }
}

//! HTTP/1.1 on the loopback, and its orderly end.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::TokioIo;
use nephos_core::Result;
use nephos_core::adapter::Launch;
use nephos_core::event::Body;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::pieces::Pieces;
use super::site::Site;
use crate::package::Package;

/// How long invocations in flight may take to finish once the process is told to end.
const DRAIN: Duration = Duration::from_secs(30);
/// The wait after a connection could not be accepted, most often for too many open files: the next try may find some closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Serves invocations on `listener` until `told_to_end`, and then finishes those in flight.
///
/// # Errors
/// If the package is not what deployment writes, and those of `told_to_end`, once what was in flight is finished.
pub async fn serve_on(
    listener: TcpListener,
    launch: Launch,
    package: Package,
    told_to_end: impl Future<Output = Result<()>>,
) -> Result<()> {
    let site = Arc::new(Site::new(launch, package)?);
    let mut http = http1::Builder::new();
    // The Functions host keeps its connections for as long as it likes, and dates its answers itself. Each piece of a body is short.
    http.header_read_timeout(None)
        .auto_date_header(false)
        .writev(false);
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
                // An answer is written as a whole: waiting for more would only delay it.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "a connection keeps its delay");
                }
                let site = Arc::clone(&site);
                let service = service_fn(move |request: http::Request<Incoming>| {
                    let answering = site.handle(request.map(Body::new));
                    answering.map(|answer| Ok::<_, Infallible>(answer.map(Pieces::new)))
                });
                connections.serve(http.serve_connection(TokioIo::new(stream), service));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection of the Functions host could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    };
    drop(listener);
    if tokio::time::timeout(DRAIN, connections.end()).await.is_err() {
        tracing::warn!("invocations were still in flight when the time to finish them was over");
    }
    told
}

/// The connections that are open. They are told to end by what each of them alone waits for: it is looked at whenever the connection waits, twice in each invocation, and what
/// waits together must be locked.
#[derive(Debug, Default)]
struct Connections {
    open: JoinSet<()>,
    endings: Vec<oneshot::Sender<()>>,
}

impl Connections {
    fn serve<S>(&mut self, connection: http1::Connection<TokioIo<TcpStream>, S>)
    where
        S: HttpService<Incoming, ResBody = Pieces, Error = Infallible, Future: Send> + Send + 'static,
    {
        while self.open.try_join_next().is_some() {}
        self.endings.retain(|ending| !ending.is_closed());
        let (ending, told_to_end) = oneshot::channel::<()>();
        self.endings.push(ending);
        self.open.spawn(async move {
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                biased;
                ended = connection.as_mut() => ended,
                _ = told_to_end => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                // The caller hung up, or sent what is no HTTP: its own loss, as it got no answer.
                tracing::debug!(%error, "a connection of the Functions host broke off");
            }
        });
    }

    /// Ends them, each after what it is at.
    async fn end(&mut self) {
        self.endings.clear();
        while self.open.join_next().await.is_some() {}
    }
}

//! HTTP/1.1 on the loopback, and its orderly end.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use nephos_core::Result;
use nephos_core::adapter::Launch;
use nephos_core::event::Body;
use tokio::net::TcpListener;

use super::site::Site;
use crate::package::Package;

/// How long invocations in flight may take to finish once the process is told to end.
const DRAIN: Duration = Duration::from_secs(30);
/// The wait after a connection could not be accepted, most often for too many open files: the next try may find some closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Serves invocations on `listener` until `told_to_end`, and then finishes those in flight.
///
/// # Errors
/// If the package is not what deployment writes.
pub async fn serve_on(
    listener: TcpListener,
    launch: Launch,
    package: Package,
    told_to_end: impl Future<Output = ()>,
) -> Result<()> {
    let site = Arc::new(Site::new(launch, package)?);
    let connections = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    // The Functions host keeps its connections for as long as it likes, and dates its answers itself.
    http.header_read_timeout(None).auto_date_header(false);
    let mut told_to_end = pin!(told_to_end);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut told_to_end => break,
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
                    let site = Arc::clone(&site);
                    async move { Ok::<_, Infallible>(site.handle(request.map(Body::new)).await) }
                });
                let connection = connections.watch(http.serve_connection(TokioIo::new(stream), service));
                tokio::spawn(async move {
                    if let Err(error) = connection.await {
                        // The caller hung up, or sent what is no HTTP: its own loss, as it got no answer.
                        tracing::debug!(%error, "a connection of the Functions host broke off");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection of the Functions host could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, connections.shutdown()).await.is_err() {
        tracing::warn!("invocations were still in flight when the time to finish them was over");
    }
    Ok(())
}

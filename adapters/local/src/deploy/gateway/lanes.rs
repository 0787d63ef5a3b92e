//! Threads that serve the gateway's connections, one for each core, each with an event loop of its own.
//!
//! A connection stays on its lane, and so do the connections to functions that it uses: a request is never handed from thread to thread on its
//! way, which on two cores costs more than all the routing.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};

use nephos_core::{Error, ErrorKind, Result};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// More than these would idle: a lane routes tens of thousands of requests a second.
const MOST: usize = 8;

/// The threads. They end when this is dropped, with whatever they are at.
#[derive(Debug)]
pub(super) struct Lanes {
    lanes: Vec<Handle>,
    next: AtomicUsize,
    stop: CancellationToken,
    connections: TaskTracker,
}

impl Lanes {
    /// Starts them.
    ///
    /// # Errors
    /// [`ErrorKind::ResourceExhausted`] if the system gives no more threads.
    pub(super) fn start() -> Result<Self> {
        let count = std::thread::available_parallelism()
            .map_or(1, NonZero::get)
            .min(MOST);
        let stop = CancellationToken::new();
        // Whatever was started before a failure ends with it.
        let stop_on_failure = stop.clone().drop_guard();
        let lanes = (0..count)
            .map(|lane| start(lane, stop.clone()))
            .collect::<std::io::Result<Vec<_>>>()
            .map_err(|error| {
                Error::new(
                    ErrorKind::ResourceExhausted,
                    "gateway.start",
                    "the gateway's threads cannot be started; raise the limit of processes",
                )
                .caused_by(error)
            })?;
        stop_on_failure.disarm();
        Ok(Self {
            lanes,
            next: AtomicUsize::new(0),
            stop,
            connections: TaskTracker::new(),
        })
    }

    /// Serves a connection on the next lane in turn.
    ///
    /// # Errors
    /// A connection that cannot change hands.
    pub(super) fn serve<F, S>(&self, stream: TcpStream, serve: S) -> std::io::Result<()>
    where
        S: FnOnce(TcpStream) -> F + Send + 'static,
        F: Future<Output = ()> + Send,
    {
        let stream = stream.into_std()?;
        let lane = &self.lanes[self.next.fetch_add(1, Ordering::Relaxed) % self.lanes.len()];
        let served = self.connections.track_future(async move {
            match TcpStream::from_std(stream) {
                Ok(stream) => serve(stream).await,
                Err(error) => tracing::warn!(%error, "a connection to the gateway could not be served"),
            }
        });
        lane.spawn(served);
        Ok(())
    }

    /// Waits until all connections are finished.
    pub(super) async fn finished(&self) {
        self.connections.close();
        self.connections.wait().await;
    }

    /// Ends the threads, and with them what is left: a connection that is not finished keeps this alive itself.
    pub(super) fn end(&self) {
        self.stop.cancel();
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        self.end();
    }
}

fn start(lane: usize, stop: CancellationToken) -> std::io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new()
        .name(format!("nephos-gateway-{lane}"))
        .spawn(move || runtime.block_on(stop.cancelled()))?;
    Ok(handle)
}

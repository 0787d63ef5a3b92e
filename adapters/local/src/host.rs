//! The function side of the local protocol: takes connections from the Unix socket that the embedded host passes as standard input.
//!
//! A connection is a pair of pipes that come over the socket (`wire::pipes`). One connection carries one delivery at a time, and is kept alive for the next. The handler runs in the connection's own task; a request
//! whose caller goes away is dropped with its handler. SIGTERM ends the process in order; the end of the embedded host ends it at once.

use std::convert::Infallible;
use std::future::Future;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::parent_id;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use nephos_core::adapter::{Host, Launch};
use nephos_core::context::ContextBuilder;
use nephos_core::ending::told_to_end;
use nephos_core::env::Environment;
use nephos_core::event::Body;
use nephos_core::{Context, Error, ErrorKind, Event, Function, Outcome, Result};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::events::{decode_delivery, decode_http, encode_outcome};
use crate::resources::LocalDrivers;
use crate::wire::{DELIVERY, DeliveryKind, ENV_API, ENV_PARENT, MAX_EVENT_BYTES, Meta, pipes};

/// How long deliveries in flight may take to finish once the process is told to end.
const DRAIN: Duration = Duration::from_secs(30);
/// How often the process looks whether the embedded host is still there.
const PARENT_CHECK: Duration = Duration::from_millis(250);
/// The process's exit code when the embedded host is gone.
const EXIT_ORPHANED: i32 = 3;

/// The host of a function that the embedded host started.
#[derive(Debug)]
pub struct LocalHost;

#[async_trait]
impl Host for LocalHost {
    fn name(&self) -> &'static str {
        "local"
    }

    fn detect(&self, environment: &Environment) -> bool {
        environment.get(ENV_API).is_some()
    }

    async fn serve(&self, launch: Launch) -> Result<()> {
        let listener = listener_of_stdin()?;
        end_with_parent(&launch.environment)?;
        serve_on(listener, launch, told_to_end()).await
    }
}

/// Serves deliveries on `listener` until `told_to_end`, and then finishes those in flight.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] or [`ErrorKind::Decode`] if the environment is not what the embedded host makes it; and those of `told_to_end`, once what was in flight is
/// finished.
pub async fn serve_on(
    listener: UnixListener,
    launch: Launch,
    told_to_end: impl Future<Output = Result<()>>,
) -> Result<()> {
    let server = Arc::new(Server::new(launch)?);
    let ending = CancellationToken::new();
    // Each connection holds a sender; when all are gone, the receiver ends.
    let (in_flight, mut finished) = mpsc::channel::<Infallible>(1);
    let mut told_to_end = pin!(told_to_end);
    let told = loop {
        let accepted = tokio::select! {
            biased;
            told = &mut told_to_end => break told,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = Arc::clone(&server).connection(stream, ending.clone(), in_flight.clone());
                tokio::spawn(connection);
            }
            Err(error) => {
                // Most often there are too many open files: the next try may find some closed.
                tracing::warn!(%error, "a connection of the embedded host could not be accepted");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    drop(listener);
    drop(in_flight);
    ending.cancel();
    if tokio::time::timeout(DRAIN, finished.recv()).await.is_err() {
        tracing::warn!("deliveries were still in flight when the time to finish them was over");
    }
    told
}

/// What all deliveries share.
struct Server {
    function: Function,
    context: ContextBuilder,
    http: http1::Builder,
}

impl Server {
    fn new(launch: Launch) -> Result<Self> {
        let drivers = LocalDrivers::from_environment(&launch.environment)?;
        let bindings = launch.environment.wiring()?.bindings;
        let context = launch.context("local", bindings, Arc::new(drivers));
        let mut http = http1::Builder::new();
        // A connection rests between deliveries for as long as the embedded host likes; the gateway dates its answers itself.
        http.header_read_timeout(None).auto_date_header(false);
        Ok(Self {
            function: launch.function,
            context,
            http,
        })
    }

    async fn connection(
        self: Arc<Self>,
        stream: UnixStream,
        ending: CancellationToken,
        _in_flight: mpsc::Sender<Infallible>,
    ) {
        let server = &self;
        let service = service_fn(|request| async move { Ok::<_, Infallible>(server.handle(request).await) });
        let accepted = tokio::select! {
            biased;
            accepted = pipes::accept(stream) => accepted,
            () = ending.cancelled() => return,
        };
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                return;
            }
        };
        let mut connection = pin!(self.http.serve_connection(TokioIo::new(stream), service));
        let served = tokio::select! {
            served = connection.as_mut() => served,
            () = ending.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = served {
            // The caller hung up, or sent what is no HTTP: its own loss, as it got no answer.
            tracing::debug!(%error, "a connection of the embedded host broke off");
        }
    }

    async fn handle(&self, request: Request<Incoming>) -> Response<Body> {
        let outcome = match receive(request).await {
            Ok((event, meta)) => {
                let context = self.context(meta);
                self.function.dispatch(event, context).await
            }
            Err(error) => {
                tracing::warn!(error = %error.chain(), "a delivery could not be read");
                Outcome::Failed(error)
            }
        };
        encode_outcome(outcome)
    }

    fn context(&self, meta: Meta) -> Context {
        let deadline = Instant::now().checked_add(meta.timeout);
        self.context
            .invocation(meta.invocation_id, meta.attempt, deadline, meta.trace)
    }
}

/// Reads a delivery: an HTTP request's body goes on streaming, an event's is read whole.
async fn receive(request: Request<Incoming>) -> Result<(Event, Meta)> {
    const OPERATION: &str = "host.receive";
    match DeliveryKind::of(request.headers()) {
        Some(DeliveryKind::Http) => decode_http(request.map(Body::new)),
        Some(DeliveryKind::Event) => {
            let meta = Meta::read(request.headers())?;
            let (parts, body) = request.into_parts();
            let body = Limited::new(body, MAX_EVENT_BYTES)
                .collect()
                .await
                .map_err(|error| {
                    let (kind, message) = if error.is::<http_body_util::LengthLimitError>() {
                        (
                            ErrorKind::ResourceExhausted,
                            "the event is larger than the host takes",
                        )
                    } else {
                        (ErrorKind::Unavailable, "the event broke off")
                    };
                    Error::new(kind, OPERATION, message)
                        .with("max_bytes", MAX_EVENT_BYTES)
                        .caused_by(error)
                })?;
            Ok((decode_delivery(&parts.headers, body.to_bytes())?, meta))
        }
        None => Err(Error::new(
            ErrorKind::InvalidArgument,
            OPERATION,
            "the delivery does not say what it is; functions are called through the gateway or with `nephos invoke`",
        )
        .with("header", DELIVERY)
        .with(
            "value",
            request
                .headers()
                .get(&DELIVERY)
                .map_or("none", |value| value.to_str().unwrap_or("unreadable")),
        )),
    }
}

/// The listening socket that the embedded host bound, and passed as standard input.
fn listener_of_stdin() -> Result<UnixListener> {
    let stdin: OwnedFd = std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map_err(|error| start("standard input cannot be taken", error))?;
    let listener = std::os::unix::net::UnixListener::from(stdin);
    // Any descriptor becomes a listener without complaint; only a socket has an address.
    listener.local_addr().map_err(|error| {
        start(
            "standard input is not the embedded host's socket; start the function with `nephos dev`",
            error,
        )
    })?;
    listener
        .set_nonblocking(true)
        .and_then(|()| UnixListener::from_std(listener))
        .map_err(|error| start("the embedded host's socket cannot be used", error))
}

fn start(message: &'static str, error: std::io::Error) -> Error {
    Error::new(ErrorKind::InvalidArgument, "host.start", message).caused_by(error)
}

/// Ends the process when the embedded host is gone, whatever the handlers are doing: nobody is left to answer, and after its restart
/// the host delivers anew. A thread of its own, because a handler that blocks would hold up a task.
fn end_with_parent(environment: &Environment) -> Result<()> {
    // The host tells its id, so that its end is also seen if it came before this line.
    let host = environment
        .get(ENV_PARENT)
        .and_then(|id| id.parse().ok())
        .unwrap_or_else(parent_id);
    std::thread::Builder::new()
        .name("nephos-parent".to_owned())
        .stack_size(64 << 10)
        .spawn(move || {
            while parent_id() == host {
                std::thread::sleep(PARENT_CHECK);
            }
            std::process::exit(EXIT_ORPHANED);
        })
        .map(drop)
        .map_err(|error| start("the process cannot watch the embedded host", error))
}

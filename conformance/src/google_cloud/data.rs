//! Stand-ins of what Pub/Sub and Firestore do with messages and documents, for machines without Google's emulators: their REST interfaces in JSON, as the wire sees them.
//!
//! Every request is held against Google's discovery document, refused as Google refuses it, and is `UNIMPLEMENTED` if it is not one of those named in `pubsub` and `firestore`.
//! Each runs on a thread of its own, as the emulators are processes of their own: it outlives the runtime in which it was started, and ends when it is dropped.

mod firestore;
mod pubsub;

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, StatusCode};
use hyper::body::Incoming;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::checked::documented;
use super::emulators::Emulator;
use super::error::{Code, Outcome, Refusal};
use super::request::Asked;
use crate::discovery::Documents;
use crate::server::{self, Answer};

const OPERATION: &str = "stand-in.start";

/// More than what either takes at once; it is the interface that refuses what is too much.
const LARGEST: usize = 32 * 1024 * 1024;

/// A running stand-in of one interface. It ends when dropped.
#[derive(Debug)]
pub struct StandIn {
    url: String,
    // Its thread ends with it.
    _stop: DropGuard,
}

impl StandIn {
    /// Starts one, empty, on a free port of the loopback interface.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if no port or no thread can be had.
    pub async fn start(of: Emulator, documents: Arc<Documents>) -> Result<Self> {
        let stop = CancellationToken::new();
        let (stopped, (tell, told)) = (stop.clone(), oneshot::channel());
        let guard = stop.drop_guard();
        std::thread::Builder::new()
            .name(format!("stand-in of {of:?}"))
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(2)
                    .enable_all()
                    .build();
                match runtime {
                    Ok(runtime) => runtime.block_on(live(of, documents, tell, stopped)),
                    // Who started it may be gone already, here and below.
                    Err(error) => drop(tell.send(Err(failed(error)))),
                }
            })
            .map_err(failed)?;
        let url = told.await.map_err(failed)??;
        Ok(Self { url, _stop: guard })
    }

    /// Where it answers (`http://127.0.0.1:4000`).
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Unavailable, OPERATION, "a stand-in cannot start").caused_by(error)
}

/// Tells where it answers, and answers until it is stopped.
async fn live(
    of: Emulator,
    documents: Arc<Documents>,
    tell: oneshot::Sender<Result<String>>,
    stopped: CancellationToken,
) {
    let server = match of {
        Emulator::PubSub => pubsub::serve(documents).await,
        Emulator::Firestore => firestore::serve(documents).await,
    };
    match server {
        Ok(server) => {
            let _ = tell.send(Ok(server.url()));
            stopped.cancelled().await;
        }
        Err(error) => drop(tell.send(Err(error))),
    }
}

/// A request that came in whole.
struct Received {
    parts: Parts,
    body: Bytes,
}

async fn receive(request: Request<Incoming>) -> std::result::Result<Received, Answer> {
    let (parts, body) = request.into_parts();
    let body = server::read(body, LARGEST).await?;
    Ok(Received { parts, body })
}

impl Received {
    /// Its method, its query and its body, if the interface's document has them so.
    fn read<'a>(&self, documents: &'a Documents, host: &str) -> Outcome<Asked<'a>> {
        let sent: Option<Value> = if self.body.is_empty() {
            None
        } else {
            let read = serde_json::from_slice(&self.body);
            Some(read.map_err(|error| invalid(format!("Invalid JSON payload received. {error}")))?)
        };
        let (method, path) = (self.parts.method.as_str(), self.parts.uri.path());
        let call = documents
            .find(host, method, &documented(path))
            .map_err(|finding| Refusal::new(Code::Unimplemented, finding.to_string()))?;
        let query = self.parts.uri.query().unwrap_or_default();
        let findings = call.check(query, sent.as_ref(), None);
        match Refusal::found(&findings) {
            Some(refusal) => Err(refusal),
            None => Ok(Asked::new(call, query, sent.unwrap_or_else(|| json!({})))),
        }
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(Code::InvalidArgument, message)
}

/// What of a request this stand-in does not do.
fn unimplemented(what: &str) -> Refusal {
    let message = format!("This stand-in of Google Cloud does not do it: {what}.");
    Refusal::new(Code::Unimplemented, message)
}

/// Refuses the fields that are set and not among these.
fn only(body: &Value, known: &[&str]) -> Outcome<()> {
    let fields = body.as_object().into_iter().flatten();
    let is_set = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        _ => true,
    };
    let mut others = fields.filter(|(name, value)| !known.contains(&name.as_str()) && is_set(value));
    match others.next() {
        Some((name, _)) => Err(unimplemented(&format!("the field {name}"))),
        None => Ok(()),
    }
}

/// The name in a request's path.
fn named(asked: &Asked<'_>, parameter: &str) -> String {
    let parameters = asked.call.path_parameters();
    parameters.get(parameter).cloned().unwrap_or_default()
}

fn answered(outcome: Outcome<Value>) -> Answer {
    match outcome {
        Ok(body) => server::json(StatusCode::OK, &body),
        Err(refusal) => refusal.answer(),
    }
}

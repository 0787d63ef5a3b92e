//! What the command asks of a running engine: its state, its activity, events by hand.

use std::convert::Infallible;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use http::StatusCode;
use nephos_core::event::Body;
use nephos_core::resource::ResourceKind;
use nephos_core::{Error, ErrorKind, Event, Outcome, Result};
use serde_json::json;

use super::{Problem, Shared, answer, read};
use crate::events::{decode_delivery, encode_outcome};
use crate::wire::MAX_EVENT_BYTES;

/// What the API needs of the engine. May be called concurrently.
#[async_trait]
pub trait Control: Debug + Send + Sync + 'static {
    /// What is running, for people and machines.
    fn status(&self) -> serde_json::Value;
    /// What happens from now on, one value each; ends when the engine stops.
    fn activity(&self) -> BoxStream<'static, serde_json::Value>;
    /// Calls the function with `event`, directly, without retries. A function that the app does not have is [`ErrorKind::NotFound`]. That
    /// the handler failed is no error but an outcome.
    async fn invoke(&self, function: &str, event: Event) -> Result<Outcome>;
    /// Gives `event` to every trigger that it fits, durably, as if it had happened; returns how many those were.
    async fn emit(&self, event: Event) -> Result<usize>;
}

/// The media type of one JSON value a line.
const NDJSON: &str = "application/x-ndjson";

pub(super) async fn status(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, Problem> {
    shared.tokens.caller(request.headers())?.require_admin()?;
    super::json(&shared.control.status())
}

pub(super) async fn activity(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Problem> {
    shared.tokens.caller(request.headers())?.require_admin()?;
    let lines = shared
        .control
        .activity()
        .map(|value| Ok::<_, Infallible>(format!("{value}\n")));
    Ok(answer(StatusCode::OK, NDJSON, Body::from_stream(lines)))
}

pub(super) async fn invoke(
    State(shared): State<Arc<Shared>>,
    Path(function): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    shared.tokens.caller(request.headers())?.require_admin()?;
    let event = event(request).await?;
    let outcome = shared.control.invoke(&function, event).await?;
    Ok(encode_outcome(outcome))
}

pub(super) async fn emit(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, Problem> {
    shared.tokens.caller(request.headers())?.require_admin()?;
    let event = event(request).await?;
    let triggers = shared.control.emit(event).await?;
    super::json(&json!({"triggers": triggers}))
}

/// Functions are told by hand nothing that they could not read.
async fn event(request: Request) -> Result<Event> {
    let headers = request.headers().clone();
    let event = decode_delivery(&headers, read(request, MAX_EVENT_BYTES).await?)?;
    match event.undecodable.into_iter().next() {
        None => Ok(Event {
            undecodable: Vec::new(),
            ..event
        }),
        Some(failure) => Err(Error::new(
            ErrorKind::InvalidArgument,
            "api.read",
            "a record of the batch cannot be read",
        )
        .with("id", failure.id)
        .caused_by(failure.error)),
    }
}

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Path(kind): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    shared.tokens.caller(request.headers())?.require_admin()?;
    let kind = ResourceKind::ALL
        .into_iter()
        .find(|known| known.name() == kind)
        .ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                "api.route",
                "there is no such kind of resource",
            )
            .with("kind", kind)
        })?;
    super::json(&json!({"names": shared.registry.names(kind)}))
}

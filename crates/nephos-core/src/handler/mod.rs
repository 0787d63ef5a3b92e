//! Handlers: async functions of an event, with or without a context; and [`Function`], a handler under its name.

mod extract;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum_core::response::IntoResponse;
use futures::FutureExt as _;
use serde::{Deserialize, Serialize};
use tower_service::Service;

pub use self::extract::{Extracted, FromEvent, FromRecord};
use crate::context::Context;
use crate::error::Result;
use crate::event::{Event, RecordFailure, Request, TriggerKind};
use crate::outcome::{IntoOutcome, Outcome};

/// How much of an event a handler takes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// The event as a whole.
    Whole,
    /// One record; an event of several calls the handler for each.
    EachRecord,
    /// All records of an event together.
    Batch,
}

/// The parameters of the matched route (`/orders/{id}`), in a request's extensions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathParams(pub BTreeMap<String, String>);

impl PathParams {
    /// The parameter of this name in the request's route, decoded.
    #[must_use]
    pub fn of<'request>(request: &'request Request, name: &str) -> Option<&'request str> {
        let Self(params) = request.extensions().get()?;
        params.get(name).map(String::as_str)
    }
}

/// A future of an outcome.
pub type OutcomeFuture = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// An async function of an event, with or without a [`Context`]. `Args` only tells the forms apart.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a function that Nephos can call",
    note = "write `async fn name(event: E) -> R` or `async fn name(event: E, cx: Context) -> R`"
)]
pub trait Handler<Args>: Clone + Send + Sync + 'static {
    /// The event's type.
    type Event: FromEvent;

    /// Calls it.
    fn call(&self, event: Self::Event, cx: Context) -> OutcomeFuture;
}

impl<F, Fut, E, R> Handler<(E,)> for F
where
    F: Fn(E) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = R> + Send + 'static,
    E: FromEvent,
    R: IntoOutcome<E::Answer> + 'static,
{
    type Event = E;

    fn call(&self, event: E, _cx: Context) -> OutcomeFuture {
        // Not an async block: that keeps room for the handler's state twice.
        Box::pin(self(event).map(IntoOutcome::into_outcome))
    }
}

impl<F, Fut, E, R> Handler<(E, Context)> for F
where
    F: Fn(E, Context) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = R> + Send + 'static,
    E: FromEvent,
    R: IntoOutcome<E::Answer> + 'static,
{
    type Event = E;

    fn call(&self, event: E, cx: Context) -> OutcomeFuture {
        Box::pin(self(event, cx).map(IntoOutcome::into_outcome))
    }
}

/// What a function says of itself: `nephos check` holds it against the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionInfo {
    /// The name, which the manifest uses too.
    pub name: String,
    /// The kind of trigger that its event type fits; `None` fits all.
    pub trigger: Option<TriggerKind>,
    /// How much of an event it takes.
    pub shape: Shape,
    /// The event's type, as Rust names it.
    pub event_type: String,
    /// Where it is written (`src/main.rs:12`), if the attribute told.
    #[serde(default)]
    pub location: Option<String>,
}

type Call = dyn Fn(Event, Context) -> Result<(OutcomeFuture, Vec<RecordFailure>)> + Send + Sync;

/// A handler under its name.
///
/// ```
/// use nephos_core::{Function, Result, event::Message};
///
/// async fn fulfil(order: Message<String>) -> Result<()> {
///     println!("{}", order.body);
///     Ok(())
/// }
///
/// let function = Function::new("fulfil", fulfil);
/// assert_eq!(function.info().name, "fulfil");
/// ```
#[derive(Clone)]
pub struct Function {
    info: Arc<FunctionInfo>,
    call: Arc<Call>,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function")
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

impl Function {
    /// A function of this name, which the manifest uses too.
    pub fn new<Args, H: Handler<Args>>(name: &str, handler: H) -> Self {
        let info = FunctionInfo {
            name: name.to_owned(),
            trigger: H::Event::TRIGGER,
            shape: H::Event::SHAPE,
            event_type: std::any::type_name::<H::Event>().to_owned(),
            location: None,
        };
        let call = move |event: Event, cx: Context| {
            let extracted = H::Event::from_event(event)?;
            Ok((handler.call(extracted.value, cx), extracted.failures))
        };
        Self {
            info: Arc::new(info),
            call: Arc::new(call),
        }
    }

    /// A whole HTTP service as a function, such as an `axum::Router`.
    pub fn service<S, R>(name: &str, service: S) -> Self
    where
        S: Service<Request, Response = R, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        R: IntoResponse + 'static,
    {
        Self::new(name, move |mut request: Request, cx: Context| {
            // A clone per request, as a service may hold one request's state while it is busy.
            let mut service = service.clone();
            request.extensions_mut().insert(cx);
            async move {
                let ready = std::future::poll_fn(|task| service.poll_ready(task)).await;
                let response = match ready {
                    Ok(()) => service.call(request).await,
                    Err(never) => match never {},
                };
                match response {
                    Ok(response) => response.into_response(),
                    Err(never) => match never {},
                }
            }
        })
    }

    /// Says where it is written (`src/main.rs:12`).
    #[must_use]
    pub fn at(mut self, location: &str) -> Self {
        Arc::make_mut(&mut self.info).location = Some(location.to_owned());
        self
    }

    /// What it says of itself.
    #[must_use]
    pub fn info(&self) -> &FunctionInfo {
        &self.info
    }

    /// Extracts the argument and calls the handler; the failures are records that did not decode.
    pub(crate) fn call(&self, event: Event, cx: Context) -> Result<(OutcomeFuture, Vec<RecordFailure>)> {
        (self.call)(event, cx)
    }
}

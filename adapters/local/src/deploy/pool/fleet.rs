//! The pools of all functions, as whoever has events handled sees them.

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use http::{Request, Response};
use http_body_util::BodyExt as _;
use nephos_core::event::{Body, Data, Event};
use nephos_core::handler::PathParams;
use nephos_core::{Error, ErrorKind, Outcome, Result};

use super::Pool;
use super::connection::DeliveryBody;
use super::report::result_of;
use crate::deploy::pump::Invoker;
use crate::events::decode_outcome;
use crate::wire::{OUTCOME, OutcomeKind};

/// The pools of all functions.
#[derive(Debug)]
pub struct Fleet(BTreeMap<String, Arc<Pool>>);

impl Fleet {
    /// All of them.
    #[must_use]
    pub fn new(pools: BTreeMap<String, Arc<Pool>>) -> Self {
        Self(pools)
    }

    /// The pool of a function.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the app has no such function.
    pub fn pool(&self, function: &str) -> Result<&Arc<Pool>> {
        self.0.get(function).ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                "function.invoke",
                "the app has no such function",
            )
            .with("function", function)
        })
    }

    /// All pools, by function.
    pub fn pools(&self) -> impl Iterator<Item = (&str, &Arc<Pool>)> {
        self.0.iter().map(|(name, pool)| (name.as_str(), pool))
    }

    /// Calls a function with an event, once.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the app has no such function; else as [`Pool::deliver`].
    pub async fn call(&self, function: &str, event: Event) -> Result<Outcome> {
        let pool = self.pool(function)?;
        let Event {
            data: Data::Http(request),
            ..
        } = event
        else {
            let delivered = pool.deliver(&event, 1);
            drop(event);
            return delivered.await;
        };
        let (parts, body) = request.into_parts();
        let params = parts.extensions.get::<PathParams>().cloned().unwrap_or_default();
        let answer = pool
            .request(Request::from_parts(parts, DeliveryBody::Made(body)), &params)
            .await?;
        let (parts, mut body) = answer.into_parts();
        if OutcomeKind::of(&parts.headers) == Some(OutcomeKind::Http) {
            let mut response = Response::from_parts(parts, Body::new(body));
            response.headers_mut().remove(OUTCOME);
            return Ok(Outcome::Http(response));
        }
        let bytes = (&mut body).collect().await.map_err(|error| {
            Error::new(ErrorKind::Crashed, "function.invoke", "the answer broke off").caused_by(error)
        })?;
        let outcome = decode_outcome(parts, bytes.to_bytes(), &[]);
        body.set_result(result_of(&outcome));
        outcome
    }

    /// Starts new processes of all functions from another binary from now on.
    pub fn replace_binary(&self, binary: &Path) {
        self.0
            .values()
            .for_each(|pool| pool.replace_binary(binary.to_owned()));
    }

    /// Stops all functions.
    pub async fn stop(&self) {
        futures::future::join_all(self.0.values().map(|pool| pool.stop())).await;
    }
}

impl Invoker for Fleet {
    // As `async_trait` would write it, but that it would keep the event over the waits, and an event cannot be shared between threads.
    fn invoke<'life0, 'life1, 'life2, 'async_trait>(
        &'life0 self,
        function: &'life1 str,
        event: &'life2 Event,
        attempt: u32,
    ) -> Pin<Box<dyn Future<Output = Result<Outcome>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        'life2: 'async_trait,
        Self: 'async_trait,
    {
        match self.pool(function) {
            Ok(pool) => Box::pin(pool.deliver(event, attempt)),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    fn capacity(&self, function: &str) -> usize {
        self.0.get(function).map_or(1, |pool| pool.capacity())
    }
}

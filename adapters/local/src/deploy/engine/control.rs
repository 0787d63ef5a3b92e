//! What the resource API asks of the engine.

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use nephos_core::app::App;
use nephos_core::{Event, Outcome, Result};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::Addresses;
use crate::deploy::activity::Activities;
use crate::deploy::api::Control;
use crate::deploy::pool::Fleet;
use crate::deploy::pump::source::Router;

/// Answers the command.
#[derive(Debug)]
pub(super) struct Controller {
    app: String,
    addresses: Addresses,
    fleet: Arc<Fleet>,
    router: Arc<Router>,
    activities: Activities,
    stop: CancellationToken,
}

impl Controller {
    pub(super) fn new(
        app: &App,
        addresses: &Addresses,
        fleet: &Arc<Fleet>,
        router: &Arc<Router>,
        activities: &Activities,
        stop: &CancellationToken,
    ) -> Self {
        Self {
            app: app.name.clone(),
            addresses: addresses.clone(),
            fleet: Arc::clone(fleet),
            router: Arc::clone(router),
            activities: activities.clone(),
            stop: stop.clone(),
        }
    }
}

#[async_trait]
impl Control for Controller {
    fn status(&self) -> Value {
        let functions: serde_json::Map<_, _> = self
            .fleet
            .pools()
            .map(|(name, pool)| {
                (name.to_owned(), json!({"processes": pool.pids(), "in_flight": pool.in_flight(), "capacity": pool.capacity()}))
            })
            .collect();
        json!({
            "app": self.app,
            "pid": std::process::id(),
            "gateway": self.addresses.gateway,
            "api": self.addresses.api,
            "smtp": self.addresses.smtp,
            "s3": self.addresses.s3,
            "functions": functions,
        })
    }

    fn activity(&self) -> BoxStream<'static, Value> {
        let listener = self.activities.listen();
        let stop = self.stop.clone();
        stream::unfold((listener, stop), |(mut listener, stop)| async move {
            let heard = tokio::select! {
                () = stop.cancelled() => return None,
                heard = listener.recv() => heard,
            };
            let value = match heard {
                // An activity is texts and numbers, which always have a JSON form.
                Ok(activity) => serde_json::to_value(&activity).unwrap_or_default(),
                Err(RecvError::Lagged(lost)) => json!({"event": "lost", "activities": lost}),
                Err(RecvError::Closed) => return None,
            };
            Some((value, (listener, stop)))
        })
        .boxed()
    }

    async fn invoke(&self, function: &str, event: Event) -> Result<Outcome> {
        self.fleet.call(function, event).await
    }

    async fn emit(&self, event: Event) -> Result<usize> {
        self.router.emit(event).await
    }
}

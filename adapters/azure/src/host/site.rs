//! What all invocations of a site share, and which of them is which.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use nephos_core::adapter::Launch;
use nephos_core::context::ContextBuilder;
use nephos_core::event::{BufferedRequest, Request, Response};
use nephos_core::outcome::problem;
use nephos_core::resource::Drivers;
use nephos_core::route::Routes;
use nephos_core::{Context, Function, Result, TraceContext};
use tokio::time::Instant;

use super::callers::Callers;
use super::events::Events;
use super::resources;
use crate::events::http::invocation_id;
use crate::package::Package;

/// The largest document of an invocation, in bytes; the Functions host itself takes
/// [100 MB](https://learn.microsoft.com/azure/azure-functions/functions-bindings-http-webhook-trigger#limits) of a request, and quotes them.
const MAX_DOCUMENT_BYTES: usize = 256 << 20;

/// One function on one site.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) function: Function,
    pub(super) package: Package,
    pub(super) routes: Routes<()>,
    pub(super) events: Events,
    pub(super) callers: Callers,
    context: ContextBuilder,
}

impl Site {
    pub(super) fn new(launch: Launch, package: Package) -> Result<Self> {
        let drivers = resources::drivers(&launch.environment, &package)?;
        Self::with_drivers(launch, package, drivers)
    }

    pub(super) fn with_drivers(
        launch: Launch,
        mut package: Package,
        drivers: Arc<dyn Drivers>,
    ) -> Result<Self> {
        let name: Arc<str> = launch.name().into();
        let routes = Routes::of(&name, std::mem::take(&mut package.wiring.routes))?;
        let bindings = package.wiring.bindings.clone();
        Ok(Self {
            events: Events::new(&package, &drivers, name),
            callers: Callers::new(&package, &drivers)?,
            context: launch.context("azure", bindings, drivers),
            function: launch.function,
            package,
            routes,
        })
    }

    /// The answer to whatever the Functions host sends.
    pub(super) async fn handle(&self, request: Request) -> Response {
        let asked = self.package.forwarding || request.method() == Method::POST;
        // The host asks `GET /` by itself whether the process listens, and takes any answer. Whatever it calls for, it gives an id: also a client's `GET /`.
        if !asked || invocation_id(request.headers()).is_none() {
            return problem(StatusCode::NOT_FOUND, None);
        }
        if self.package.forwarding {
            return self.request(request).await;
        }
        let invocation = match BufferedRequest::read(request, MAX_DOCUMENT_BYTES).await {
            Ok(invocation) => invocation,
            Err(error) => {
                tracing::warn!(error = %error.chain(), "an invocation could not be read");
                return problem(StatusCode::BAD_REQUEST, None);
            }
        };
        self.invoke(invocation).await
    }

    /// What a handler knows besides its event. The Functions host tells no deadline: it is the function's own from now on.
    pub(super) fn context(&self, headers: &HeaderMap, attempt: u32) -> Context {
        let id = invocation_id(headers).unwrap_or_default();
        self.context
            .clone()
            .invocation_id(id)
            .attempt(attempt)
            .deadline(self.deadline())
            .trace(TraceContext::of_headers(headers))
            .build()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let timeout: Duration = self.package.wiring.timeout?;
        Instant::now().checked_add(timeout)
    }
}

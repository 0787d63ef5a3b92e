//! What all invocations of a site share, and which of them is which.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use nephos_core::adapter::Launch;
use nephos_core::context::ContextBuilder;
use nephos_core::dispatch::Dispatch;
use nephos_core::event::{BufferedRequest, Request, Response};
use nephos_core::outcome::problem;
use nephos_core::resource::Drivers;
use nephos_core::route::Routes;
use nephos_core::{Context, Function, Result, TraceContext};
use tokio::time::Instant;

use super::callers::Callers;
use super::events::Events;
use super::resources;
use crate::events::http::{Routed, Told, decode_forwarded, invocation_id};
use crate::package::Package;

/// The largest document of an invocation, in bytes; the Functions host itself takes
/// [100 MB](https://learn.microsoft.com/azure/azure-functions/functions-bindings-http-webhook-trigger#limits) of a request, and quotes them.
const MAX_DOCUMENT_BYTES: usize = 256 << 20;

/// How far a request has come before it is awaited.
enum Begun {
    /// To the handler.
    Dispatched(Dispatch),
    /// Nowhere: this is the answer.
    Answered(Box<Response>),
    /// To whom a mail service, Entra or a voice service calls.
    Called(Box<Request>),
    /// To what invocations are read by.
    Invoked(Box<Request>),
}

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

    /// The answer to whatever the Functions host sends. What can be said before it is awaited is: most requests are on their way to the handler then.
    pub(super) fn handle(
        self: &Arc<Self>,
        request: Request,
    ) -> impl Future<Output = Response> + Send + use<> {
        let begun = self.begin(request);
        let site = Arc::clone(self);
        async move {
            match begun {
                Begun::Dispatched(outcome) => site.respond(outcome.await),
                Begun::Answered(response) => *response,
                // What these take is not carried by every request.
                Begun::Called(request) => Box::pin(site.call(*request)).await,
                Begun::Invoked(request) => Box::pin(site.invocation(*request)).await,
            }
        }
    }

    fn begin(&self, mut request: Request) -> Begun {
        // The host asks `GET /` by itself whether the process listens, and takes any answer. Whatever it calls for, it gives an id: also a client's `GET /`.
        let unknown = || Begun::Answered(Box::new(problem(StatusCode::NOT_FOUND, None)));
        let is_called = self.callers.is_called(request.uri().path());
        if is_called || !self.package.forwarding {
            let asked = self.package.forwarding || request.method() == Method::POST;
            return match invocation_id(request.headers()) {
                Some(_) if asked && self.package.forwarding => Begun::Called(Box::new(request)),
                Some(_) if asked => Begun::Invoked(Box::new(request)),
                _ => unknown(),
            };
        }
        let Told { id: Some(id), trace } = Told::take(request.headers_mut()) else {
            return unknown();
        };
        let context = self.context_of(&id, trace, 1);
        match decode_forwarded(request, Some(id), &self.routes) {
            Routed::Refused(response) => Begun::Answered(Box::new(response)),
            Routed::To(event) => Begun::Dispatched(self.function.dispatch(event, context)),
        }
    }

    async fn invocation(&self, request: Request) -> Response {
        match BufferedRequest::read(request, MAX_DOCUMENT_BYTES).await {
            Ok(invocation) => self.invoke(invocation).await,
            Err(error) => {
                tracing::warn!(error = %error.chain(), "an invocation could not be read");
                problem(StatusCode::BAD_REQUEST, None)
            }
        }
    }

    /// What a handler knows besides its event. The Functions host tells no deadline: it is the function's own from now on.
    pub(super) fn context(&self, headers: &HeaderMap, attempt: u32) -> Context {
        let id = invocation_id(headers).unwrap_or_default();
        self.context_of(&id, TraceContext::of_headers(headers), attempt)
    }

    fn context_of(&self, id: &str, trace: TraceContext, attempt: u32) -> Context {
        self.context.invocation(id, attempt, self.deadline(), trace)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let timeout: Duration = self.package.wiring.timeout?;
        Instant::now().checked_add(timeout)
    }
}

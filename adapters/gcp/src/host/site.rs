//! What all requests of a service share, and which of them is which.

use std::future::Future;
use std::sync::Arc;

use futures::future::BoxFuture;
use http::HeaderMap;
use nephos_core::adapter::Launch;
use nephos_core::context::ContextBuilder;
use nephos_core::dispatch::Dispatch;
use nephos_core::event::{Request, Response};
use nephos_core::resource::Drivers;
use nephos_core::route::Routes;
use nephos_core::{Context, Function, Result};
use tokio::time::Instant;

use super::callers::Callers;
use super::events::Events;
use super::{resources, trace};
use crate::events::http::{Routed, decode};
use crate::wiring::{PREFIX, Service};

/// How far a request has come before it is awaited.
enum Begun {
    /// To the handler.
    Dispatched(Dispatch),
    /// Nowhere: this is the answer.
    Answered(Box<Response>),
    /// To whom one of Google's services, or another with an event, calls.
    Called(BoxFuture<'static, Response>),
}

/// One function in one service.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) function: Function,
    pub(super) service: Service,
    pub(super) events: Events,
    pub(super) callers: Callers,
    is_called: bool,
    routes: Routes<()>,
    context: ContextBuilder,
}

impl Site {
    pub(super) fn new(launch: Launch, service: Service) -> Result<Self> {
        let drivers = resources::drivers(&launch.environment, &service)?;
        let callers = Callers::new(&service, &drivers)?;
        Self::with(launch, service, drivers, callers)
    }

    pub(super) fn with(
        launch: Launch,
        mut service: Service,
        drivers: Arc<dyn Drivers>,
        callers: Callers,
    ) -> Result<Self> {
        let name: Arc<str> = launch.name().into();
        let routes = Routes::of(&name, std::mem::take(&mut service.wiring.routes))?;
        let bindings = service.wiring.bindings.clone();
        Ok(Self {
            events: Events::new(&service, &drivers, name),
            callers,
            is_called: service.is_called(),
            context: launch.context("gcp", bindings, drivers),
            function: launch.function,
            service,
            routes,
        })
    }

    /// The answer to whatever comes. What can be said before it is awaited is: most requests are on their way to the handler then.
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
                Begun::Called(answer) => answer.await,
            }
        }
    }

    fn begin(self: &Arc<Self>, request: Request) -> Begun {
        if self.is_called && request.uri().path().starts_with(PREFIX) {
            // What it takes is not carried by every request.
            return Begun::Called(Box::pin(Arc::clone(self).call(request)));
        }
        let trace = trace::of_headers(request.headers());
        match decode(request, &self.routes) {
            Routed::Refused(response) => Begun::Answered(Box::new(response)),
            Routed::To(event) => {
                // Cloud Run numbers no requests: the event's own id is the invocation's too.
                let id = event.attributes.id.as_str();
                let context = self.context.invocation(id, 1, self.deadline(), trace);
                Begun::Dispatched(self.function.dispatch(event, context))
            }
        }
    }

    /// What a handler knows besides its event. Cloud Run tells no deadline: it is the function's own from now on.
    pub(super) fn context(&self, headers: &HeaderMap, attempt: u32) -> Context {
        let trace = trace::of_headers(headers);
        self.context.invocation("", attempt, self.deadline(), trace)
    }

    fn deadline(&self) -> Option<Instant> {
        Instant::now().checked_add(self.service.wiring.timeout?)
    }
}

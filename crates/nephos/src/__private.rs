//! What the macros call: not to be used by hand, and not kept stable.
//!
//! `Function::new` and `Function::service` would do; with the bounds spelt out, the compiler names the one that does not hold.

use std::convert::Infallible;
use std::future::Future;

use nephos_core::event::Request;
use nephos_core::handler::FromEvent;
use nephos_core::outcome::IntoOutcome;
use nephos_core::{Context, Function};
use tower_service::Service;

use crate::http::IntoResponse;

/// A function of its event.
pub fn function_of_event<E, R, Fut, F>(name: &str, handler: F) -> Function
where
    E: FromEvent,
    R: IntoOutcome<E::Answer> + 'static,
    Fut: Future<Output = R> + Send + 'static,
    F: Fn(E) -> Fut + Clone + Send + Sync + 'static,
{
    Function::new::<(E,), F>(name, handler)
}

/// A function of its event and the context.
pub fn function_of_event_and_context<E, R, Fut, F>(name: &str, handler: F) -> Function
where
    E: FromEvent,
    R: IntoOutcome<E::Answer> + 'static,
    Fut: Future<Output = R> + Send + 'static,
    F: Fn(E, Context) -> Fut + Clone + Send + Sync + 'static,
{
    Function::new::<(E, Context), F>(name, handler)
}

/// A whole HTTP service as a function.
pub fn function_of_service<S: HttpService>(name: &str, service: S) -> Function {
    service.into_function(name)
}

/// A service that answers any HTTP request.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an HTTP service",
    note = "a function without arguments returns a whole service, such as `axum::Router`",
    note = "a function that takes an event is `async fn name(event: E) -> R`"
)]
pub trait HttpService {
    /// The function.
    fn into_function(self, name: &str) -> Function;
}

#[diagnostic::do_not_recommend]
impl<S> HttpService for S
where
    S: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Response: IntoResponse + 'static,
    S::Future: Send + 'static,
{
    fn into_function(self, name: &str) -> Function {
        Function::service(name, self)
    }
}

//! Clients' requests, which Cloud Run passes on as they are; the function's own routes are matched here. What Cloud Run adds are headers (`x-forwarded-for`, `forwarded`, `traceparent`,
//! `x-cloud-trace-context`), which stay.

use nephos_core::Event;
use nephos_core::event::{Attributes, Data, Request, Response};
use nephos_core::route::Routes;

/// Where a request goes.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "it is taken apart at once, and most are of the large one"
)]
pub enum Routed {
    /// To the handler.
    To(Event),
    /// Nowhere: this is the answer.
    Refused(Response),
}

/// Finds the route of a request.
#[must_use]
pub fn decode(mut request: Request, routes: &Routes<()>) -> Routed {
    let params = match routes.find(request.uri().path(), request.method()) {
        Ok((_, params)) => params,
        Err(refusal) => return Routed::Refused(refusal.response()),
    };
    if !params.0.is_empty() {
        request.extensions_mut().insert(params);
    }
    let data = Data::Http(request);
    Routed::To(Event::new(Attributes::known(&data, None, None), data))
}

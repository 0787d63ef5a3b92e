//! The function side on Cloud Run: HTTP on the port that [the container is told](https://cloud.google.com/run/docs/container-contract), HTTP/1.1 and HTTP/2 without TLS.
//!
//! What comes is a client's request, or, on a path that begins with `/.nephos/`, a request of one of Google's services with an event; which, the wiring tells. An event's failure, panic or
//! time-out is its answer, never the process's end. What becomes of it then is told in `events`.

mod callers;
mod events;
#[cfg(feature = "https")]
mod fetch;
#[cfg(feature = "token")]
mod keys;
mod requests;
mod resources;
mod site;
#[cfg(test)]
#[cfg(feature = "on-all")]
mod tests;
mod trace;
mod tries;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nephos_core::adapter::{Host, Launch};
use nephos_core::ending::told_to_end;
use nephos_core::env::Environment;
use nephos_core::server::serve_http1_and_2;
use nephos_core::{Error, ErrorKind, Result};
use tokio::net::TcpListener;

use self::site::Site;
use crate::wiring::Service;

/// Cloud Run's variable with the port to listen on.
pub const PORT: &str = "PORT";
/// Cloud Run's variable with the service's name, which Knative sets too.
pub const SERVICE: &str = "K_SERVICE";
/// The variable with the project's id, which deployment sets.
pub const PROJECT: &str = "GOOGLE_CLOUD_PROJECT";

/// How long what is in flight may take to finish once the process is told to end: Cloud Run ends it by force
/// [10 seconds](https://cloud.google.com/run/docs/container-contract#instance-shutdown) after.
const DRAIN: Duration = Duration::from_secs(9);

/// The host of a function on Cloud Run.
#[derive(Debug)]
pub struct CloudRunHost;

#[async_trait]
impl Host for CloudRunHost {
    fn name(&self) -> &'static str {
        "gcp"
    }

    fn detect(&self, environment: &Environment) -> bool {
        environment.get(SERVICE).is_some() && environment.get(PROJECT).is_some()
    }

    async fn serve(&self, launch: Launch) -> Result<()> {
        let text = launch.environment.require(PORT)?;
        let port: u16 = text.parse().map_err(|error: std::num::ParseIntError| {
            Error::new(
                ErrorKind::InvalidArgument,
                "host.start",
                "the port that Cloud Run told is none",
            )
            .with(PORT, text)
            .caused_by(error)
        })?;
        let service = Service::of(&launch.environment)?;
        let listener = TcpListener::bind(("0.0.0.0", port)).await.map_err(|error| {
            Error::new(
                ErrorKind::Unavailable,
                "host.start",
                "the port that Cloud Run told cannot be listened on",
            )
            .with(PORT, port)
            .caused_by(error)
        })?;
        serve_on(listener, launch, service, told_to_end()).await
    }
}

/// Serves requests on `listener` until `told_to_end`, and then finishes those in flight.
///
/// # Errors
/// If the wiring is not what deployment writes, and those of `told_to_end`, once what was in flight is finished.
pub async fn serve_on(
    listener: TcpListener,
    launch: Launch,
    service: Service,
    told_to_end: impl Future<Output = Result<()>>,
) -> Result<()> {
    let site = Arc::new(Site::new(launch, service)?);
    serve_http1_and_2(listener, DRAIN, told_to_end, move |request| site.handle(request)).await
}

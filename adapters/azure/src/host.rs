//! The function side on Azure Functions: a [custom handler](https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers), which the Functions host
//! starts, and calls over HTTP on the loopback.
//!
//! What comes is a client's request, where the host forwards requests, or else an invocation (`POST /<trigger>`). An invocation's failure, panic or time-out is its
//! answer, never the process's end. What becomes of it then is told in `events`.

mod callers;
mod events;
#[cfg(feature = "on-voice")]
mod fetch;
mod progress;
mod requests;
mod resources;
mod server;
mod site;
#[cfg(test)]
#[cfg(feature = "on-all")]
mod tests;

use async_trait::async_trait;
use nephos_core::adapter::{Host, Launch};
use nephos_core::ending::told_to_end;
use nephos_core::env::Environment;
use nephos_core::{Error, ErrorKind, Result};
use tokio::net::TcpListener;

pub use self::server::serve_on;
use crate::package::Package;

/// The Functions host's own variable with the port that it calls.
pub const PORT: &str = "FUNCTIONS_CUSTOMHANDLER_PORT";

/// The host of a function on Azure Functions.
#[derive(Debug)]
pub struct FunctionsHost;

#[async_trait]
impl Host for FunctionsHost {
    fn name(&self) -> &'static str {
        "azure"
    }

    fn detect(&self, environment: &Environment) -> bool {
        environment.get(PORT).is_some()
    }

    async fn serve(&self, launch: Launch) -> Result<()> {
        let text = launch.environment.require(PORT)?;
        let port: u16 = text.parse().map_err(|error: std::num::ParseIntError| {
            Error::new(
                ErrorKind::InvalidArgument,
                "host.start",
                "the port that the Functions host told is none",
            )
            .with(PORT, text)
            .caused_by(error)
        })?;
        let package = Package::find()?;
        let listener = TcpListener::bind(("127.0.0.1", port)).await.map_err(|error| {
            Error::new(
                ErrorKind::Unavailable,
                "host.start",
                "the port that the Functions host told cannot be listened on",
            )
            .with(PORT, port)
            .caused_by(error)
        })?;
        serve_on(listener, launch, package, told_to_end()).await
    }
}

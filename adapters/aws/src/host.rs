//! The function side on Lambda: takes invocations from the [Runtime API](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html), one after the
//! other, by the official crate `lambda_runtime`.
//!
//! An invocation's failure, panic or time-out is reported as its error, and the next one is taken. What becomes of it then is Lambda's business: it
//! retries asynchronous invocations and calls the on-failure destination, and the event source mappings do so for their records.

mod drain;
#[cfg(feature = "on-http")]
mod http;
mod invocation;
#[cfg(all(feature = "asynchronous", feature = "queue"))]
mod letter;
#[cfg(all(feature = "asynchronous", not(feature = "queue")))]
#[path = "host/no_letter.rs"]
mod letter;
#[cfg(feature = "on-email")]
pub(crate) mod mail;
mod resources;
#[cfg(test)]
#[cfg(all(feature = "on-all", feature = "queue"))]
mod tests;
mod trace;

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use lambda_runtime::{LambdaEvent, Runtime, service_fn};
use nephos_core::adapter::{Host, Launch};
use nephos_core::ending::told_to_end;
use nephos_core::env::Environment;
use nephos_core::{Error, ErrorKind, Result};

use self::drain::Drain;
use self::invocation::Invocations;

pub use self::trace::from_xray;

/// Lambda's own variable with the address of the Runtime API.
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// What Lambda sets for every function, and `lambda_runtime` ends the process without:
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>.
const DEMANDED: [&str; 3] = [
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
];

/// The host of a function on Lambda, or on whatever else speaks its Runtime API.
#[derive(Debug)]
pub struct LambdaHost;

#[async_trait]
impl Host for LambdaHost {
    fn name(&self) -> &'static str {
        "aws"
    }

    fn detect(&self, environment: &Environment) -> bool {
        environment.get(RUNTIME_API).is_some()
    }

    async fn serve(&self, launch: Launch) -> Result<()> {
        for variable in DEMANDED {
            launch.environment.require(variable)?;
        }
        check_address(launch.environment.require(RUNTIME_API)?)?;
        let invocations = Arc::new(Invocations::new(launch).await?);
        let told_to_end = told_to_end();
        let drain = Drain::default();
        let mut running = poll_loop(invocations, drain.clone());
        let ended = tokio::select! {
            ended = &mut running => Some(ended),
            told = told_to_end => {
                told?;
                None
            }
        };
        let ended = match ended {
            Some(ended) => ended,
            // What is being handled is finished and answered; nothing more is asked for.
            None => tokio::select! {
                biased;
                () = drain.at_rest() => Ok(()),
                ended = &mut running => ended,
            },
        };
        ended.map_err(|error| {
            Error::new(
                ErrorKind::Unavailable,
                "host.serve",
                "the Runtime API cannot be reached any more",
            )
            .caused_by(error)
        })
    }
}

/// Refuses an address that `lambda_runtime` would end the process for.
fn check_address(address: &str) -> Result<()> {
    let refused = || {
        Error::new(
            ErrorKind::InvalidArgument,
            "host.start",
            "the address of the Runtime API is none; it is `host:port`, with `http://` before it where a path follows",
        )
        .with("variable", RUNTIME_API)
        .with("value", address)
    };
    let uri: ::http::Uri = address
        .parse()
        .map_err(|error: ::http::uri::InvalidUri| refused().caused_by(error))?;
    if uri.authority().is_none() {
        return Err(refused());
    }
    Ok(())
}

/// Takes invocations until the Runtime API is gone. Boxed here, as the compiler does not see in an async function that it can be sent.
fn poll_loop(
    invocations: Arc<Invocations>,
    drain: Drain,
) -> BoxFuture<'static, std::result::Result<(), lambda_runtime::Error>> {
    let documents = drain.clone();
    let handler = service_fn(move |event: LambdaEvent<()>| {
        let invocations = Arc::clone(&invocations);
        let document = documents.document();
        async move { invocations.handle(document, event.context).await }
    });
    Box::pin(Runtime::new(handler).layer(drain).run())
}

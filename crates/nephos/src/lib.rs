//! Write a serverless function once, declare its triggers and resources in one file, and run the same binary on any cloud or your own machine.
//!
//! ```no_run
//! use nephos::prelude::*;
//!
//! /// Says who wrote to us.
//! #[nephos::function]
//! async fn welcome(order: Message<String>, cx: Context) -> Result<()> {
//!     cx.topic("news")?.publish(format!("{} has arrived", order.body)).await?;
//!     Ok(())
//! }
//!
//! nephos::main!(welcome);
//! ```
//!
//! A function takes its event as an argument: [`ObjectCreated`](event::ObjectCreated), [`Message`](event::Message),
//! [`http::Request`], … (all that [`FromEvent`](handler::FromEvent) lists), and after it a [`Context`], which has the resources that the function's
//! `uses` in nephos.toml names. `Ok` acknowledges the event, an error has it delivered again, and [`Error::reject`] sends it to the dead-letter
//! queue at once.
//!
//! Features: `local` (on by default) runs on one's own machine, `aws` on AWS Lambda, `azure` on Azure Functions, `gcp` on Google Cloud Run; `s3` opens buckets by URL, `email` parses inbound e-mail. What a
//! provider's host reads (`on-http`, …, `on-voice`) and opens (`bucket`, …, `secret`) is a feature for each kind: `nephos build` turns on those of
//! the manifest, `all` is all of them.

#[cfg(feature = "s3")]
mod external;
mod hosts;
pub mod http;
mod log;
pub mod prelude;
mod run;
pub mod testing;

pub use nephos_core::{
    BatchOutcome, BoxError, Context, Disposition, Error, ErrorContext, ErrorKind, Event, Function,
    FunctionInfo, Outcome, Result, TraceContext, TriggerKind, env, event, handler, outcome, resource,
};
pub use nephos_macros::{function, main};

#[cfg(feature = "s3")]
pub use self::external::S3Buckets;
pub use self::run::run;

#[doc(hidden)]
pub mod __private;

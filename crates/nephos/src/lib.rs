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
//! Features: `local` (on by default) runs on one's own machine, `s3` opens buckets by URL, `email` parses inbound e-mail.

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

pub use self::run::run;

/// What the macros call: not to be used by hand, and not kept stable.
#[doc(hidden)]
pub mod __private {
    use std::future::Future;

    use nephos_core::handler::FromEvent;
    use nephos_core::outcome::IntoOutcome;
    use nephos_core::{Context, Function};

    // `Function::new` would do; with the bounds spelt out, the compiler names the one that does not hold.

    /// A function of its event.
    pub fn function_of_event<E, R, Fut, F>(name: &str, handler: F) -> Function
    where
        E: FromEvent,
        R: IntoOutcome<E::Answer>,
        Fut: Future<Output = R> + Send + 'static,
        F: Fn(E) -> Fut + Clone + Send + Sync + 'static,
    {
        Function::new::<(E,), F>(name, handler)
    }

    /// A function of its event and the context.
    pub fn function_of_event_and_context<E, R, Fut, F>(name: &str, handler: F) -> Function
    where
        E: FromEvent,
        R: IntoOutcome<E::Answer>,
        Fut: Future<Output = R> + Send + 'static,
        F: Fn(E, Context) -> Fut + Clone + Send + Sync + 'static,
    {
        Function::new::<(E, Context), F>(name, handler)
    }
}

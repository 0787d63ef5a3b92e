//! The neutral heart of Nephos: events, resources, handlers, outcomes, and the app model.
//!
//! Nothing here knows a provider. Adapters map their provider's bytes to [`event::Event`]s and their services to the driver
//! traits in [`resource`]; authors meet these types through the `nephos` crate.

pub mod adapter;
pub mod app;
pub mod context;
pub mod dead_letter;
pub mod deploy;
pub mod dispatch;
#[cfg(unix)]
pub mod ending;
pub mod env;
pub mod error;
pub mod event;
pub mod handler;
pub mod json;
pub mod letters;
mod needs;
pub mod outcome;
pub mod plan;
pub mod resource;
pub mod retry;
pub mod route;
#[cfg(feature = "server")]
pub mod server;
pub mod wiring;

pub use self::context::{Context, TraceContext};
pub use self::error::{BoxError, Disposition, Error, ErrorContext, ErrorKind, Result};
pub use self::event::{Event, TriggerKind};
pub use self::handler::{Function, FunctionInfo};
pub use self::outcome::{BatchOutcome, Outcome};

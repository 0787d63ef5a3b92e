//! Logs on stderr, one line an event: every target collects a function's stderr.

use std::io::IsTerminal as _;

use nephos_core::env::Environment;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging. `RUST_LOG` sets levels, also by module (`info,my_app=debug`); `info` by default.
///
/// Filters by field, which would need regular expressions, are left out: they cost a function's binary a megabyte.
pub(crate) fn init(environment: &Environment) {
    let (filter, unreadable) = match environment.get("RUST_LOG").map(str::parse::<Targets>) {
        None => (Targets::new().with_default(Level::INFO), None),
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (Targets::new().with_default(Level::INFO), Some(error)),
    };
    let layer = tracing_subscriber::fmt::layer()
        .compact()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // A subscriber that the author has set stays.
    let set = tracing_subscriber::registry().with(layer).with(filter).try_init();
    if let (Some(error), Ok(())) = (unreadable, set) {
        tracing::warn!(%error, "RUST_LOG cannot be read; logging at level info");
    }
}

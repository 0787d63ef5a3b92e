//! What the embedded host has to say besides what happens: warnings on standard error, more with `RUST_LOG`.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::output::Output;

/// Starts it. `RUST_LOG` sets levels, also by module (`info,nephos_local=debug`); `warn` by default, if it warns at all.
pub(crate) fn init(output: &Output, warns: bool) {
    let level = if warns {
        LevelFilter::WARN
    } else {
        LevelFilter::OFF
    };
    let filter = EnvFilter::builder()
        .with_default_directive(level.into())
        .from_env_lossy();
    tracing_subscriber::fmt()
        .compact()
        .without_time()
        .with_target(false)
        .with_ansi(output.colour_err())
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}

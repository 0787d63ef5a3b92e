//! The embedded host whole, with real processes: this binary is also the functions, and, to be killed, the host itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod events;
mod function;
mod http;
mod kill;
mod processes;
mod support;
mod trouble;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use nephos_core::adapter::Host as _;
use nephos_core::env::Environment;
use nephos_local::host::LocalHost;

fn main() -> ExitCode {
    let environment = Environment::of_process();
    if LocalHost.detect(&environment) {
        return function::run(environment);
    }
    if let Ok(state) = std::env::var(kill::HOST) {
        return kill::host(state.as_ref());
    }
    let trials: Vec<Trial> = [
        http::trials(),
        events::trials(),
        trouble::trials(),
        kill::trials(),
        processes::trials(),
    ]
    .into_iter()
    .flatten()
    .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

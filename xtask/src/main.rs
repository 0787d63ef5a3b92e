//! The project's own commands: `cargo xtask setup | test | ci | bench | fuzz | docs`.

mod bench;
mod ci;
mod docs;
mod fuzz;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::setup::{self, Purpose};
use xtask::shell::{self, Result};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Xtask {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Install the pinned tools that tests and checks need, below the build folder.
    Setup,
    /// Set up, build, and run every test of the workspace.
    Test,
    /// Everything that must pass before a change is merged; ends with `test`.
    Ci,
    /// Measure the budgets, against peers in the same run.
    Bench {
        /// What to measure.
        #[arg(value_enum, default_value = "all")]
        subject: bench::Subject,
        /// Measure this `nephos` command instead of building this tree's.
        #[arg(long, value_name = "PROGRAM")]
        nephos: Option<PathBuf>,
    },
    /// Feed damaged input to everything that decodes bytes of others, and stop at what breaks a promise.
    Fuzz {
        /// One target (a file of `fuzz/fuzz_targets`); all if none is named.
        target: Option<String>,
        /// How long each target runs.
        #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
        seconds: u32,
    },
    /// Serve the peer of the HTTP benchmark until killed; the first line printed is its address.
    #[command(hide = true)]
    PeerHyper {
        /// The port on 127.0.0.1; 0 takes a free one.
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
    /// Build the API documentation without a warning and check the links of every page.
    Docs,
}

fn main() -> ExitCode {
    let task = Xtask::parse().command;
    match run(task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    match task {
        Task::Setup => {
            let tools = setup::folder(&shell::metadata()?.target_directory);
            setup::install(&tools, &[Purpose::Test, Purpose::Ci])?;
            println!("xtask setup: ok: tools are in {}", tools.display());
            Ok(())
        }
        Task::Test => test::run(),
        Task::Ci => ci::run(),
        Task::Bench { subject, nephos } => bench::run(subject, nephos),
        Task::Fuzz { target, seconds } => fuzz::run(target.as_deref(), seconds),
        Task::PeerHyper { port } => bench::peer::serve(port),
        Task::Docs => docs::run(),
    }
}

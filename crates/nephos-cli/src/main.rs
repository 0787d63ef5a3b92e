//! The `nephos` command: parses arguments and hands over to one file a subcommand.

mod binary;
mod build;
mod cmd;
mod connect;
mod cross;
mod demo;
mod deployment;
mod fail;
mod http;
mod input;
mod log;
mod output;
mod project;
mod requirements;
mod resource;
mod sample;
mod stateless;
mod targets;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::output::{Colour, Output};
use crate::project::Place;

/// Write a serverless function once; run it on any cloud or your own machine.
///
/// Exit codes: 0 done; 1 it failed, or you said no; 2 wrong usage; 3 the manifest or the functions have mistakes; 4 the functions do not build.
#[derive(Debug, Parser)]
#[command(
    name = "nephos",
    version,
    propagate_version = true,
    disable_help_subcommand = true
)]
struct Cli {
    /// Prints JSON for machines, one document a line.
    #[arg(long, global = true)]
    json: bool,

    /// When to use colours.
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    color: Colour,

    /// The project: the folder of nephos.toml.
    #[arg(
        short = 'C',
        long = "dir",
        global = true,
        default_value = ".",
        value_name = "FOLDER"
    )]
    dir: PathBuf,

    /// The folder of all state; `.nephos` in the project by default.
    #[arg(long, global = true, value_name = "FOLDER", env = "NEPHOS_STATE")]
    state: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Creates a project from a template.
    New(cmd::new::Args),
    /// Checks the manifest, and the functions against it.
    Check(cmd::check::Args),
    /// Prints the manifest's JSON Schema, for editors.
    Schema(cmd::schema::Args),
    /// Builds the functions and runs them here, with all their triggers and resources.
    Dev(cmd::dev::Args),
    /// Builds the functions for a target.
    Build(cmd::build::Args),
    /// Shows what would change at the target, and changes it.
    Deploy(cmd::deploy::Args),
    /// Removes the app from the target; what holds data is kept unless told otherwise.
    Destroy(cmd::destroy::Args),
    /// Shows what is deployed.
    Status(cmd::status::Args),
    /// Prints what deployed functions printed.
    Logs(cmd::logs::Args),
    /// Brings deployed functions back to the version before.
    Rollback(cmd::rollback::Args),
    /// Prints the target's native template.
    Render(cmd::render::Args),
    /// Calls a function once and prints its answer.
    Invoke(cmd::invoke::Args),
    /// Makes an event happen, as if its source had sent it.
    Emit(cmd::emit::Args),
    /// Lists resources, or what is in one.
    Ls(cmd::ls::Args),
    /// Prints an object, an item, a message or a record.
    Cat(cmd::cat::Args),
    /// Puts a file into a bucket, an item into a table, a message into a queue, topic or stream.
    Put(cmd::put::Args),
    /// Runs the conformance suite over adapters, and reports what each was proven to do.
    #[cfg(feature = "conformance")]
    Conformance(cmd::conformance::Args),
    /// Prints a completion script for a shell.
    Completions(cmd::completions::Args),
}

impl Command {
    /// Whether what goes wrong beside the command's own work is to be told. The suite makes it go wrong on purpose, all the time.
    fn warns(&self) -> bool {
        #[cfg(feature = "conformance")]
        if matches!(self, Self::Conformance(_)) {
            return false;
        }
        true
    }
}

/// A request through the gateway allocates some dozens of times: a tenth of all its time is the allocator's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The suite's rules that kill the embedded host start this program once more to be it.
    #[cfg(feature = "conformance")]
    if let Some(code) = nephos_local::harness::host() {
        return code;
    }
    let cli = Cli::parse();
    let output = Output::new(cli.json, cli.color);
    output.install_report_hook();
    log::init(&output, cli.command.warns());
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output.fail(&fail::Fail::from_io("could not start", &error).into()),
    };
    let result = runtime.block_on(run(&cli, &output));
    // Threads that still read a terminal must not keep the command alive.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(report) => output.fail(&report),
    }
}

async fn run(cli: &Cli, output: &Output) -> miette::Result<ExitCode> {
    let place = &Place {
        dir: cli.dir.clone(),
        state: cli.state.clone(),
    };
    match &cli.command {
        Command::New(args) => cmd::new::run(args, output),
        Command::Check(args) => cmd::check::run(args, place, output).await,
        Command::Schema(args) => cmd::schema::run(args, output),
        Command::Dev(args) => cmd::dev::run(args, place, output).await,
        Command::Build(args) => cmd::build::run(args, place, output).await,
        Command::Deploy(args) => cmd::deploy::run(args, place, output).await,
        Command::Destroy(args) => cmd::destroy::run(args, place, output).await,
        Command::Status(args) => cmd::status::run(args, place, output).await,
        Command::Logs(args) => cmd::logs::run(args, place, output).await,
        Command::Rollback(args) => cmd::rollback::run(args, place, output).await,
        Command::Render(args) => cmd::render::run(args, place, output),
        Command::Invoke(args) => cmd::invoke::run(args, place, output).await,
        Command::Emit(args) => cmd::emit::run(args, place, output).await,
        Command::Ls(args) => cmd::ls::run(args, place, output).await,
        Command::Cat(args) => cmd::cat::run(args, place, output).await,
        Command::Put(args) => cmd::put::run(args, place, output).await,
        #[cfg(feature = "conformance")]
        Command::Conformance(args) => cmd::conformance::run(args, place, output).await,
        Command::Completions(args) => cmd::completions::run(args, output),
    }
}

//! `nephos schema`: the manifest's JSON Schema.

use std::process::ExitCode;

use crate::output::Output;

/// Arguments of `nephos schema`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args, output: &Output) -> miette::Result<ExitCode> {
    let schema = nephos_manifest::schema();
    output.print(&format!("{schema:#}"));
    Ok(ExitCode::SUCCESS)
}

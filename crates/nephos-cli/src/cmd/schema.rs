//! `nephos schema`: the manifest's JSON Schema.

use std::process::ExitCode;

/// Arguments of `nephos schema`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args) -> miette::Result<ExitCode> {
    let schema = nephos_manifest::schema();
    println!("{schema:#}");
    Ok(ExitCode::SUCCESS)
}

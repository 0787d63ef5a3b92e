//! `nephos render`: the target's native template, as it would be deployed.

use std::process::ExitCode;

use crate::deployment::TargetArgs;
use crate::fail::Fail;
use crate::output::Output;
use crate::project::Place;

/// Arguments of `nephos render`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: TargetArgs,
}

pub(crate) fn run(args: &Args, place: &Place, output: &Output) -> miette::Result<ExitCode> {
    let project = args.target.project(place, *output)?;
    let text = args
        .target
        .deployer(&project, None)?
        .render()
        .map_err(Fail::from)?;
    output.print(text.trim_end());
    Ok(ExitCode::SUCCESS)
}

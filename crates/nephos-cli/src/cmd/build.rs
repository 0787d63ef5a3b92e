//! `nephos build`: builds the functions for a target.

use std::process::ExitCode;

use crate::cross::{self, CrossArgs};
use crate::deployment::TargetArgs;
use crate::output::{self, Output, Paint};
use crate::project::Place;

/// Arguments of `nephos build`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: TargetArgs,

    #[command(flatten)]
    build: CrossArgs,
}

pub(crate) async fn run(args: &Args, place: &Place, output: &Output) -> miette::Result<ExitCode> {
    let project = args.target.project(place, *output)?;
    let requirements = args
        .target
        .deployer(&project, None)?
        .requirements()
        .map_err(crate::fail::Fail::from)?;
    let built = cross::build(&project, &requirements, &args.build, *output).await?;
    let size = built.bytes.len() as u64;
    if output.json {
        output.line(
            &serde_json::json!({ "binary": built.path, "bytes": size, "features": requirements.features }),
        );
    } else {
        output.print(&format!(
            "{} {} ({})",
            output.paint(Paint::Green, "built"),
            built.path.display(),
            output::size(size)
        ));
    }
    Ok(ExitCode::SUCCESS)
}

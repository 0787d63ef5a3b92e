//! `nephos build`: builds the functions for one target, or for all.

use std::process::ExitCode;

use crate::cross::{self, CrossArgs};
use crate::output::{self, Output, Paint};
use crate::project::{Place, Project};
use crate::requirements::{self, ForArgs};

/// Arguments of `nephos build`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The target, as in `[target.NAME]`; all that the manifest has settings for, if none is named.
    #[arg(long, value_name = "NAME")]
    target: Option<String>,

    #[command(flatten)]
    targets: ForArgs,

    #[command(flatten)]
    build: CrossArgs,
}

pub(crate) async fn run(args: &Args, place: &Place, output: &Output) -> miette::Result<ExitCode> {
    let target = args.target.as_deref();
    let project = Project::load(place, target, *output)?;
    let requirements = requirements::of(&project, place, target, &args.targets, *output)?;
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

//! `nephos status`: what is deployed.

use std::process::ExitCode;

use nephos_core::deploy::Health;

use crate::deployment::{self, TargetArgs};
use crate::fail::Fail;
use crate::output::{Output, Paint};
use crate::project::Place;

/// Arguments of `nephos status`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: TargetArgs,
}

pub(crate) async fn run(args: &Args, place: &Place, output: &Output) -> miette::Result<ExitCode> {
    let project = args.target.project(place, *output)?;
    let status = args
        .target
        .deployer(&project, None)?
        .status()
        .await
        .map_err(Fail::from)?;
    if output.json {
        output.line(&status);
        return Ok(ExitCode::SUCCESS);
    }
    let app = &project.app().name;
    let Some(state) = &status.state else {
        output.print(&format!(
            "{app} is not deployed ({}, {})",
            status.place, status.deployment
        ));
        return Ok(ExitCode::SUCCESS);
    };
    let paint = match status.health {
        Health::Failed => Paint::Red,
        Health::Changing | Health::Absent => Paint::Yellow,
        Health::Works => Paint::Green,
    };
    let changed = status.changed.map_or(String::new(), |time| {
        time.format(", %Y-%m-%d %H:%M:%S UTC").to_string()
    });
    output.print(&format!(
        "{} on {} ({}, {}) {}{changed}",
        output.paint(Paint::Bold, app),
        args.target.target,
        status.place,
        status.deployment,
        output.paint(paint, state)
    ));
    if let Some(reason) = status.reason.as_deref().filter(|reason| !reason.is_empty()) {
        output.print(&format!("  {reason}"));
    }
    deployment::print_functions(&status.functions, *output);
    Ok(ExitCode::SUCCESS)
}

//! `nephos destroy`: removes the app from the target.

use std::process::ExitCode;

use nephos_core::deploy::{Confirmed, Keep};

use crate::deployment::{self, Reporter, TargetArgs};
use crate::fail::Fail;
use crate::output::{Output, Paint};
use crate::project::Place;

/// Arguments of `nephos destroy`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: TargetArgs,

    /// Does not ask.
    #[arg(long, short)]
    yes: bool,

    /// Removes what holds data too: buckets and tables with all that is in them, for good. Also what an earlier `destroy` kept.
    #[arg(long)]
    delete_data: bool,
}

pub(crate) async fn run(args: &Args, place: &Place, output: &Output) -> miette::Result<ExitCode> {
    let output = *output;
    let project = args.target.project(place, output)?;
    let deployer = args.target.deployer(&project, None)?;
    let app = &project.app().name;
    if !args.yes {
        let status = deployer.status().await.map_err(Fail::from)?;
        let what = format!(
            "{app} on {} ({}, {})",
            args.target.target, status.place, status.deployment
        );
        if args.delete_data {
            let question = format!("This removes {what} with ALL ITS DATA. To go on, type the app's name:");
            deployment::ask(&question, app, output).await?;
        } else {
            deployment::ask(&format!("Remove {what}? Its data is kept. [y/N]"), "yes", output).await?;
        }
    }
    let keep = if args.delete_data {
        Keep::Nothing
    } else {
        Keep::Data
    };
    let reporter = Reporter::new(output);
    let destroyed = deployer.destroy(Confirmed, keep, reporter.progress()).await;
    reporter.finish();
    let destroyed = destroyed.map_err(Fail::from)?;
    if output.json {
        output.line(&serde_json::json!({ "event": "destroyed", "removed": destroyed.removed, "kept": destroyed.kept }));
        return Ok(ExitCode::SUCCESS);
    }
    if destroyed.removed == 0 && destroyed.kept.is_empty() {
        output.print("there was nothing to remove");
        return Ok(ExitCode::SUCCESS);
    }
    output.print(&format!(
        "{} {} thing(s) of {app}",
        output.paint(Paint::Green, "removed"),
        destroyed.removed
    ));
    for kept in &destroyed.kept {
        output.print(&format!(
            "  {} {}  {} {}",
            output.paint(Paint::Yellow, "kept"),
            kept.part,
            kept.kind,
            kept.id
        ));
    }
    if !destroyed.kept.is_empty() && !args.delete_data {
        output.print("  `nephos destroy --delete-data` removes these too");
    }
    Ok(ExitCode::SUCCESS)
}

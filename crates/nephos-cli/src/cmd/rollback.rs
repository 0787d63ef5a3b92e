//! `nephos rollback`: brings deployed functions back to the version before.

use std::process::ExitCode;

use crate::deployment::{self, Reporter, TargetArgs};
use crate::fail::Fail;
use crate::output::{Output, Paint};
use crate::project::Place;
use crate::resource;

/// Arguments of `nephos rollback`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The functions; all of them if none is named.
    functions: Vec<String>,

    #[command(flatten)]
    target: TargetArgs,

    /// Does not ask.
    #[arg(long, short)]
    yes: bool,
}

pub(crate) async fn run(args: &Args, place: &Place, output: &Output) -> miette::Result<ExitCode> {
    let output = *output;
    let project = args.target.project(place, output)?;
    let app = project.app();
    if let Some(name) = args
        .functions
        .iter()
        .find(|name| !app.functions.contains_key(*name))
    {
        return Err(resource::no_function(app, name).into());
    }
    if !args.yes {
        let which = match args.functions.as_slice() {
            [] => format!("all functions of {}", app.name),
            names => names.join(", "),
        };
        deployment::ask(
            &format!("Bring {which} back to the version before? [y/N]"),
            "yes",
            output,
        )
        .await?;
    }
    let deployer = args.target.deployer(&project, None)?;
    let reporter = Reporter::new(output);
    let moved = deployer.rollback(&args.functions, reporter.progress()).await;
    reporter.finish();
    let moved = moved.map_err(Fail::from)?;
    if output.json {
        output.line(&serde_json::json!({ "event": "rolled_back", "moved": moved }));
    } else if moved.is_empty() {
        output.print(&output.paint(Paint::Green, "rolled back"));
    } else {
        output.print(&format!(
            "{} {} function(s); the next deploy brings the newest code again",
            output.paint(Paint::Green, "rolled back"),
            moved.len()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

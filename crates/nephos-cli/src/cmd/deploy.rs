//! `nephos deploy`: shows what would change at the target, and changes it.

use std::process::ExitCode;

use nephos_core::plan::Plan;

use crate::cross::{self, CrossArgs};
use crate::deployment::{self, Reporter, TargetArgs};
use crate::fail::Fail;
use crate::output::{self, Output, Paint};
use crate::project::Place;
use crate::requirements::{self, ForArgs};

/// Arguments of `nephos deploy`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: TargetArgs,

    /// Shows what would change, and changes nothing.
    #[arg(long)]
    plan: bool,

    /// Does not ask.
    #[arg(long, short, conflicts_with = "plan")]
    yes: bool,

    /// Carries out a plan that loses data; --yes alone does not.
    #[arg(long, conflicts_with = "plan")]
    lose_data: bool,

    #[command(flatten)]
    targets: ForArgs,

    #[command(flatten)]
    build: CrossArgs,
}

pub(crate) async fn run(args: &Args, place: &Place, output: &Output) -> miette::Result<ExitCode> {
    let output = *output;
    let project = args.target.project(place, output)?;
    let target = Some(args.target.target.as_str());
    let requirements = requirements::of(&project, place, target, &args.targets, output)?;
    let built = cross::build(&project, &requirements, &args.build, output).await?;
    let deployer = args.target.deployer(&project, Some(built.bytes.into()))?;
    let reporter = Reporter::new(output);
    let plan = deployer.preview(reporter.progress()).await;
    reporter.finish();
    let plan = plan.map_err(Fail::from)?;
    show(&plan, output);
    if args.plan {
        deployer.discard(plan).await.map_err(Fail::from)?;
        return Ok(ExitCode::SUCCESS);
    }
    if !plan.is_empty()
        && let Err(refused) = agreed(args, &plan, output).await
    {
        deployer.discard(plan).await.map_err(Fail::from)?;
        return Err(refused);
    }
    let unchanged = plan.is_empty();
    let reporter = Reporter::new(output);
    let deployed = deployer.apply(plan, reporter.progress()).await;
    reporter.finish();
    let deployed = deployed.map_err(Fail::from)?;
    if output.json {
        output.line(&serde_json::json!({
            "event": "deployed", "changed": !unchanged, "functions": deployed.functions, "took_ms": deployed.took.as_millis(),
        }));
        return Ok(ExitCode::SUCCESS);
    }
    if !unchanged {
        let took = output::duration(deployed.took);
        output.print(&format!("{} in {took}", output.paint(Paint::Green, "deployed")));
    }
    deployment::print_functions(&deployed.functions, output);
    Ok(ExitCode::SUCCESS)
}

fn show(plan: &Plan, output: Output) {
    if output.json {
        output.line(&serde_json::json!({ "event": "plan", "plan": plan, "summary": plan.summary() }));
    } else {
        output.print(&plan.to_string());
    }
}

/// Whether the plan may be carried out.
async fn agreed(args: &Args, plan: &Plan, output: Output) -> miette::Result<()> {
    let lost: Vec<&str> = plan.losses().map(|step| step.id.as_str()).collect();
    if !lost.is_empty() && !args.lose_data {
        let lost = lost.join(", ");
        if args.yes {
            return Err(Fail::usage(format!("this plan loses the data in {lost}"))
                .help("save it first; --lose-data carries the plan out")
                .into());
        }
        return deployment::ask(
            &format!("This loses the data in {lost}. To go on, type the app's name:"),
            &plan.app,
            output,
        )
        .await;
    }
    if args.yes {
        return Ok(());
    }
    deployment::ask("Deploy this? [y/N]", "yes", output).await
}

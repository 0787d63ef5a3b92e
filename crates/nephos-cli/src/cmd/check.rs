//! `nephos check`: the manifest, and the functions against it.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::build::{self, BuildArgs};
use crate::output::{Output, Paint};
use crate::project::{Place, Project};

/// Arguments of `nephos check`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The project; the same as `--dir`.
    folder: Option<PathBuf>,

    /// Checks what the manifest says for this target.
    #[arg(long, value_name = "NAME")]
    target: Option<String>,

    /// Checks the manifest alone, without building the functions.
    #[arg(long)]
    no_build: bool,

    /// Calls each function in a warm and in a fresh process and reports those whose answers differ.
    #[arg(long, conflicts_with = "no_build")]
    stateless: bool,

    #[command(flatten)]
    build: BuildArgs,
}

pub(crate) async fn run(args: &Args, place: &Place, output: &Output) -> miette::Result<ExitCode> {
    let place = &place.in_folder(args.folder.as_deref());
    let target = args.target.as_deref();
    let project = Project::load(place, target, *output)?;
    let app = project.app();
    if !args.no_build {
        let binary = build::build(&project.dir, &args.build, *output).await?;
        let functions = build::describe(&binary).await?;
        project.manifest.functions_fit(&functions)?;
        if args.stateless {
            return crate::stateless::run(&project, &binary, *output).await;
        }
    }
    if output.json {
        output.line(&serde_json::json!({
            "ok": true, "app": app.name, "functions": app.functions.len(), "resources": app.resources.len(),
            "warnings": project.manifest.warnings.problems(),
        }));
    } else {
        let what = if args.no_build {
            "the manifest is right (the functions were not built)"
        } else {
            "manifest and functions fit"
        };
        output.print(&format!(
            "{} {}: {} function(s), {} resource(s); {what}",
            output.paint(Paint::Green, "ok"),
            app.name,
            app.functions.len(),
            app.resources.len(),
        ));
    }
    Ok(ExitCode::SUCCESS)
}

//! `nephos check`: the manifest, and the functions against it.

use std::path::PathBuf;
use std::process::ExitCode;

use nephos_core::deploy::Deployment;

use crate::build::{self, BuildArgs};
use crate::fail::Fail;
use crate::output::{Output, Paint};
use crate::project::{Place, Project};
use crate::targets;

/// Arguments of `nephos check`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The project; the same as `--dir`.
    folder: Option<PathBuf>,

    /// Checks what the manifest says for this target, and against its limits; else for all targets that it has settings for.
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
    let held = held(&project, place, target, *output)?;
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
            "ok": true, "app": app.name, "targets": held.targets, "notes": held.notes, "functions": app.functions.len(), "resources": app.resources.len(),
            "warnings": project.manifest.warnings.problems(),
        }));
    } else {
        for (target, note) in &held.notes {
            output.print(&format!(
                "{} {target}: {note}",
                output.paint(Paint::Yellow, "note")
            ));
        }
        let what = if args.no_build {
            "the manifest is right (the functions were not built)"
        } else {
            "manifest and functions fit"
        };
        output.print(&format!(
            "{} {}: {} function(s), {} resource(s); {what}{}",
            output.paint(Paint::Green, "ok"),
            app.name,
            app.functions.len(),
            app.resources.len(),
            match held.targets.as_slice() {
                [] => String::new(),
                targets => format!("; it fits {}", targets.join(", ")),
            },
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// What was found out about targets.
#[derive(Debug, Default)]
struct Held {
    /// Those that were asked.
    targets: Vec<String>,
    /// What each does otherwise than the manifest says.
    notes: Vec<(String, String)>,
}

/// Holds the app against the limits of the target, or, where none is named, of all targets that the manifest has settings for: what its deployment would
/// refuse is refused here, and what it would do otherwise is told. Those that nothing is deployed to have no limits.
fn held(project: &Project, place: &Place, target: Option<&str>, output: Output) -> miette::Result<Held> {
    let named: Vec<String> = match target {
        Some(target) => vec![target.to_owned()],
        None => project.app().targets.keys().cloned().collect(),
    };
    let mut held = Held::default();
    // What there is to say of the manifest was said.
    let mut quiet = output;
    quiet.json = true;
    for name in named.into_iter().filter(|name| targets::is_deployed_to(name)) {
        let app = match target {
            Some(_) => project.app().clone(),
            // The overlay of a target is in what is loaded for it only.
            None => Project::load(place, Some(&name), quiet)?.app().clone(),
        };
        let deployment = Deployment {
            app,
            target: name.clone(),
            binary: None,
        };
        let rendered = targets::open(deployment)?.render().map_err(Fail::from)?;
        held.notes
            .extend(rendered.notes.into_iter().map(|note| (name.clone(), note)));
        held.targets.push(name);
    }
    Ok(held)
}

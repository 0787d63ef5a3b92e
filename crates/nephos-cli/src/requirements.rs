//! What the functions' binary must be: by default one binary for all targets that the manifest has settings for, so that what was tried on one is what runs on
//! the other, byte for byte.

use nephos_core::deploy::{Deployment, Requirements};

use crate::fail::Fail;
use crate::output::{Output, Paint};
use crate::project::{Place, Project};
use crate::targets;

/// For which targets a binary is built.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ForArgs {
    /// Builds for this target alone, not for all that the manifest has settings for: smaller, but another binary on each target.
    #[arg(long)]
    pub(crate) alone: bool,
}

/// What the binary must be for `target`, and, unless it is built for that alone, for all other targets that the manifest has settings for; without a target for
/// all of them.
///
/// Where no one binary can run on another target too, that target is left out, and a note says so.
pub(crate) fn of(
    project: &Project,
    place: &Place,
    target: Option<&str>,
    args: &ForArgs,
    output: Output,
) -> miette::Result<Requirements> {
    let mut all = match target {
        Some(target) if args.alone => return Ok(one(project, target)?),
        Some(target) => Some(one(project, target)?),
        None if args.alone => {
            return Err(Fail::usage("--alone builds for one target, and none is named")
                .help("name it with --target")
                .into());
        }
        None => None,
    };
    // What there is to say of the manifest was said.
    let mut quiet = output;
    quiet.json = true;
    let others: Vec<&String> = (project.app().targets.keys())
        .filter(|name| targets::is_deployed_to(name) && target != Some(name))
        .collect();
    for name in others {
        // The overlay of a target is in what is loaded for it only.
        let loaded = Project::load(place, Some(name), quiet)?;
        let other = one(&loaded, name).map_err(|fail| {
            fail.help(format!(
                "mend [target.{name}], or pass --alone with another target: the binary is built for all targets of the manifest"
            ))
        })?;
        all = Some(match all {
            None => other,
            Some(before) => match before.merged(&other) {
                Some(both) => both,
                None => {
                    apart(name, output);
                    before
                }
            },
        });
    }
    all.ok_or_else(|| {
        Fail::usage("the manifest has no target to build for")
            .help("add one, as [target.aws], or name one with --target")
            .into()
    })
}

fn one(project: &Project, target: &str) -> Result<Requirements, Fail> {
    let deployment = Deployment {
        app: project.app().clone(),
        target: target.to_owned(),
        binary: None,
    };
    targets::open(deployment)?.requirements().map_err(Fail::from)
}

fn apart(name: &str, output: Output) {
    if !output.json {
        let output = output.on_stderr();
        output.print(&format!(
            "{} no one binary runs on the target `{name}` too, as its processor is another: it is left out",
            output.paint(Paint::Yellow, "note"),
        ));
    }
}

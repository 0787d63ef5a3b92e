//! `nephos render`: the target's native documents, as they would be deployed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nephos_core::deploy::Document;

use crate::deployment::TargetArgs;
use crate::fail::Fail;
use crate::output::{Output, Paint};
use crate::project::Place;

/// Arguments of `nephos render`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: TargetArgs,

    /// Writes each document to a file of its name in this folder, instead of printing it.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, place: &Place, output: &Output) -> miette::Result<ExitCode> {
    let project = args.target.project(place, *output)?;
    let rendered = args
        .target
        .deployer(&project, None)?
        .render()
        .map_err(Fail::from)?;
    // Standard output is the document's.
    let aside = output.on_stderr();
    for note in &rendered.notes {
        aside.print(&format!("{} {note}", aside.paint(Paint::Yellow, "note")));
    }
    match (&args.out, rendered.documents.as_slice()) {
        (Some(folder), documents) => write(folder, documents, aside)?,
        (None, [only]) => output.print(only.text.trim_end()),
        (None, documents) => {
            let names: Vec<&str> = documents.iter().map(|document| document.name.as_str()).collect();
            return Err(Fail::usage(format!(
                "the target has {} documents: {}",
                names.len(),
                names.join(", ")
            ))
            .help("name a folder for them: --out DIR")
            .into());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn write(folder: &Path, documents: &[Document], output: Output) -> Result<(), Fail> {
    let failed = |path: &Path, error| Fail::from_io(&format!("{} cannot be written", path.display()), &error);
    for document in documents {
        let path = folder.join(&document.name);
        // A document may lie in a folder of its own.
        let within = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(within).map_err(|error| failed(within, error))?;
        std::fs::write(&path, &document.text).map_err(|error| failed(&path, error))?;
        output.print(&path.display().to_string());
    }
    Ok(())
}

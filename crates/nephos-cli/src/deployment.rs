//! What the subcommands that deploy have in common: the target, its deployer, progress, and asking before something is changed.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use indicatif::ProgressBar;
use nephos_core::adapter::Deployer;
use nephos_core::deploy::{Deployment, FunctionStatus, Happening, Progress, StepState};

use crate::fail::Fail;
use crate::output::{self, Output, Paint};
use crate::project::{Place, Project};
use crate::targets;

/// Which target is meant.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct TargetArgs {
    /// The target, as in `[target.NAME]`.
    #[arg(long, value_name = "NAME")]
    pub(crate) target: String,
}

impl TargetArgs {
    /// The project, loaded for the target.
    pub(crate) fn project(&self, place: &Place, output: Output) -> miette::Result<Project> {
        Project::load(place, Some(&self.target), output)
    }

    /// The deployer, with the functions' binary where one is needed.
    pub(crate) fn deployer(
        &self,
        project: &Project,
        binary: Option<Bytes>,
    ) -> Result<Box<dyn Deployer>, Fail> {
        targets::open(Deployment {
            app: project.app().clone(),
            target: self.target.clone(),
            binary,
        })
    }
}

/// Prints what happens: a line for each thing that is done, and on a terminal what is going on.
#[derive(Debug)]
pub(crate) struct Reporter {
    spinner: ProgressBar,
    progress: Progress,
}

impl Reporter {
    pub(crate) fn new(output: Output) -> Self {
        let spinner = output.spinner("looking for the account");
        let begun = Arc::new(Mutex::new(Vec::<(String, Instant)>::new()));
        let bar = spinner.clone();
        let progress = Progress::new(move |happening| {
            if output.json {
                output.line(&happening);
                return;
            }
            match &happening {
                Happening::Phase { text } => {
                    bar.set_message(text.clone());
                    if bar.is_hidden() {
                        output
                            .on_stderr()
                            .print(&output.on_stderr().paint(Paint::Dim, text));
                    }
                }
                Happening::Note { text } => {
                    let output = output.on_stderr();
                    let line = format!("{} {text}", output.paint(Paint::Yellow, "note"));
                    bar.suspend(|| output.print(&line));
                }
                Happening::Step {
                    id,
                    state: StepState::Started,
                    ..
                } => {
                    let mut begun = begun.lock().unwrap_or_else(PoisonError::into_inner);
                    begun.push((id.clone(), Instant::now()));
                    let names: Vec<&str> = begun.iter().map(|(id, _)| id.as_str()).collect();
                    bar.set_message(names.join(", "));
                }
                Happening::Step { id, .. } => {
                    let mut begun = begun.lock().unwrap_or_else(PoisonError::into_inner);
                    let took = begun
                        .iter()
                        .position(|(known, _)| known == id)
                        .map(|at| begun.remove(at).1.elapsed());
                    let line = line(&happening, took, output);
                    bar.suspend(|| output.print(&line));
                }
                _ => {}
            }
        });
        Self { spinner, progress }
    }

    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Takes what is going on off the terminal.
    pub(crate) fn finish(&self) {
        self.spinner.finish_and_clear();
    }
}

/// A step that ended, as one line.
fn line(happening: &Happening, took: Option<std::time::Duration>, output: Output) -> String {
    let Happening::Step {
        action,
        part,
        kind,
        id,
        state,
        reason,
    } = happening
    else {
        return String::new();
    };
    let (paint, sign) = match state {
        StepState::Failed => (Paint::Red, '✗'),
        StepState::Undone => (Paint::Yellow, '↶'),
        _ => (Paint::Green, action.sign()),
    };
    let mut facts = vec![format!("{kind} {id}")];
    facts.extend(reason.clone().filter(|reason| !reason.is_empty()));
    // Events come in handfuls: what took less than a look at them says nothing.
    facts.extend(took.filter(|took| took.as_secs() > 0).map(output::duration));
    format!(
        "  {} {part}  {}",
        output.paint(paint, &sign.to_string()),
        output.paint(Paint::Dim, &facts.join(", "))
    )
}

/// Prints a line for each function.
pub(crate) fn print_functions<'a>(
    functions: impl IntoIterator<Item = (&'a String, &'a FunctionStatus)>,
    output: Output,
) {
    for (name, function) in functions {
        let version = function
            .version
            .as_deref()
            .map_or("no version".to_owned(), |version| format!("version {version}"));
        let changed = function.changed.map_or(String::new(), |time| {
            time.format("  %Y-%m-%d %H:%M:%S UTC").to_string()
        });
        output.print(&format!(
            "  {:<20} {:<11} {}{}",
            output.paint(Paint::Blue, name),
            version,
            function.id,
            output.paint(Paint::Dim, &changed),
        ));
        if let Some(url) = &function.url {
            output.print(&format!("  {:<20} {url}", ""));
        }
    }
}

/// Asks, and goes on only with a yes: to be typed on a terminal, or given with `--yes`.
pub(crate) async fn ask(question: &str, answer: &str, output: Output) -> miette::Result<()> {
    if output.json || !std::io::stdin().is_terminal() {
        return Err(
            Fail::usage("this is not done without a yes, and there is no terminal to ask on")
                .help("pass --yes to do it without being asked")
                .into(),
        );
    }
    let question = format!("{question} ");
    let typed = tokio::task::spawn_blocking(move || {
        // A question that cannot be shown is not answered either.
        let _ = write!(std::io::stderr(), "{question}");
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let typed = typed
        .await
        .map_err(|error| Fail::new(format!("the answer cannot be read: {error}")))?
        .map_err(|error| Fail::from_io("the answer cannot be read", &error))?;
    let typed = typed.trim();
    if typed.eq_ignore_ascii_case(answer) || (answer == "yes" && typed.eq_ignore_ascii_case("y")) {
        return Ok(());
    }
    Err(Fail::new("nothing was changed").into())
}

//! `nephos conformance`: the suite over adapters, and a report of what each was proven to do.

mod adapters;
mod progress;

use std::fs::OpenOptions;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use chrono::Utc;
use clap::ValueEnum;
use nephos_conformance::report::{self, AdapterReport, Report, html, junit, markdown, table};
use nephos_conformance::rule::Rule;
use nephos_conformance::{Selection, Stop, Suite, rules};

use self::adapters::Against;
use self::progress::Watcher;
use crate::fail::Fail;
use crate::output::{Output, Paint};
use crate::project::Place;

/// Arguments of `nephos conformance`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The adapters; all that there are by default.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    adapter: Vec<String>,

    /// Only the rules of these groups.
    #[arg(long, value_name = "GROUPS", value_delimiter = ',')]
    group: Vec<String>,

    /// Only these rules: whole ids, or parts that several ids have.
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    rule: Vec<String>,

    /// What the adapters run against. The local adapter is itself the service, and needs no emulator.
    #[arg(long, value_enum, default_value_t = Against::Emulator, value_name = "MODE")]
    mode: Against,

    /// Shows each mutant in the table, with what the rule noticed.
    #[arg(long)]
    mutants: bool,

    /// Runs the rules alone, without the adapters made wrong on purpose: quicker, and nothing shows that the rules notice anything.
    #[arg(long, conflicts_with = "mutants")]
    no_mutants: bool,

    /// How the report is written; `table` by default, `json` with --json.
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,

    /// Writes the report into this file, not to standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Lists the rules that would run, and runs none.
    #[arg(long)]
    list: bool,

    /// How many rules run at the same time; by default what suits the adapter.
    #[arg(long, value_name = "N")]
    side_by_side: Option<NonZeroUsize>,
}

/// A form of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a terminal.
    Table,
    /// For machines.
    Json,
    /// For CI.
    Junit,
    /// A page for a browser.
    Html,
    /// For a pull request.
    Markdown,
}

pub(crate) async fn run(args: &Args, place: &Place, output: &Output) -> miette::Result<ExitCode> {
    let output = *output;
    let selection = selection(args)?;
    if args.list {
        list(&selection, args, output);
        return Ok(ExitCode::SUCCESS);
    }
    let mut suites = adapters::suites(&args.adapter, args.mode)?;
    // Whoever names no adapter means those that have such rules.
    if args.adapter.is_empty() && suites.iter().any(|suite| suite.has(&selection)) {
        suites.retain(|suite| suite.has(&selection));
    }
    let file = args.output.as_deref().map(writable).transpose()?;
    // Cargo and the tools are looked for where the command works.
    std::env::set_current_dir(&place.dir)
        .map_err(|error| Fail::from_io(&format!("{} cannot be used", place.dir.display()), &error))?;

    let format = args
        .format
        .unwrap_or(if output.json { Format::Json } else { Format::Table });
    let short = file.is_some() || format != Format::Table;
    let report = prove(suites, selection, output, short).await?;
    let text = render(&report, format, args, output, file.is_some())?;
    match &file {
        Some(file) => std::fs::write(file, text)
            .map_err(|error| Fail::from_io(&format!("{} cannot be written", file.display()), &error))?,
        None => output.write(&text),
    }
    Ok(if report.is_as_declared() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs the suites one after the other, as two would take the processors from each other, and rules have little time.
async fn prove(
    suites: Vec<Suite>,
    selection: Selection,
    output: Output,
    short: bool,
) -> miette::Result<Report> {
    let stop = Stop::new();
    let interrupted = tokio::spawn(interrupt(stop.clone()));
    let (date, began) = (Utc::now(), Instant::now());
    // The suite has a runtime of its own, which no thread of another may wait for.
    let proven = tokio::task::spawn_blocking(move || {
        // A rule that panics says so in the report.
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let prove = |suite: Suite| {
            let watcher = Watcher::new(&suite, output, short);
            let report = suite.prove(&selection, &stop, &|progress| watcher.told(progress));
            watcher.finish(&report);
            report
        };
        let proven: Vec<AdapterReport> = suites.into_iter().map(prove).collect();
        std::panic::set_hook(hook);
        proven
    });
    let adapters = proven
        .await
        .map_err(|error| Fail::new(format!("the suite ended in a panic: {error}")))?;
    interrupted.abort();
    Ok(Report {
        schema: report::SCHEMA,
        nephos: env!("CARGO_PKG_VERSION").to_owned(),
        date,
        duration_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        adapters,
    })
}

/// The first Ctrl-C breaks the rules off and cleans up; the second ends the command at once.
async fn interrupt(stop: Stop) {
    if tokio::signal::ctrl_c().await.is_err() {
        return;
    }
    stop.ask("the run was interrupted");
    if tokio::signal::ctrl_c().await.is_ok() {
        std::process::exit(1);
    }
}

/// What is to run. Names that nothing has are refused, with those that may have been meant.
fn selection(args: &Args) -> Result<Selection, Fail> {
    for group in &args.group {
        if !rules::GROUPS.contains(&group.as_str()) {
            return Err(adapters::unknown("group", group, &rules::GROUPS));
        }
    }
    let ids: Vec<&str> = rules::all().map(|rule| rule.id).collect();
    for part in &args.rule {
        if part.is_empty() || !ids.iter().any(|id| id.contains(part.as_str())) {
            return Err(adapters::unknown("rule", part, &ids));
        }
    }
    let selection = Selection {
        groups: args.group.clone(),
        rules: args.rule.clone(),
        without_mutants: args.no_mutants,
        side_by_side: args.side_by_side.map(NonZeroUsize::get),
    };
    if selection.is_empty() {
        return Err(
            Fail::usage("no rule of these groups is among these rules, so nothing would be proven")
                .help("`nephos conformance --list` shows the rules of each group"),
        );
    }
    Ok(selection)
}

/// The file's absolute path, once it is sure that the report can be written there: nobody wants to know after ten minutes.
fn writable(file: &Path) -> Result<PathBuf, Fail> {
    let failed =
        |error: std::io::Error| Fail::from_io(&format!("{} cannot be written", file.display()), &error);
    let file = std::path::absolute(file).map_err(failed)?;
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(&file)
        .map_err(failed)?;
    Ok(file)
}

fn list(selection: &Selection, args: &Args, output: Output) {
    let rules: Vec<Rule> = rules::all().filter(|rule| selection.takes(rule)).collect();
    if output.json || args.format == Some(Format::Json) {
        for rule in rules {
            output.line(&serde_json::json!({
                "id": rule.id, "group": rule.group(), "why": rule.why, "source": rule.source, "mutant": format!("{:?}", rule.mutant),
            }));
        }
        return;
    }
    let longest = rules.iter().map(|rule| rule.id.len()).max().unwrap_or(0);
    for rule in rules {
        output.print(&format!(
            "{:<longest$}  {}",
            rule.id,
            output.paint(Paint::Dim, rule.why)
        ));
    }
}

fn render(
    report: &Report,
    format: Format,
    args: &Args,
    output: Output,
    to_file: bool,
) -> Result<String, Fail> {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        Fail::new(format!("the report cannot be written as {what}: {error}"))
    };
    Ok(match format {
        Format::Table => table::render(
            report,
            table::Style {
                colours: output.colour_out() && !to_file,
                mutants: args.mutants,
            },
        ),
        // One line, as all that the command says with --json.
        Format::Json if output.json => {
            serde_json::to_string(report).map_err(|error| failed("JSON", &error))? + "\n"
        }
        Format::Json => report::json(report).map_err(|error| failed("JSON", &error))?,
        Format::Junit => junit::render(report).map_err(|error| failed("JUnit", &error))?,
        Format::Html => html::render(report),
        Format::Markdown => markdown::render(report),
    })
}

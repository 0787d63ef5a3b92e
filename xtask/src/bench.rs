//! `cargo xtask bench`: the budgets of the project, measured against peers in the same run.
//!
//! Everything that is compared is a process of its own, reached over loopback, and rounds of the two sides
//! alternate, so that a busy machine slows both.

mod aws;
mod azure;
pub(crate) mod check;
pub(crate) mod compare;
mod gcp;
pub(crate) mod http;
pub(crate) mod load;
pub(crate) mod nephos;
pub(crate) mod peer;
pub(crate) mod peers;
pub(crate) mod process;
pub(crate) mod queue;
pub(crate) mod report;
pub(crate) mod service;
pub(crate) mod serving;
pub(crate) mod size;

use std::path::PathBuf;

use clap::ValueEnum;
use xtask::shell::{self, Error, Result};

use report::Row;

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Subject {
    /// A warm HTTP function against the same handler on bare hyper.
    Http,
    /// Queue messages delivered and acknowledged.
    Queue,
    /// A function's size, memory and cold start.
    Size,
    /// `nephos check` on small and large manifests.
    Check,
    /// Functions on Lambda, and the parts of the adapter for AWS.
    Aws,
    /// Functions behind the Functions host, and the parts of the adapter for Azure.
    Azure,
    /// Functions on Cloud Run, and the parts of the adapter for Google Cloud.
    Gcp,
    /// All of them.
    All,
}

type Measure = fn(&Bench) -> Result<Vec<Row>>;

/// Where the programs under test are.
#[derive(Debug)]
pub(crate) struct Bench {
    /// Cargo's build folder.
    pub(crate) target: PathBuf,
    /// A `nephos` command to measure instead of the one of this tree.
    pub(crate) other: Option<PathBuf>,
}

impl Bench {
    /// The `nephos` command, built as a release.
    pub(crate) fn nephos(&self) -> Result<PathBuf> {
        if let Some(other) = &self.other {
            return Ok(other.clone());
        }
        shell::run(
            shell::cargo().args(["build", "--quiet", "--release", "--package", "nephos-cli"]),
            "the benchmark",
        )?;
        Ok(self.target.join("release/nephos"))
    }

    /// A folder for what a benchmark generates, emptied.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.target.join("bench").join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(Error::io("remove", &folder))?;
        }
        std::fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        Ok(folder)
    }
}

/// Measures and prints a table. Being over budget is shown in the table and is no error.
///
/// # Errors
/// Whatever keeps a figure from being measured.
pub(crate) fn run(subject: Subject, other: Option<PathBuf>) -> Result<()> {
    let bench = Bench {
        target: shell::metadata()?.target_directory,
        other,
    };
    if cfg!(debug_assertions) {
        return again_as_release(&bench, subject);
    }
    let wanted = |s| subject == s || subject == Subject::All;
    let mut rows: Vec<Row> = Vec::new();
    let mut not_measured = Vec::new();
    let subjects: [(Subject, Measure); 16] = [
        (Subject::Size, size::measure),
        (Subject::Check, check::measure),
        (Subject::Http, http::measure),
        (Subject::Queue, queue::measure),
        (Subject::Aws, aws::functions),
        (Subject::Aws, aws::decoding),
        (Subject::Aws, aws::buckets),
        (Subject::Aws, aws::rendering),
        (Subject::Azure, azure::functions),
        (Subject::Azure, azure::buckets),
        (Subject::Azure, azure::rendering),
        (Subject::Gcp, gcp::functions),
        (Subject::Gcp, gcp::frameworks),
        (Subject::Gcp, gcp::buckets),
        (Subject::Gcp, gcp::rendering),
        (Subject::Gcp, gcp::planning),
    ];
    for (subject, measure) in subjects.into_iter().filter(|(s, _)| wanted(*s)) {
        match measure(&bench) {
            Ok(measured) => rows.extend(measured),
            Err(error) => not_measured.push(format!("{subject:?}: {error}")),
        }
    }
    println!("{}", report::table(&rows));
    if not_measured.is_empty() {
        return Ok(());
    }
    Err(Error::Other(format!("not measured: {}", not_measured.join("; "))))
}

/// The load generator and the peer must not be slowed by a debug build.
fn again_as_release(bench: &Bench, subject: Subject) -> Result<()> {
    shell::run(
        shell::cargo().args(["build", "--quiet", "--release", "--package", "xtask"]),
        "the benchmark",
    )?;
    let mut release = std::process::Command::new(bench.target.join("release/xtask"));
    let name = subject
        .to_possible_value()
        .map(|v| v.get_name().to_owned())
        .unwrap_or_default();
    release.args(["bench", &name]);
    if let Some(other) = &bench.other {
        release.arg("--nephos").arg(other);
    }
    shell::run(&mut release, "the benchmark")
}

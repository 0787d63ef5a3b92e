//! `cargo xtask fuzz`: builds the targets of `fuzz/` and runs each for a while, on a copy of its seeds that keeps growing below the
//! build folder.
//!
//! The stable compiler instruments for libFuzzer, so that neither a nightly one nor `cargo fuzz` is needed. There is no sanitizer:
//! the workspace has no unsafe code, so what is looked for are panics, overflows and broken promises.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use xtask::shell::{self, Error, Result};

const NEEDED_BY: &str = "cargo xtask fuzz";

/// What `cargo fuzz` passes to the compiler, but for the sanitizer: https://llvm.org/docs/LibFuzzer.html
const RUSTFLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";

/// An input that takes longer, or more memory, is a finding.
const LIMITS: [&str; 2] = ["-timeout=10", "-rss_limit_mb=2048"];

/// Where everything is.
struct Folders {
    /// The targets' sources and seeds.
    source: PathBuf,
    /// All that is generated.
    work: PathBuf,
}

/// Builds, and runs one target or all; prints one line for each.
///
/// # Errors
/// A target that there is not, a build that fails, and every finding with the file of its input.
pub(crate) fn run(only: Option<&str>, seconds: u32) -> Result<()> {
    let folders = Folders {
        source: shell::root().join("fuzz"),
        work: shell::metadata()?.target_directory.join("fuzz"),
    };
    let targets = chosen(targets(&folders.source)?, only)?;
    let programs = build(&folders, only)?;
    let mut findings = Vec::new();
    for target in &targets {
        let report = fuzz(&folders, &programs.join(target), target, seconds)?;
        println!("{target:<12} {}", report.line(seconds));
        if report.verdict != Verdict::Clean {
            findings.push(target.as_str());
        }
    }
    if findings.is_empty() {
        println!("xtask fuzz: ok: {} target(s), {seconds} s each", targets.len());
        return Ok(());
    }
    Err(Error::Other(format!(
        "xtask fuzz: FAILED: {}; replay a file with `{}/<target> <file>`",
        findings.join(", "),
        programs.display()
    )))
}

/// The names of the targets, which are those of their files.
fn targets(source: &Path) -> Result<Vec<String>> {
    let mut names: Vec<String> = files(&source.join("fuzz_targets"))?
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

fn chosen(mut targets: Vec<String>, only: Option<&str>) -> Result<Vec<String>> {
    let Some(only) = only else { return Ok(targets) };
    let all = targets.join(", ");
    targets.retain(|target| target == only);
    if targets.is_empty() {
        return Err(Error::Other(format!(
            "there is no fuzz target `{only}`; there are {all}"
        )));
    }
    Ok(targets)
}

/// Builds with the instrumentation and gives the programs' folder.
fn build(folders: &Folders, only: Option<&str>) -> Result<PathBuf> {
    let version = shell::output(Command::new("rustc").arg("-vV"), NEEDED_BY)?;
    let host = host(&version).ok_or_else(|| Error::Other("`rustc -vV` does not tell its host".to_owned()))?;
    let target = folders.work.join("build");
    let mut command = shell::cargo();
    command
        .args(["build", "--release", "--locked"])
        .arg("--manifest-path")
        .arg(folders.source.join("Cargo.toml"))
        // With a target of its own, even if it is the host's, build scripts and macros are not instrumented.
        .args(["--target", host])
        .arg("--target-dir")
        .arg(&target)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUSTFLAGS", RUSTFLAGS);
    if let Some(only) = only {
        command.args(["--bin", only]);
    }
    shell::run(&mut command, NEEDED_BY).map_err(|error| match error {
        Error::Failed { command, status, .. } => Error::Failed {
            command,
            status,
            hint: "; libFuzzer is C++, which needs a compiler (Debian: g++)".to_owned(),
        },
        other => other,
    })?;
    Ok(target.join(host).join("release"))
}

/// The compiler's own platform, of `rustc -vV`.
fn host(version: &str) -> Option<&str> {
    version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::trim)
}

/// Runs one target. What it prints goes to a file, of which the last lines are read.
fn fuzz(folders: &Folders, program: &Path, target: &str, seconds: u32) -> Result<Report> {
    let corpus = folders.work.join("corpus").join(target);
    copy(&folders.source.join("seeds").join(target), &corpus)?;
    let findings = folders.work.join("findings").join(target);
    fs::create_dir_all(&findings).map_err(Error::io("create", &findings))?;
    let log = folders.work.join(format!("{target}.log"));
    let output = File::create(&log).map_err(Error::io("create", &log))?;
    let mut prefix = std::ffi::OsString::from("-artifact_prefix=");
    prefix.push(&findings);
    prefix.push("/");
    let mut command = Command::new(program);
    command
        .arg(&corpus)
        .args(LIMITS)
        .arg(prefix)
        .arg(format!("-max_total_time={seconds}"))
        .arg("-print_final_stats=1")
        // A panic in the middle of a long run should say where.
        .env("RUST_BACKTRACE", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(output);
    let status = command
        .status()
        .map_err(|e| shell::missing(&command, NEEDED_BY, e))?;
    let text = fs::read(&log).map_err(Error::io("read", &log))?;
    let report = Report::read(&String::from_utf8_lossy(&text), status.success());
    if report.verdict == Verdict::Broken {
        // It found nothing and ended all the same: that is not about the input.
        shell::ended(&command, status)
            .map_err(|error| Error::Other(format!("{error}; see {}", log.display())))?;
        return Err(Error::Other(format!(
            "{target} ran nothing; see {}",
            log.display()
        )));
    }
    Ok(report)
}

/// Copies the seeds over what earlier runs left.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(Error::io("create", to))?;
    for seed in files(from)? {
        if let Some(name) = seed.file_name() {
            fs::copy(&seed, to.join(name)).map_err(Error::io("copy", &seed))?;
        }
    }
    Ok(())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        files.push(entry.map_err(Error::io("read", folder))?.path());
    }
    Ok(files)
}

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Every input was read or refused as it should be.
    Clean,
    /// One was not: the reason, and the file that holds it.
    Found { reason: String, input: String },
    /// The fuzzer itself did not run.
    Broken,
}

/// What a run told of itself.
#[derive(Debug, PartialEq, Eq)]
struct Report {
    runs: u64,
    new: u64,
    verdict: Verdict,
}

impl Report {
    /// Reads what libFuzzer and the panic's hook print.
    fn read(log: &str, succeeded: bool) -> Self {
        let stat = |name: &str| {
            log.lines()
                .filter_map(|line| line.strip_prefix("stat::")?.strip_prefix(name)?.strip_prefix(':'))
                .find_map(|value| value.trim().parse().ok())
                .unwrap_or(0)
        };
        let runs = stat("number_of_executed_units");
        let input = log
            .lines()
            .find_map(|line| line.split_once("Test unit written to "))
            .map(|(_, path)| path.trim().to_owned());
        let verdict = match (succeeded, input) {
            (true, _) if runs > 0 => Verdict::Clean,
            (false, Some(input)) => Verdict::Found {
                reason: reason(log),
                input,
            },
            _ => Verdict::Broken,
        };
        Self {
            runs,
            new: stat("new_units_added"),
            verdict,
        }
    }

    fn line(&self, seconds: u32) -> String {
        let Self { runs, new, verdict } = self;
        match verdict {
            Verdict::Clean => format!(
                "{runs:>9} runs ({}/s), {new:>6} new inputs, ok",
                runs / u64::from(seconds.max(1))
            ),
            Verdict::Found { reason, input } => {
                format!("{runs:>9} runs, {new:>6} new inputs, FOUND: {reason}\n  input: {input}")
            }
            Verdict::Broken => "did not run".to_owned(),
        }
    }
}

/// Why the input is a finding: the panic's place and message, else what libFuzzer calls it.
fn reason(log: &str) -> String {
    let mut lines = log.lines();
    let panic = lines.find_map(|line| line.split_once(" panicked at ").map(|(_, place)| place));
    if let Some(place) = panic {
        return format!("{place} {}", lines.next().unwrap_or_default());
    }
    log.lines()
        .find_map(|line| line.split_once("ERROR: libFuzzer: "))
        .map_or_else(
            || "it ended without a reason".to_owned(),
            |(_, what)| what.to_owned(),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATS: &str = "stat::number_of_executed_units: 1200\nstat::average_exec_per_sec:     20\nstat::new_units_added:          7\n";

    #[test]
    fn a_clean_run_is_told_in_one_line() {
        let report = Report::read(&format!("#2 INITED cov: 4\n{STATS}"), true);
        assert_eq!(
            report.line(60).split_whitespace().collect::<Vec<_>>().join(" "),
            "1200 runs (20/s), 7 new inputs, ok"
        );
    }

    #[test]
    fn a_panic_is_told_with_its_place_its_message_and_its_input() {
        let log = format!(
            "thread '<unnamed>' (7) panicked at src/email.rs:39:9:\nit grew\nstack backtrace:\n==7== ERROR: libFuzzer: deadly signal\n\
             artifact_prefix='/t/'; Test unit written to /t/crash-1\n{STATS}"
        );
        let report = Report::read(&log, false);
        assert_eq!(
            report.verdict,
            Verdict::Found {
                reason: "src/email.rs:39:9: it grew".to_owned(),
                input: "/t/crash-1".to_owned()
            }
        );
        assert!(
            report.line(60).ends_with("input: /t/crash-1"),
            "{}",
            report.line(60)
        );
    }

    #[test]
    fn a_time_out_is_told_by_the_fuzzers_name_for_it() {
        let log = "ALARM: working on the last Unit for 11 seconds\n==7== ERROR: libFuzzer: timeout after 11 seconds\n\
            artifact_prefix='/t/'; Test unit written to /t/timeout-1\n";
        let Verdict::Found { reason, .. } = Report::read(log, false).verdict else {
            panic!("a time-out is a finding");
        };
        assert_eq!(reason, "timeout after 11 seconds");
    }

    #[test]
    fn a_run_that_ran_nothing_is_not_clean() {
        assert_eq!(Report::read("", true).verdict, Verdict::Broken);
        assert_eq!(
            Report::read("cannot open the corpus", false).verdict,
            Verdict::Broken
        );
    }

    #[test]
    fn a_target_that_there_is_not_is_refused_with_those_that_there_are() {
        let targets = || vec!["email".to_owned(), "key".to_owned()];
        assert_eq!(chosen(targets(), Some("key")).unwrap(), ["key"]);
        assert_eq!(chosen(targets(), None).unwrap().len(), 2);
        let error = chosen(targets(), Some("mail")).unwrap_err().to_string();
        assert!(
            error.contains("`mail`") && error.contains("email, key"),
            "{error}"
        );
    }

    #[test]
    fn the_host_is_read_from_the_compilers_version() {
        assert_eq!(
            host("rustc 1.95.0\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0\n"),
            Some("x86_64-unknown-linux-gnu")
        );
        assert_eq!(host("rustc 1.95.0\n"), None);
    }

    #[test]
    fn every_target_is_declared_and_has_seeds() {
        let source = shell::root().join("fuzz");
        let names = targets(&source).unwrap();
        assert!(!names.is_empty());
        let manifest: toml::Table = fs::read_to_string(source.join("Cargo.toml"))
            .unwrap()
            .parse()
            .unwrap();
        let mut declared: Vec<&str> = manifest["bin"]
            .as_array()
            .unwrap()
            .iter()
            .map(|bin| bin["name"].as_str().unwrap())
            .collect();
        declared.sort_unstable();
        assert_eq!(
            declared, names,
            "fuzz/Cargo.toml declares other targets than fuzz/fuzz_targets holds"
        );
        for name in names {
            assert!(
                !files(&source.join("seeds").join(&name)).unwrap().is_empty(),
                "{name} has no seeds"
            );
        }
    }
}

//! `cargo xtask test`: prepares the tools, builds the functions as their authors would, and runs every test of
//! the workspace.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use xtask::setup::{self, Purpose};
use xtask::shell::{self, Error, Result};
use xtask::tidy::graph::{Metadata, Package, Role};

/// The environment variable that names the built `nephos` command, for tests of packages that cannot ask cargo for it.
const COMMAND_VARIABLE: &str = "NEPHOS_COMMAND";
const COMMAND_PACKAGE: &str = "nephos-cli";

/// Runs it all. The last line printed sums it up.
///
/// # Errors
/// A tool that is missing, a build that fails, a test that fails, or no test at all.
pub(crate) fn run() -> Result<()> {
    let started = Instant::now();
    let metadata = shell::metadata()?;
    let tools = setup::folder(&metadata.target_directory);
    setup::install(&tools, &[Purpose::Test])?;

    // Cargo unifies features over the packages it builds together, so a function built with the whole workspace
    // would link deploy code. The examples are built and tested by themselves, as an author's function is.
    let examples: Vec<&str> = names(&metadata, Role::Example);
    let mut rest = shell::cargo();
    rest.args([
        "test",
        "--workspace",
        "--no-fail-fast",
        "--features",
        shell::FEATURES,
    ]);
    let mut own = shell::cargo();
    own.args(["test", "--no-fail-fast"]);
    for name in &examples {
        rest.args(["--exclude", name]);
        own.args(["--package", name]);
    }
    // Its own integration tests make cargo build the command, with the features of the whole workspace; building it
    // by itself would compile most of its dependencies once more.
    let tested = |p: &Package| p.targets.iter().any(|t| t.kind.iter().any(|k| k == "test"));
    if !metadata
        .packages
        .iter()
        .any(|p| p.name == COMMAND_PACKAGE && tested(p))
    {
        shell::run(
            shell::cargo().args(["build", "--package", COMMAND_PACKAGE]),
            "the examples' tests",
        )?;
    }
    let command = metadata.target_directory.join("debug/nephos");

    // The workspace has all codecs of an adapter; a function has those of its triggers.
    let mut partial = shell::cargo();
    partial.args([
        "test",
        "--no-fail-fast",
        "--package",
        "nephos-aws",
        "--package",
        "nephos-azure",
        "--lib",
        "--features",
        "nephos-aws/host,nephos-aws/on-http,nephos-azure/host",
    ]);

    let mut tally = Tally::default();
    for tests in [&mut rest, &mut own, &mut partial] {
        tests
            .env(setup::TOOLS_VARIABLE, &tools)
            .env(COMMAND_VARIABLE, &command);
        tally.add(run_tests(tests)?);
    }
    let verdict = tally.verdict();
    let seconds = started.elapsed().as_secs();
    match verdict {
        Ok(text) => {
            println!("xtask test: {text}, in {seconds} s");
            for beneath in &tally.beneath {
                println!("xtask test: {beneath}");
            }
            Ok(())
        }
        Err(text) => Err(Error::Other(format!("xtask test: {text}, in {seconds} s"))),
    }
}

fn names(metadata: &Metadata, role: Role) -> Vec<&str> {
    metadata
        .packages
        .iter()
        .filter(|p| Role::of(p) == Some(role))
        .map(|p| p.name.as_str())
        .collect()
}

/// Runs one `cargo test`, shows what it prints, and counts.
fn run_tests(command: &mut Command) -> Result<Tally> {
    eprintln!("$ {}", shell::line(command));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| shell::missing(command, "cargo xtask test", e))?;
    let mut tally = Tally::default();
    let program = || std::path::PathBuf::from(command.get_program());
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.map_err(Error::io("read the output of", program()))?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            tally.read(&line);
        }
    }
    let status = child.wait().map_err(Error::io("wait for", program()))?;
    tally.broken = !status.success();
    Ok(tally)
}

/// What test programs said of themselves.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    programs: u64,
    passed: u64,
    failed: u64,
    ignored: u64,
    failures: Vec<String>,
    /// What adapters ran over, where that is not the same on every machine, as the suite says it.
    beneath: Vec<String>,
    broken: bool,
}

impl Tally {
    /// Counts a line such as `test result: ok. 3 passed; 0 failed; 0 ignored; …`, and remembers a failed test's
    /// name.
    fn read(&mut self, line: &str) {
        if let Some(name) = line
            .strip_prefix("test ")
            .and_then(|l| l.strip_suffix(" ... FAILED"))
        {
            self.failures.push(name.to_owned());
        }
        if let Some(said) = line.strip_prefix("conformance: ")
            && said.contains(" beneath: ")
        {
            self.beneath.push(said.to_owned());
        }
        let Some((_, counts)) = line
            .strip_prefix("test result: ")
            .and_then(|l| l.split_once(". "))
        else {
            return;
        };
        self.programs += 1;
        for count in counts.split("; ") {
            let Some((number, what)) = count.split_once(' ') else {
                continue;
            };
            let number: u64 = number.parse().unwrap_or(0);
            match what.trim() {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }

    fn add(&mut self, other: Self) {
        self.programs += other.programs;
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.failures.extend(other.failures);
        self.beneath.extend(other.beneath);
        self.broken |= other.broken;
    }

    /// The summary: `Err` where anything failed or nothing ran.
    fn verdict(&self) -> std::result::Result<String, String> {
        let Self {
            programs,
            passed,
            failed,
            ignored,
            ..
        } = self;
        let counts =
            format!("{passed} passed, {failed} failed, {ignored} ignored, in {programs} test programs");
        if self.broken || *failed > 0 {
            let named = self
                .failures
                .iter()
                .map(|name| format!("\n  failed: {name}"))
                .collect::<String>();
            return Err(format!("FAILED: {counts}{named}"));
        }
        if *passed == 0 {
            return Err(format!("FAILED: no test ran: {counts}"));
        }
        Ok(format!("ok: {counts}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        for line in lines {
            tally.read(line);
        }
        tally
    }

    #[test]
    fn results_of_all_programs_are_summed() {
        let tally = tally(&[
            "running 3 tests",
            "test a ... ok",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: ok. 40 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s",
        ]);
        assert_eq!(
            (tally.programs, tally.passed, tally.failed, tally.ignored),
            (2, 43, 0, 1)
        );
        assert_eq!(
            tally.verdict().unwrap(),
            "ok: 43 passed, 0 failed, 1 ignored, in 2 test programs"
        );
    }

    #[test]
    fn a_failed_test_fails_the_run_and_is_named() {
        let tally = tally(&[
            "test queue::loses ... FAILED",
            "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
        ]);
        let text = tally.verdict().unwrap_err();
        assert!(
            text.contains("1 failed") && text.contains("failed: queue::loses"),
            "{text}"
        );
    }

    #[test]
    fn a_program_that_dies_without_a_result_fails_the_run() {
        let mut tally =
            tally(&["test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out"]);
        tally.broken = true;
        assert!(tally.verdict().unwrap_err().starts_with("FAILED"));
    }

    #[test]
    fn what_an_adapter_ran_over_is_said_again_at_the_end() {
        let mut all = tally(&["conformance: adapter=aws mode=emulator rules: 1 held"]);
        all.add(tally(&[
            "conformance: adapter=gcp beneath: the suite's stand-ins",
        ]));
        assert_eq!(all.beneath, ["adapter=gcp beneath: the suite's stand-ins"]);
    }

    #[test]
    fn a_run_without_tests_fails() {
        assert!(Tally::default().verdict().unwrap_err().contains("no test ran"));
    }
}

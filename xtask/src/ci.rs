//! `cargo xtask ci`: all that must pass before a change is merged, cheapest first, the tests last.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use xtask::setup::{self, Purpose};
use xtask::shell::{self, Result};

use crate::{docs, test};

/// Longer than a slow network needs to fetch the advisory database once.
const FETCH_LIMIT: Duration = Duration::from_secs(120);

/// Runs it all and stops at the first step that fails.
///
/// # Errors
/// The failed step's.
pub(crate) fn run() -> Result<()> {
    shell::run(
        shell::cargo().args(["fmt", "--all", "--", "--check"]),
        "the format check",
    )?;
    // The fuzz targets and the benchmark's peers are workspaces of their own, too slow to build here; their format and the rules of the tree hold all the same.
    for workspace in [
        "fuzz/Cargo.toml",
        "xtask/peers/aws/Cargo.toml",
        "xtask/peers/azure/Cargo.toml",
        "xtask/peers/gcp/Cargo.toml",
    ] {
        shell::run(
            shell::cargo().args(["fmt", "--all", "--manifest-path", workspace, "--", "--check"]),
            "the format check",
        )?;
    }
    let clippy = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--features",
        shell::FEATURES,
        "--",
        "--deny",
        "warnings",
    ];
    shell::run(shell::cargo().args(clippy), "the lint check")?;
    docs::run()?;
    let advisories = deny()?;
    test::run()?;
    match advisories {
        Advisories::Checked => {
            println!("xtask ci: ok: format, lints, docs, licences, sources, bans, advisories, tests");
        }
        Advisories::NotChecked(why) => {
            println!("xtask ci: ok: format, lints, docs, licences, sources, bans, tests");
            println!("xtask ci: NOT CHECKED: security advisories ({why})");
        }
    }
    Ok(())
}

enum Advisories {
    Checked,
    NotChecked(String),
}

/// `cargo deny`: licences, sources and bans always; advisories where their database can be fetched.
fn deny() -> Result<Advisories> {
    let tools = setup::folder(&shell::metadata()?.target_directory);
    setup::install(&tools, &[Purpose::Ci])?;
    let deny = || {
        let mut command = Command::new(setup::cargo_tool(&tools, "cargo-deny"));
        command
            .current_dir(shell::root())
            .args(["--workspace", "--all-features"]);
        command
    };
    shell::run(
        deny().args(["check", "bans", "licenses", "sources"]),
        "the dependency check",
    )?;
    if let Err(why) = fetch(deny().args(["fetch", "db"])) {
        println!("cargo deny: NOT CHECKED: security advisories ({why})");
        return Ok(Advisories::NotChecked(why));
    }
    shell::run(
        deny().args(["check", "--disable-fetch", "advisories"]),
        "the advisory check",
    )?;
    Ok(Advisories::Checked)
}

/// Fetches the advisory database within [`FETCH_LIMIT`], or says why not.
fn fetch(command: &mut Command) -> std::result::Result<(), String> {
    eprintln!("$ {}", shell::line(command));
    let quiet = command
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let mut child = quiet
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("cargo-deny does not start: {e}"))?;
    let deadline = Instant::now() + FETCH_LIMIT;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(_)) => return Err("the RustSec database cannot be fetched from here".to_owned()),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(100)),
            Ok(None) | Err(_) => {
                // It is only a download: nothing is lost by ending it.
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!(
                    "the RustSec database did not arrive within {} s",
                    FETCH_LIMIT.as_secs()
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_cannot_be_fetched_is_said_and_one_that_can_is_used() {
        assert_eq!(fetch(&mut Command::new("true")), Ok(()));
        let refused = fetch(&mut Command::new("false")).unwrap_err();
        assert!(refused.contains("cannot be fetched"), "{refused}");
        let missing = fetch(&mut Command::new("nephos-no-such-program")).unwrap_err();
        assert!(missing.contains("does not start"), "{missing}");
    }
}

//! Builds a project's functions with cargo, finds the binary, and asks it what it holds.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use nephos_core::FunctionInfo;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::fail::Fail;
use crate::output::Output;

/// How to build.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct BuildArgs {
    /// Builds with this cargo profile.
    #[arg(long, default_value = "dev", value_name = "NAME")]
    pub(crate) profile: String,

    /// Builds with the release profile.
    #[arg(long, conflicts_with = "profile")]
    pub(crate) release: bool,

    /// Builds nothing: runs this binary.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["profile", "release"])]
    pub(crate) binary: Option<PathBuf>,
}

impl BuildArgs {
    fn profile(&self) -> &str {
        if self.release { "release" } else { &self.profile }
    }
}

/// A line of cargo's `--message-format=json`: <https://doc.rust-lang.org/cargo/reference/external-tools.html#json-messages>.
#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum CargoMessage {
    CompilerArtifact {
        manifest_path: PathBuf,
        executable: Option<PathBuf>,
        target: CargoTarget,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct CargoTarget {
    name: String,
    kind: Vec<String>,
}

/// Builds the crate in `dir` for this machine and returns the path of its binary.
pub(crate) async fn build(dir: &Path, args: &BuildArgs, output: Output) -> miette::Result<PathBuf> {
    match &args.binary {
        Some(binary) => ready(binary),
        None => cargo(dir, args.profile(), &[], output).await,
    }
}

/// The path of a binary that is built already.
pub(crate) fn ready(binary: &Path) -> miette::Result<PathBuf> {
    std::path::absolute(binary)
        .ok()
        .filter(|path| path.is_file())
        .ok_or_else(|| Fail::usage(format!("there is no binary at {}", binary.display())).into())
}

/// Builds the crate in `dir` with these arguments of cargo besides, and returns the path of its binary.
pub(crate) async fn cargo(
    dir: &Path,
    profile: &str,
    more: &[String],
    output: Output,
) -> miette::Result<PathBuf> {
    let manifest = dir.join("Cargo.toml");
    if !manifest.is_file() {
        return Err(Fail::build(format!(
            "there is no Cargo.toml beside nephos.toml in {}",
            dir.display()
        ))
        .help("begin with `nephos new`, or pass a ready binary with `--binary FILE`")
        .into());
    }
    let spinner = output.spinner("building");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args([
        "build",
        "--message-format=json-render-diagnostics",
        "--profile",
        profile,
        "--bins",
        "--manifest-path",
    ]);
    command
        .arg(&manifest)
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // When cargo itself started this command, what it tells of that package must not reach the one that is built now.
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
        {
            command.env_remove(name);
        }
    }
    let mut child = command.spawn().map_err(|error| {
        Fail::build(format!("cargo could not be started: {error}"))
            .help("install a Rust toolchain, see https://rustup.rs")
    })?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let progress = spinner.clone();
    let diagnostics = tokio::spawn(async move {
        let mut text = String::new();
        let Some(stderr) = stderr else { return text };
        let mut lines = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            progress.set_message(line.trim().to_owned());
            text.push_str(&line);
            text.push('\n');
        }
        text
    });
    let mut binaries = Vec::new();
    if let Some(stdout) = stdout {
        let mut lines = BufReader::new(stdout).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if let Ok(CargoMessage::CompilerArtifact {
                manifest_path,
                executable: Some(path),
                target,
            }) = serde_json::from_str(&line)
                && same_file(&manifest_path, &manifest)
                && target.kind.iter().any(|kind| kind == "bin")
            {
                binaries.push((target.name, path));
            }
        }
    }
    let status = child
        .wait()
        .await
        .map_err(|error| Fail::from_io("cargo could not be waited for", &error))?;
    let diagnostics = diagnostics.await.unwrap_or_default();
    spinner.finish_and_clear();
    if !status.success() {
        eprint!("{diagnostics}");
        return Err(Fail::build("the functions do not build; the compiler's messages are above").into());
    }
    match binaries.as_slice() {
        [(_, path)] => Ok(path.clone()),
        [] => Err(
            Fail::build(format!("the crate in {} has no binary", dir.display()))
                .help("an app is a binary crate whose main is `nephos::main!(…)`")
                .into(),
        ),
        several => {
            let names: Vec<_> = several.iter().map(|(name, _)| name.as_str()).collect();
            Err(Fail::build(format!(
                "the crate has several binaries ({}); an app has one",
                names.join(", ")
            ))
            .into())
        }
    }
}

fn same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

/// Asks the binary which functions it holds.
pub(crate) async fn describe(binary: &Path) -> miette::Result<Vec<FunctionInfo>> {
    let run = Command::new(binary)
        .env(nephos_core::env::DESCRIBE, "1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(std::time::Duration::from_secs(10), run)
        .await
        .map_err(|_| {
            Fail::new("the binary did not say within 10 s which functions it holds").help(MAIN_HELP)
        })?
        .map_err(|error| Fail::from_io(&format!("{} could not be started", binary.display()), &error))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(Fail::new(format!(
            "the binary ended with {} when asked for its functions: {}",
            output.status,
            text.trim()
        ))
        .help(MAIN_HELP)
        .into());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| {
        Fail::new(format!("the binary's list of functions cannot be read: {error}"))
            .help(MAIN_HELP)
            .into()
    })
}

const MAIN_HELP: &str = "its main must be `nephos::main!(…)`, and print nothing before that";

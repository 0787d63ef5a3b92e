//! `nephos dev` as a process of its own. What the benchmarks know of the command's output is in this file.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use xtask::shell::{self, Error, Result};

/// A first start builds the functions, with link-time optimisation.
const START_LIMIT: Duration = Duration::from_secs(900);
/// A host that was asked to stop has this long for it.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A running host, stopped when dropped.
#[derive(Debug)]
pub(crate) struct Nephos {
    child: Child,
    /// Where its HTTP functions are.
    pub(crate) gateway: SocketAddr,
}

/// One line of `nephos dev --json`. Other events have other fields, which nobody here reads.
#[derive(Debug, Deserialize)]
struct Line {
    event: String,
    #[serde(default)]
    gateway: Option<String>,
}

impl Nephos {
    /// Starts the host on `app` with its state in `state`, and waits until it is ready. What it logs goes to
    /// `<state>.log`.
    ///
    /// # Errors
    /// A host that ends, or is not ready in time; with the end of its log.
    pub(crate) fn start(nephos: &Path, app: &Path, state: &Path) -> Result<Self> {
        let log = state.with_extension("log");
        let file = File::create(&log).map_err(Error::io("create", &log))?;
        let mut command = Command::new(nephos);
        command
            .arg("dev")
            .arg(app)
            .args([
                "--no-watch",
                "--profile",
                "function",
                "--json",
                "--port",
                "0",
                "--state",
            ])
            .arg(state)
            .current_dir(shell::root())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file);
        let mut child = command
            .spawn()
            .map_err(|e| shell::missing(&command, "the benchmark", e))?;
        let ready = child.stdout.take().and_then(wait_until_ready);
        match ready {
            Some(gateway) => Ok(Self { child, gateway }),
            None => {
                stop(&mut child);
                let tail = tail(&log);
                Err(Error::Other(format!(
                    "`{}` was never ready; its log ends with:\n{tail}",
                    shell::line(&command)
                )))
            }
        }
    }

    /// The host's process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Nephos {
    fn drop(&mut self) {
        stop(&mut self.child);
    }
}

/// Reads lines until one says where the gateway is, then throws away what else comes, so that the host never blocks on
/// its output, and reading it costs next to nothing of the cores that are measured.
fn wait_until_ready(stdout: ChildStdout) -> Option<SocketAddr> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        let found = stdout
            .by_ref()
            .lines()
            .map_while(std::result::Result::ok)
            .find_map(|line| ready(&line));
        if let Some(gateway) = found {
            // Nobody listens any more once the start has failed.
            let _ = tell.send(gateway);
        }
        // It ends with the host.
        let _ = std::io::copy(&mut stdout, &mut std::io::sink());
    });
    told.recv_timeout(START_LIMIT).ok()
}

fn ready(line: &str) -> Option<SocketAddr> {
    let line: Line = serde_json::from_str(line).ok()?;
    (line.event == "ready").then_some(
        line.gateway?
            .strip_prefix("http://")?
            .trim_end_matches('/')
            .parse()
            .ok()?,
    )
}

/// Asks first, so that the host can end its functions too.
fn stop(child: &mut Child) {
    if let Some(pid) = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw)
    {
        // A host that is gone already needs no signal.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    let deadline = Instant::now() + STOP_LIMIT;
    while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    let _ = child.wait();
}

fn tail(log: &PathBuf) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_ready_event_with_a_gateway_is_ready() {
        let line = r#"{"event":"ready","gateway":"http://127.0.0.1:4321","admin":"http://127.0.0.1:1"}"#;
        assert_eq!(ready(line), Some("127.0.0.1:4321".parse().unwrap()));
        for line in [
            "",
            "building",
            r#"{"event":"built","gateway":"http://127.0.0.1:1"}"#,
            r#"{"event":"ready"}"#,
        ] {
            assert_eq!(ready(line), None, "{line}");
        }
    }
}

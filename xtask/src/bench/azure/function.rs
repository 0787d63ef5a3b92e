//! The functions under test as processes: on Nephos and on bare hyper, started and called as the Functions host does.
//! <https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers>

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use xtask::shell::{self, Error, Result};

use crate::bench::load::Load;
use crate::bench::process::{self, Memory};

/// How long a process may take to its first answer.
const LIMIT: Duration = Duration::from_secs(10);

/// What is compared: one handler, what the host sends it, and what its answer must be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    /// How the table calls it.
    pub(crate) name: &'static str,
    /// The package on Nephos.
    pub(crate) ours: &'static str,
    /// The package on bare hyper.
    pub(crate) theirs: &'static str,
    /// The function's name.
    function: &'static str,
    /// The path that the host calls.
    path: &'static str,
    /// The body that it sends.
    body: &'static str,
    /// The answer's body.
    answer: &'static str,
    /// `nephos.json`, as deployment writes it beside the program.
    package: &'static str,
}

/// A client's request, which the host passes on as it is, and a message of a Storage queue, which it wraps.
pub(crate) const CASES: [Case; 2] = [
    Case {
        name: "HTTP",
        ours: "http-nephos",
        theirs: "http-bare",
        function: "hello",
        path: "/hello",
        body: r#"{"name":"nephos"}"#,
        answer: r#"{"greeting":"Hello, nephos!"}"#,
        package: r#"{"wiring":{"routes":[{"method":"POST","path":"/hello"}]},"triggers":{},"forwarding":true}"#,
    },
    Case {
        name: "queue",
        ours: "queue-nephos",
        theirs: "queue-bare",
        function: "fulfil",
        path: "/queue-orders-0a1b2c3d",
        // The message is {"item":"umbrella","quantity":1}.
        body: r#"{"Data":{"event":"eyJpdGVtIjoidW1icmVsbGEiLCJxdWFudGl0eSI6MX0="},"Metadata":{"DequeueCount":"1","ExpirationTime":"2026-02-10T12:00:00+00:00","Id":"\"11111111-bdd2-4c08-badd-f08e5a34b865\"","InsertionTime":"2026-02-03T12:00:00+00:00","NextVisibleTime":"2026-02-03T12:10:00+00:00","PopReceipt":"\"AgAAAAMAAAAAAAAAAgtnj8x+1QE=\"","sys":{"MethodName":"queue-orders-0a1b2c3d","UtcNow":"2026-02-03T12:00:01.2345678Z","RandGuid":"24ad4c06-24ad-4e5b-8294-3da9714877e9"}}}"#,
        answer: r#"{"Logs":[],"Outputs":{},"ReturnValue":null}"#,
        package: r#"{"wiring":{"sources":{"https://bench.queue.core.windows.net/orders":"orders"},"dead_letter":"https://bench.queue.core.windows.net/lost","timeout":{"secs":30,"nanos":0}},"triggers":{"queue-orders-0a1b2c3d":{"kind":"queue","queue":"orders","batch":1}},"forwarding":false}"#,
    },
];

/// One side of a case.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) program: PathBuf,
    folder: PathBuf,
    case: Case,
    /// Whether it is a peer that does not log.
    silent: bool,
}

/// A running function, killed when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    /// What is sent to it.
    pub(crate) load: Load,
    /// From spawning to the first byte of its first answer, in milliseconds.
    pub(crate) cold_ms: f64,
}

impl Side {
    /// A side of `case` with its program in `programs`, which runs in `folder`.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub(crate) fn new(case: Case, package: &str, programs: &Path, folder: &Path) -> Result<Self> {
        let file = folder.join("nephos.json");
        std::fs::write(&file, case.package).map_err(Error::io("write", &file))?;
        Ok(Self {
            program: programs.join(package),
            folder: folder.to_owned(),
            case,
            silent: false,
        })
    }

    /// The same program, which does not log: every function of Nephos does.
    pub(crate) fn silent(mut self) -> Self {
        self.silent = true;
        self
    }

    /// Starts a process, and waits until it has answered its first request.
    ///
    /// # Errors
    /// A program that does not start or never answers, or answers wrongly.
    pub(crate) fn spawn(&self) -> Result<Running> {
        let at = free_address()?;
        let mut command = self.command(at.port());
        let load = self.load(at);
        let started = Instant::now();
        let child = command
            .spawn()
            .map_err(|e| shell::missing(&command, "the benchmark", e))?;
        let mut running = Running {
            child,
            load,
            cold_ms: 0.0,
        };
        running.cold_ms = running.first_answer(started)?.as_secs_f64() * 1e3;
        Ok(running)
    }

    /// What the host and deployment set.
    fn command(&self, port: u16) -> Command {
        let mut command = Command::new(&self.program);
        command
            .current_dir(&self.folder)
            .env_clear()
            .envs([
                ("FUNCTIONS_WORKER_RUNTIME", "custom"),
                ("WEBSITE_SITE_NAME", "bench"),
                ("AZURE_CLIENT_ID", "00000000-0000-4000-8000-000000000001"),
                ("NEPHOS_APP", "bench"),
                ("NEPHOS_TARGET", "azure"),
                ("NEPHOS_FUNCTION", self.case.function),
            ])
            .envs(self.silent.then_some(("SILENT", "1")))
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// The request, with the headers of the host.
    fn load(&self, at: SocketAddr) -> Load {
        let Case { path, body, .. } = self.case;
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {at}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
             user-agent: Azure-Functions-Host/4.1043.200.25418\r\nx-azure-functions-hostversion: 4.1043.200.25418\r\n\
             x-azure-functions-invocationid: 0a1b2c3d-0000-4000-8000-0123456789ab\r\n\r\n{body}",
            body.len(),
        );
        Load {
            request: request.into_bytes(),
            ..Load::get(at, path, self.case.answer)
        }
    }
}

impl Running {
    /// Tries to connect until it listens; the whole answer is judged by the load that follows.
    fn first_answer(&mut self, started: Instant) -> Result<Duration> {
        let failed = |e: std::io::Error| Error::Other(format!("the function's first answer: {e}"));
        loop {
            match TcpStream::connect(self.load.to) {
                Ok(mut stream) => {
                    stream.set_read_timeout(Some(LIMIT)).map_err(failed)?;
                    stream.write_all(&self.load.request).map_err(failed)?;
                    let mut answer = [0; 12];
                    stream.read_exact(&mut answer).map_err(failed)?;
                    let first = started.elapsed();
                    if &answer != b"HTTP/1.1 200" {
                        let told = String::from_utf8_lossy(&answer);
                        return Err(Error::Other(format!("the function's first answer is `{told}`")));
                    }
                    return Ok(first);
                }
                Err(error) if started.elapsed() > LIMIT => return Err(failed(error)),
                Err(_) => {
                    if let Ok(Some(status)) = self.child.try_wait() {
                        return Err(Error::Other(format!("the function ended by itself: {status}")));
                    }
                    std::thread::yield_now();
                }
            }
        }
    }

    /// Its memory now.
    ///
    /// # Errors
    /// A process that has ended.
    pub(crate) fn memory(&self) -> Result<Memory> {
        process::memory(self.child.id())
            .ok_or_else(|| Error::Other("the function ended by itself".to_owned()))
    }

    /// Processor time used so far by all its threads, in seconds.
    ///
    /// # Errors
    /// A process that has ended.
    pub(crate) fn processor_time(&self) -> Result<f64> {
        process::processor_time(self.child.id())
            .ok_or_else(|| Error::Other("the function ended by itself".to_owned()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to save in it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|e| Error::Other(format!("no port of the loopback interface is free: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_and_told_is_json() {
        for case in CASES {
            for text in [case.body, case.answer, case.package] {
                serde_json::from_str::<serde_json::Value>(text).unwrap();
            }
        }
    }
}

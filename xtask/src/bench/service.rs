//! A function under test that is called over HTTP, as a process of its own, started as its platform starts it.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use xtask::shell::{self, Error, Result};

use super::load::Load;
use super::process::{self, Memory};

/// How long a process may take to its first answer.
const LIMIT: Duration = Duration::from_secs(10);

/// What the platform sends a function, and what its answer must be.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// The path of the request, which is a `POST`.
    pub(crate) path: &'static str,
    /// Its headers, one a line, each with its line's end; without host and length.
    pub(crate) headers: String,
    /// Its body.
    pub(crate) body: Vec<u8>,
    /// The body of the answer.
    pub(crate) answer: &'static str,
}

/// A program that can be started.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    /// The program.
    pub(crate) program: PathBuf,
    /// What it is told on its command line.
    pub(crate) arguments: Vec<PathBuf>,
    /// Where it runs.
    pub(crate) folder: PathBuf,
    /// Its environment, in which nothing else is but the port.
    pub(crate) environment: Vec<(&'static str, String)>,
    /// The variable that tells its port.
    pub(crate) port: &'static str,
    /// What is sent to it.
    pub(crate) call: Call,
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

impl Service {
    /// The same program, which does not log if it is a peer: every function of Nephos does.
    pub(crate) fn silent(mut self) -> Self {
        self.environment.push(("SILENT", "1".to_owned()));
        self
    }

    /// Starts a process, and waits until it has answered its first request.
    ///
    /// # Errors
    /// A program that does not start or never answers, or answers wrongly.
    pub(crate) fn spawn(&self) -> Result<Running> {
        let at = free_address()?;
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .current_dir(&self.folder)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (*name, value)))
            .env(self.port, at.port().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
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

    fn load(&self, at: SocketAddr) -> Load {
        let Call {
            path,
            headers,
            body,
            answer,
        } = &self.call;
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {at}\r\ncontent-length: {}\r\n{headers}\r\n",
            body.len(),
        );
        Load {
            request: [head.as_bytes(), body].concat(),
            ..Load::get(at, path, answer)
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
                    if !matches!(&answer, b"HTTP/1.1 200" | b"HTTP/1.1 204") {
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
        process::memory(self.child.id()).ok_or_else(ended)
    }

    /// Processor time used so far by all its threads, in seconds.
    ///
    /// # Errors
    /// A process that has ended.
    pub(crate) fn processor_time(&self) -> Result<f64> {
        process::processor_time(self.child.id()).ok_or_else(ended)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to save in it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ended() -> Error {
    Error::Other("the function ended by itself".to_owned())
}

fn free_address() -> Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|e| Error::Other(format!("no port of the loopback interface is free: {e}")))
}

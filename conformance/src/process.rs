//! Programs that tests run beside themselves: where `cargo xtask setup` put them, a free port, the wait until they answer, the end of what they said, and an end that
//! nothing outlives.

mod tool;

use std::ffi::OsString;
use std::fs::File;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nephos_core::{Error, ErrorKind, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub use self::tool::{TOOLS, Tool, tools};

const OPERATION: &str = "process.start";

/// How long a program may take to answer.
const READY: Duration = Duration::from_secs(60);

/// How long it may take to end.
const GONE: Duration = Duration::from_secs(5);

/// How long one question may take.
const QUESTION: Duration = Duration::from_secs(2);

/// How often other ports are tried: between the choice of a port and its use, another program may take it.
const ATTEMPTS: usize = 3;

/// Runs a program as the leader of a group of processes, and when the standard input ends (the value is dropped, or this program ends in whatever way) removes the folder and
/// kills the group. The group also ends when the program does.
const WATCH: &str = r#"{ "$@" </dev/null; kill -KILL 0; } & read -r _; rm -rf "$0"; kill -KILL 0"#;

/// A port of the loopback interface that nobody listens on.
///
/// # Errors
/// [`ErrorKind::Unavailable`] if there is none.
pub fn free_port() -> Result<u16> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| {
            Error::new(
                ErrorKind::Unavailable,
                OPERATION,
                "no port of the loopback interface is free",
            )
            .caused_by(error)
        })
}

/// How a program is started on its ports, and how one sees that it is ready.
#[derive(Debug, Clone)]
pub struct Launch {
    /// What it is, for messages.
    pub what: &'static str,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Its environment. Of this program's it gets only `PATH`; its home and its temporary folder are one of its own.
    pub environment: Vec<(OsString, OsString)>,
    /// The port that is asked.
    pub port: u16,
    /// The path of the question, which is a GET.
    pub path: &'static str,
    /// The statuses that say that it is ready. None for a program that does not speak HTTP: it is ready once it takes connections, and `path` is not asked.
    pub statuses: &'static [u16],
}

impl Launch {
    /// Arguments as text, in place of those so far.
    #[must_use]
    pub fn arguments<T: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.arguments = arguments.into_iter().map(Into::into).collect();
        self
    }

    /// Variables as text, in place of those so far.
    #[must_use]
    pub fn environment<N: Into<OsString>, V: Into<OsString>>(
        mut self,
        environment: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.environment = environment
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        self
    }
}

/// A running program. It ends when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    folder: PathBuf,
    launch: Launch,
}

impl Running {
    /// Starts a program and waits until it answers. `launch` is asked again, for other ports, if the program does not come up.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if it does not come up, with the end of what it said.
    pub async fn start(launch: impl Fn() -> Result<Launch>) -> Result<Self> {
        let mut attempt = 1;
        loop {
            match Self::start_once(launch()?).await {
                Err(error) if attempt < ATTEMPTS && error.is_retryable() => attempt += 1,
                started => return started,
            }
        }
    }

    async fn start_once(launch: Launch) -> Result<Self> {
        let failed = |message: &'static str| {
            Error::new(ErrorKind::Unavailable, OPERATION, message).with("program", launch.what)
        };
        let folder = std::env::temp_dir().join(format!("nephos-test-{}", uuid::Uuid::new_v4().simple()));
        let log = std::fs::create_dir_all(&folder)
            .and_then(|()| File::create(folder.join("log")))
            .and_then(|log| Ok((log.try_clone()?, log)))
            .map_err(|error| {
                failed("the temporary folder cannot be used")
                    .with("folder", folder.display())
                    .caused_by(error)
            })?;
        let mut command = Command::new("sh");
        command
            .args(["-c", WATCH])
            .arg(&folder)
            .arg(&launch.program)
            .args(&launch.arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &folder)
            .env("TMPDIR", &folder)
            .envs(launch.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(log.0)
            .stderr(log.1);
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command
            .spawn()
            .map_err(|error| failed("the program cannot be started").caused_by(error))?;
        let mut running = Self {
            child,
            folder,
            launch,
        };
        running.wait().await?;
        Ok(running)
    }

    async fn wait(&mut self) -> Result<()> {
        let deadline = Instant::now() + READY;
        loop {
            if is_ready(&self.launch).await {
                return Ok(());
            }
            let ended = matches!(self.child.try_wait(), Ok(Some(_)));
            if ended || Instant::now() >= deadline {
                let message = if ended {
                    "the program ended before it answered"
                } else {
                    "the program does not answer"
                };
                return Err(Error::new(ErrorKind::Unavailable, OPERATION, message)
                    .with("program", self.launch.what)
                    .with("endpoint", self.endpoint())
                    .caused_by(self.log()));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The port that was asked.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.launch.port
    }

    /// Where it answers (`http://127.0.0.1:4566`).
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.launch.port)
    }

    /// Whether its port still takes connections: asked cheaply, so that those who wait for it in vain can stop waiting.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if nothing listens there any more, with the end of what it said.
    pub async fn alive(&self) -> Result<()> {
        match TcpStream::connect(("127.0.0.1", self.launch.port)).await {
            // Whoever is slow, or out of anything, is not gone.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                let what = "the program has ended in the middle of the run";
                let ended = Error::new(ErrorKind::Unavailable, "process.alive", what)
                    .with("program", self.launch.what)
                    .with("endpoint", self.endpoint());
                let said = self.log();
                Err(if said.is_empty() {
                    ended
                } else {
                    ended.caused_by(said)
                })
            }
            _ => Ok(()),
        }
    }

    /// The end of what it said so far, for those who look for a reason.
    #[must_use]
    pub fn log(&self) -> String {
        const LINES: usize = 40;
        let bytes = std::fs::read(self.folder.join("log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It has been told by the end of its input; there is nobody to tell if waiting or removing fails.
        let _ = self.child.wait();
        // The shell may be gone before those that were killed with it.
        let deadline = Instant::now() + GONE;
        while std::net::TcpStream::connect(("127.0.0.1", self.launch.port)).is_ok()
            && Instant::now() < deadline
        {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

async fn is_ready(launch: &Launch) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(("127.0.0.1", launch.port)).await?;
        if launch.statuses.is_empty() {
            return Ok(None);
        }
        let question = format!(
            "GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            launch.path
        );
        stream.write_all(question.as_bytes()).await?;
        let mut status = [0; 12];
        stream.read_exact(&mut status).await?;
        std::io::Result::Ok(Some(status))
    };
    let Ok(Ok(status)) = tokio::time::timeout(QUESTION, ask).await else {
        return false;
    };
    let Some(status) = status else {
        return true;
    };
    std::str::from_utf8(&status)
        .ok()
        .and_then(|line| line.strip_prefix("HTTP/1.1 ")?.parse().ok())
        .is_some_and(|status: u16| launch.statuses.contains(&status))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: &str = r#"
import http.server, sys
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(204)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), H).serve_forever()
"#;

    fn launch(script: &str, port: u16, statuses: &'static [u16]) -> Launch {
        Launch {
            what: "a test's server",
            program: PathBuf::from("python3"),
            arguments: Vec::new(),
            environment: Vec::new(),
            port,
            path: "/",
            statuses,
        }
        .arguments(["-c".to_owned(), script.to_owned(), port.to_string()])
    }

    #[tokio::test]
    async fn a_program_is_ready_once_it_answers_and_gone_once_dropped() {
        let running = Running::start(|| Ok(launch(SERVER, free_port()?, &[204])))
            .await
            .unwrap();
        let port = running.port();
        let folder = running.folder.clone();
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        running.alive().await.unwrap();
        drop(running);
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
        assert!(!folder.exists());
    }

    #[tokio::test]
    async fn a_program_that_ended_by_itself_is_told_with_what_it_said() {
        // Ends with the second question.
        let server = SERVER.replace(
            ".serve_forever()",
            "; h.handle_request(); print('that was all', flush=True); h.handle_request()",
        );
        let server = server.replace("http.server.HTTPServer", "h = http.server.HTTPServer");
        let running = Running::start(|| Ok(launch(&server, free_port()?, &[204])))
            .await
            .unwrap();
        let deadline = Instant::now() + GONE;
        let error = loop {
            match running.alive().await {
                Err(error) => break error,
                Ok(()) => assert!(Instant::now() < deadline, "it still answers"),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(
            error.chain().contains("a test's server") && error.chain().contains("that was all"),
            "{}",
            error.chain()
        );
    }

    #[tokio::test]
    async fn a_program_that_does_not_speak_http_is_ready_once_it_takes_connections() {
        const SILENT: &str = "import socket, sys\ns = socket.create_server(('127.0.0.1', int(sys.argv[1])))\nwhile True: s.accept()";
        let running = Running::start(|| Ok(launch(SILENT, free_port()?, &[])))
            .await
            .unwrap();
        assert!(std::net::TcpStream::connect(("127.0.0.1", running.port())).is_ok());
    }

    #[tokio::test]
    async fn what_a_program_said_before_it_ended_is_in_the_error() {
        let error = Running::start(|| {
            Ok(launch(
                "print('no such disk'); raise SystemExit(3)",
                free_port()?,
                &[200],
            ))
        })
        .await
        .unwrap_err();
        assert_eq!(error.message(), "the program ended before it answered");
        let told = std::error::Error::source(&error).unwrap().to_string();
        assert!(told.contains("no such disk"), "{told}");
    }
}

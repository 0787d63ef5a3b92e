//! The process of the custom handler: started, waited for, restarted when it exits, and killed as the host kills it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nephos_core::Result;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::invoke::Failure;
use super::log::Log;
use crate::process::free_port;

/// How long the process may take until it listens.
const INITIALIZATION: Duration = Duration::from_secs(30);
/// How often the host looks whether it does.
const POLL: Duration = Duration::from_millis(25);
/// With this exit code, the process asks for a restart.
const RESTART: i32 = 200;
/// How many failed processes within [`MEMORY`] the host takes before it shuts itself down.
const FAILURES: usize = 3;
/// After how long without one a failed process is forgotten.
const MEMORY: Duration = Duration::from_secs(30 * 60);
/// How long a call that broke off waits for the process's end to be known.
const GONE: Duration = Duration::from_secs(1);
/// What it takes the platform to start a host anew.
const NEW_HOST: Duration = Duration::from_millis(500);

/// How the process is started.
#[derive(Debug, Clone)]
pub(super) struct Launch {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) folder: PathBuf,
    pub(super) root: PathBuf,
    pub(super) environment: BTreeMap<String, String>,
    /// How long the process may take to end by itself once it was asked to; none to kill it at once, as the host does.
    pub(super) grace: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Starting,
    Ready {
        port: u16,
        pid: u32,
    },
    /// It never came up, and the platform starts another host: who waits for it is told so.
    Down,
    /// It exited with 0, and the host does not start it again.
    Left {
        port: u16,
    },
    Stopped,
}

/// The process. Clones are the same one.
#[derive(Debug, Clone)]
pub(super) struct Worker {
    state: watch::Receiver<State>,
    restart: Arc<Notify>,
    stop: CancellationToken,
}

impl Worker {
    /// Starts it, and keeps it running until [`stop`](Self::stop).
    pub(super) fn start(launch: Launch, log: Log) -> Self {
        let (sender, state) = watch::channel(State::Starting);
        let worker = Self {
            state,
            restart: Arc::new(Notify::new()),
            stop: CancellationToken::new(),
        };
        let supervisor = Supervisor {
            launch,
            log,
            state: sender,
            restart: Arc::clone(&worker.restart),
            stop: worker.stop.clone(),
            failures: Vec::new(),
        };
        tokio::spawn(supervisor.run());
        worker
    }

    /// The port, once it listens.
    pub(super) async fn port(&self) -> Result<u16, Failure> {
        let mut state = self.state.clone();
        let state = state
            .wait_for(|state| *state != State::Starting)
            .await
            .map(|state| *state);
        match state {
            Ok(State::Ready { port, .. } | State::Left { port }) => Ok(port),
            Ok(State::Down) => Err(Failure::Unreachable("it does not come up".to_owned())),
            _ => Err(Failure::Unreachable("the host is stopped".to_owned())),
        }
    }

    /// A call to this port broke off. Most often the process has ended, and the host knows that before it answers, so that the next call waits for the next process.
    pub(super) async fn lost(&self, port: u16) {
        let mut state = self.state.clone();
        let gone =
            state.wait_for(|state| !matches!(state, State::Ready { port: known, .. } if *known == port));
        // Else it lives, and only this call is lost.
        let _ = tokio::time::timeout(GONE, gone).await;
    }

    /// The process's id, while it runs.
    pub(super) fn pid(&self) -> Option<u32> {
        match *self.state.borrow() {
            State::Ready { pid, .. } => Some(pid),
            _ => None,
        }
    }

    /// Kills it and starts it again.
    pub(super) fn restart(&self) {
        self.restart.notify_one();
    }

    /// Ends it for good.
    pub(super) async fn stop(&self) {
        self.stop.cancel();
        let mut state = self.state.clone();
        // The supervisor may be gone already.
        let _ = state.wait_for(|state| *state == State::Stopped).await;
    }

    /// Kills it for good, at once.
    pub(super) async fn kill(&self) {
        let pid = self.pid().and_then(|pid| i32::try_from(pid).ok());
        // First, so that nobody starts another.
        self.abandon();
        if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
            // It may be gone already.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        self.stop().await;
    }

    /// Ends it for good, without waiting.
    pub(super) fn abandon(&self) {
        self.stop.cancel();
    }
}

struct Supervisor {
    launch: Launch,
    log: Log,
    state: watch::Sender<State>,
    restart: Arc<Notify>,
    stop: CancellationToken,
    failures: Vec<Instant>,
}

enum End {
    Stopped,
    Restart,
    Exited(ExitStatus),
    Broken(String),
}

impl Supervisor {
    async fn run(mut self) {
        loop {
            self.state.send_replace(State::Starting);
            match self.live().await {
                End::Stopped => break,
                End::Restart => {}
                End::Exited(status) if status.code() == Some(0) => {
                    self.log
                        .line("the process exited with 0; the host does not start it again");
                    let port = match *self.state.borrow() {
                        State::Ready { port, .. } => port,
                        _ => 0,
                    };
                    self.state.send_replace(State::Left { port });
                    tokio::select! {
                        () = self.stop.cancelled() => break,
                        () = self.restart.notified() => {}
                    }
                }
                End::Exited(status) if status.code() == Some(RESTART) => {
                    self.log.line("the process asked for a restart");
                }
                End::Exited(status) => {
                    if self.failed(format!("the process exited: {status}")).await {
                        break;
                    }
                }
                End::Broken(reason) => {
                    if self.failed(reason).await {
                        break;
                    }
                }
            }
        }
        self.state.send_replace(State::Stopped);
    }

    /// Counts a failure. After too many the host shuts down, and the platform starts another; true if it was stopped meanwhile.
    async fn failed(&mut self, reason: String) -> bool {
        // Whoever calls from now on waits for the next process.
        let came_up = matches!(self.state.send_replace(State::Starting), State::Ready { .. });
        self.log.line(reason);
        let now = Instant::now();
        if self.failures.last().is_some_and(|last| now - *last > MEMORY) {
            self.failures.clear();
        }
        self.failures.push(now);
        if self.failures.len() < FAILURES {
            return false;
        }
        self.failures.clear();
        if !came_up {
            self.state.send_replace(State::Down);
        }
        self.log
            .line("exceeded the host's restart retry count of the process; the platform starts another host");
        tokio::select! {
            () = self.stop.cancelled() => true,
            () = tokio::time::sleep(NEW_HOST) => false,
        }
    }

    /// One life of the process.
    async fn live(&mut self) -> End {
        let port = match free_port() {
            Ok(port) => port,
            Err(error) => return End::Broken(error.to_string()),
        };
        let mut child = match self.command(port).spawn() {
            Ok(child) => child,
            Err(error) => return End::Broken(format!("the process cannot be started: {error}")),
        };
        let pid = child.id().unwrap_or_default();
        self.listen(child.stdout.take(), "stdout");
        self.listen(child.stderr.take(), "stderr");
        let ready = ready(port);
        tokio::pin!(ready);
        let mut is_ready = false;
        loop {
            tokio::select! {
                listens = &mut ready, if !is_ready => {
                    if !listens {
                        let _ = child.kill().await;
                        return End::Broken("initializing the process timed out: it does not listen".to_owned());
                    }
                    is_ready = true;
                    self.log.line(format!("the process is initialized on port {port}"));
                    self.state.send_replace(State::Ready { port, pid });
                }
                status = child.wait() => {
                    return match status {
                        Ok(status) => End::Exited(status),
                        Err(error) => End::Broken(format!("the process is lost: {error}")),
                    };
                }
                () = self.restart.notified() => {
                    self.state.send_replace(State::Starting);
                    let _ = child.kill().await;
                    return End::Restart;
                }
                () = self.stop.cancelled() => {
                    self.end(&mut child).await;
                    return End::Stopped;
                }
            }
        }
    }

    async fn end(&self, child: &mut Child) {
        let pid = child.id().and_then(|id| i32::try_from(id).ok());
        if let (Some(grace), Some(pid)) = (self.launch.grace, pid.and_then(rustix::process::Pid::from_raw)) {
            // It may be gone already.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            if tokio::time::timeout(grace, child.wait()).await.is_ok() {
                return;
            }
        }
        let _ = child.kill().await;
    }

    fn command(&self, port: u16) -> Command {
        let launch = &self.launch;
        let id = uuid::Uuid::new_v4().to_string();
        let port = port.to_string();
        let mut command = Command::new(&launch.program);
        command
            .args(&launch.arguments)
            .current_dir(&launch.folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(&launch.environment)
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", &port)
            .env("FUNCTIONS_HTTPWORKER_PORT", &port)
            .env("FUNCTIONS_CUSTOMHANDLER_WORKER_ID", &id)
            .env("FUNCTIONS_HTTPWORKER_ID", &id)
            .env("FUNCTIONS_APP_ROOT_PATH", &launch.root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    fn listen(&self, stream: Option<impl AsyncRead + Unpin + Send + 'static>, name: &'static str) {
        let Some(stream) = stream else { return };
        let log = self.log.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(stream).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                log.line(format!("{name}: {line}"));
            }
        });
    }
}

/// Whether somebody listens in time. Any answer will do, as the host's own question takes any.
async fn ready(port: u16) -> bool {
    let deadline = Instant::now() + INITIALIZATION;
    while Instant::now() < deadline {
        if crate::http::call("GET", &format!("http://127.0.0.1:{port}/"), "")
            .await
            .is_ok()
        {
            return true;
        }
        tokio::time::sleep(POLL).await;
    }
    false
}

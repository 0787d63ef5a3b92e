//! One instance of a revision: its process from the start to the end.

use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::pool::Pool;
use crate::google_cloud::logging::Stream;
use crate::process::free_port;

/// How often it is looked whether the container listens.
const POLL: Duration = Duration::from_millis(10);
/// How often it is looked how much memory it has, and whether it is idle.
const LOOK: Duration = Duration::from_millis(200);

pub(super) type Payload = Either<Incoming, Full<bytes::Bytes>>;

/// How far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Life {
    Starting,
    Ready,
    /// It never listened; why.
    Failed(Failure),
    Ended,
}

/// Why a container does not come up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    Silent,
    Exited(String),
    Unstartable(String),
}

/// An instance.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) id: String,
    pub(super) port: u16,
    /// Of its own, so that no connection outlives it.
    pub(super) client: Client<HttpConnector, Payload>,
    pub(super) life: watch::Sender<Life>,
    pub(super) process: watch::Sender<Option<u32>>,
    stop: CancellationToken,
    kill: CancellationToken,
}

impl Instance {
    /// Starts one; it tells the pool of each step.
    pub(super) fn start(pool: &Arc<Pool>) -> Arc<Self> {
        let instance = Arc::new(Self {
            id: format!(
                "{}{}",
                uuid::Uuid::new_v4().simple(),
                uuid::Uuid::new_v4().simple()
            ),
            port: free_port().unwrap_or_default(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            life: watch::Sender::new(Life::Starting),
            process: watch::Sender::new(None),
            stop: CancellationToken::new(),
            kill: CancellationToken::new(),
        });
        let (pool, known) = (Arc::clone(pool), Arc::clone(&instance));
        tokio::spawn(async move {
            let life = known.live(&pool).await;
            known.process.send_replace(None);
            known.life.send_replace(life);
            pool.ended(&known);
        });
        instance
    }

    pub(super) fn is_ready(&self) -> bool {
        *self.life.borrow() == Life::Ready && !self.stop.is_cancelled()
    }

    /// Tells it to end, and ends it by force some seconds after.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// Kills it, and waits until it is gone.
    pub(super) async fn kill(&self) {
        self.kill.cancel();
        let mut life = self.life.subscribe();
        // The sender is this value's own.
        let _ = life
            .wait_for(|life| !matches!(life, Life::Starting | Life::Ready))
            .await;
    }

    async fn live(&self, pool: &Pool) -> Life {
        let mut child = match self.command(pool).spawn() {
            Ok(child) => child,
            Err(error) => return Life::Failed(Failure::Unstartable(error.to_string())),
        };
        self.process.send_replace(child.id());
        let said = [
            self.listen(pool, child.stdout.take(), Stream::Output),
            self.listen(pool, child.stderr.take(), Stream::Error),
        ];
        let life = self.run(pool, &mut child).await;
        for reader in said.into_iter().flatten() {
            // What it said last is logged before its end is told; a child of it may hold the pipe.
            let _ = tokio::time::timeout(LOOK, reader).await;
        }
        life
    }

    async fn run(&self, pool: &Pool, child: &mut Child) -> Life {
        let deadline = Instant::now() + pool.pace.startup;
        loop {
            if TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() {
                break;
            }
            tokio::select! {
                status = child.wait() => return Life::Failed(Failure::Exited(self.told(pool, status))),
                () = self.kill.cancelled() => {
                    let _ = child.kill().await;
                    return Life::Ended;
                }
                () = self.stop.cancelled() => {
                    self.end(pool, child).await;
                    return Life::Ended;
                }
                () = tokio::time::sleep_until(deadline) => {
                    let _ = child.kill().await;
                    return Life::Failed(Failure::Silent);
                }
                () = tokio::time::sleep(POLL) => {}
            }
        }
        self.life.send_replace(Life::Ready);
        pool.changed();
        let mut look = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                status = child.wait() => {
                    // Nobody is sent here any more.
                    self.stop();
                    let told = self.told(pool, status);
                    pool.system(&self.id, "WARNING", &told);
                    return Life::Ended;
                }
                () = self.kill.cancelled() => {
                    let _ = child.kill().await;
                    return Life::Ended;
                }
                () = self.stop.cancelled() => {
                    self.end(pool, child).await;
                    return Life::Ended;
                }
                _ = look.tick() => {
                    if let Some(used) = child.id().and_then(memory).filter(|used| *used > pool.memory) {
                        self.stop();
                        let text = format!(
                            "Memory limit of {} MiB exceeded with {} MiB used. Consider increasing the memory limit, see https://cloud.google.com/run/docs/configuring/memory-limits",
                            pool.memory >> 20,
                            used >> 20
                        );
                        pool.system(&self.id, "ERROR", &text);
                        let _ = child.kill().await;
                        return Life::Ended;
                    }
                    if pool.is_idle(self) {
                        self.stop();
                    }
                }
            }
        }
    }

    /// SIGTERM, and some seconds after SIGKILL: <https://cloud.google.com/run/docs/container-contract#instance-shutdown>.
    async fn end(&self, pool: &Pool, child: &mut Child) {
        let pid = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It may be gone already.
            let _ = kill_process(pid, Signal::TERM);
        }
        tokio::select! {
            _ = child.wait() => {}
            () = self.kill.cancelled() => {
                let _ = child.kill().await;
            }
            () = tokio::time::sleep(pool.pace.grace) => {
                let text = "Container did not end within the time that it has after SIGTERM, and was ended by SIGKILL.";
                pool.system(&self.id, "WARNING", text);
                let _ = child.kill().await;
            }
        }
    }

    fn told(&self, pool: &Pool, status: std::io::Result<ExitStatus>) -> String {
        let name = &pool.origin.service;
        match status.map(|status| status.code()) {
            Ok(Some(code)) => format!("Container {name} called exit({code})."),
            Ok(None) => format!("Container {name} terminated on a signal."),
            Err(error) => format!("Container {name} is lost: {error}."),
        }
    }

    fn command(&self, pool: &Pool) -> Command {
        let program = &pool.program;
        let mut command = Command::new(&program.path);
        command
            .args(&program.arguments)
            .current_dir(pool.folder.path())
            .env_clear()
            .env("HOME", pool.folder.path())
            .envs(&program.environment)
            .env("PORT", self.port.to_string())
            .env("GCE_METADATA_HOST", pool.metadata())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    fn listen(
        &self,
        pool: &Pool,
        stream: Option<impl AsyncRead + Unpin + Send + 'static>,
        name: Stream,
    ) -> Option<JoinHandle<()>> {
        let stream = stream?;
        let (log, origin) = (pool.log.clone(), pool.origin(&self.id));
        Some(tokio::spawn(async move {
            let mut lines = BufReader::new(stream).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                // A line that is too long is lost, as it is there.
                let _ = log.line(&origin, name, &line);
            }
        }))
    }
}

/// What a process has in memory of its own, in bytes: <https://man7.org/linux/man-pages/man5/proc_pid_status.5.html>. Files that it has mapped are not counted, as they can be read again.
fn memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    Some((of("RssAnon:")? + of("RssShmem:").unwrap_or(0)) << 10)
}

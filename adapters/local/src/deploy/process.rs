//! One process of a function: start, output, memory, end.
//!
//! The process gets its listening socket as standard input, so that it can be connected to from the first moment. It leads a process group of
//! its own: whatever it starts ends with it.

mod output;

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use nephos_core::{Error, ErrorKind, Result};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::activity::{Activities, Activity};

/// How many of the last lines that a process printed are told when it crashes.
const TAIL: usize = 12;
/// How long the output of an ended process is waited for: what it started may hold its pipes open.
const OUTPUT_GRACE: Duration = Duration::from_secs(1);
/// How old a reading of the peak memory may be. Reading it costs as much as a small invocation.
const MEMORY_AGE: Duration = Duration::from_millis(100);
/// Variables of the embedded host's own environment that pass on to functions.
const PASSED: [&str; 6] = ["PATH", "HOME", "LANG", "TZ", "RUST_LOG", "RUST_BACKTRACE"];

/// What processes of a function are started with.
#[derive(Clone)]
pub struct Image {
    /// The function's name.
    pub function: Arc<str>,
    /// The binary.
    pub binary: PathBuf,
    /// Its environment, besides the few variables that pass on from the embedded host's own.
    pub environment: Vec<(OsString, OsString)>,
    /// A folder with a short path: sockets and temporary folders are made in it.
    pub folder: PathBuf,
}

impl fmt::Debug for Image {
    /// Without the environment: it holds the function's token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Image")
            .field("function", &self.function)
            .field("binary", &self.binary)
            .finish_non_exhaustive()
    }
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// In words: `exit code 101`, `killed by signal 9`.
    pub reason: String,
    /// The last lines that it printed.
    pub tail: Vec<String>,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        if !self.tail.is_empty() {
            write!(f, "; it had printed: {}", self.tail.join(" | "))?;
        }
        Ok(())
    }
}

/// Why a process is ended by the embedded host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It had nothing to do for a while.
    Idle,
    /// A newer binary took its place.
    Replaced,
    /// Its invocation was its only one.
    Isolation,
    /// The embedded host stops.
    Stopping,
    /// It did not answer in time.
    TimedOut,
}

impl Ending {
    /// In words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Replaced => "replaced by a newer build",
            Self::Isolation => "its one invocation ended",
            Self::Stopping => "the host stops",
            Self::TimedOut => "it did not answer in time",
        }
    }
}

/// A running process.
#[derive(Debug)]
pub struct Process {
    pid: u32,
    socket: PathBuf,
    started: Instant,
    exit: watch::Receiver<Option<Arc<Exit>>>,
    ending: OnceLock<Ending>,
    memory: AtomicU64,
    memory_read: AtomicU64,
    gone: AtomicBool,
}

/// The next name in a run folder; short, because a socket's path may have a hundred bytes only.
static NEXT: AtomicU64 = AtomicU64::new(1);

impl Process {
    /// Starts a process.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] or [`ErrorKind::PermissionDenied`] if the binary is not there or no program,
    /// [`ErrorKind::ResourceExhausted`] or [`ErrorKind::Unavailable`] if the system has no room for another process.
    pub fn start(image: &Image, activities: &Activities) -> Result<Arc<Self>> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let socket = image.folder.join(format!("f{number}"));
        let temporary = image.folder.join(format!("t{number}"));
        let failed = |message: &'static str, error: std::io::Error| start_error(image, message, error);
        std::fs::create_dir(&temporary)
            .map_err(|error| failed("the function's temporary folder cannot be made", error))?;
        let listener = UnixListener::bind(&socket)
            .map_err(|error| failed("the function's socket cannot be made", error))?;
        let mut command = Command::new(&image.binary);
        command
            .env_clear()
            .envs(
                PASSED
                    .into_iter()
                    .filter_map(|name| Some((name, std::env::var_os(name)?))),
            )
            .envs(image.environment.iter().map(|(name, value)| (name, value)))
            .env("TMPDIR", &temporary)
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let child = command.spawn();
        // The command holds the socket's listening end: only the process may, or connecting to one that has ended would wait for ever.
        drop(command);
        let child = child.map_err(|error| {
            remove(&socket, &temporary);
            failed("the function's binary cannot be started", error)
        })?;
        let pid = child.id().unwrap_or_default();
        let (tell, exit) = watch::channel(None);
        let process = Arc::new(Self {
            pid,
            socket: socket.clone(),
            started: Instant::now(),
            exit,
            ending: OnceLock::new(),
            memory: AtomicU64::new(0),
            memory_read: AtomicU64::new(0),
            gone: AtomicBool::new(false),
        });
        activities.tell(Activity::Started {
            function: image.function.to_string(),
            pid,
        });
        let watcher = Watcher {
            process: Arc::clone(&process),
            function: Arc::clone(&image.function),
            activities: activities.clone(),
            tail: Arc::default(),
        };
        tokio::spawn(async move {
            let exit = watcher.run(child).await;
            remove(&socket, &temporary);
            tell.send_replace(Some(exit));
        });
        Ok(process)
    }

    /// Its id.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// Where it listens.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// How long ago it was started.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn exit(&self) -> Option<Arc<Exit>> {
        self.exit.borrow().clone()
    }

    /// Waits until it has ended.
    pub async fn ended(&self) -> Arc<Exit> {
        let mut exit = self.exit.clone();
        let ended = exit
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|exit| exit.clone());
        ended.unwrap_or_else(|| {
            Arc::new(Exit {
                reason: "lost sight of".to_owned(),
                tail: Vec::new(),
            })
        })
    }

    /// Why the embedded host ended it, if it did.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        self.ending.get().copied()
    }

    fn set_ending(&self, ending: Ending) {
        // The first reason is the true one.
        let _ = self.ending.set(ending);
    }

    /// Asks it to end, and makes it after `grace`. Returns when it has ended.
    pub async fn terminate(&self, ending: Ending, grace: Duration) {
        self.set_ending(ending);
        self.signal(Signal::TERM);
        if tokio::time::timeout(grace, self.ended()).await.is_err() {
            self.kill(ending);
            self.ended().await;
        }
    }

    /// Whether it has ended, as far as is known.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Ends it at once, with all that it started.
    pub fn kill(&self, ending: Ending) {
        self.set_ending(ending);
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        // Once it is reaped its id may be another's.
        if self.gone.load(Ordering::Acquire) {
            return;
        }
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return;
        };
        let sent = if signal == Signal::KILL {
            kill_process_group(pid, signal)
        } else {
            kill_process(pid, signal)
        };
        if let Err(error) = sent {
            tracing::debug!(pid = self.pid, %error, "a process could not be signalled");
        }
    }

    /// The most memory that it has held so far, in bytes; `None` where the system does not tell. May be a moment old.
    #[must_use]
    pub fn peak_memory(&self) -> Option<u64> {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let read = self.memory_read.load(Ordering::Relaxed);
        let known = self.memory.load(Ordering::Relaxed);
        if known == 0 || now.saturating_sub(read) > u64::try_from(MEMORY_AGE.as_millis()).unwrap_or(u64::MAX)
        {
            self.memory_read.store(now, Ordering::Relaxed);
            let peak = read_peak_memory(self.pid).unwrap_or(known);
            self.memory.store(peak, Ordering::Relaxed);
        }
        Some(self.memory.load(Ordering::Relaxed)).filter(|peak| *peak > 0)
    }
}

fn remove(socket: &Path, temporary: &Path) {
    for removed in [std::fs::remove_file(socket), std::fs::remove_dir_all(temporary)] {
        if let Err(error) = removed
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::debug!(%error, "what a process left behind could not be removed");
        }
    }
}

fn start_error(image: &Image, message: &'static str, error: std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ExecutableFileBusy => {
            ErrorKind::PermissionDenied
        }
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::OutOfMemory => ErrorKind::ResourceExhausted,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, "function.start", message)
        .with("function", &image.function)
        .with("binary", image.binary.display())
        .retryable(true)
        .caused_by(error)
}

#[cfg(target_os = "linux")]
fn read_peak_memory(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    peak_of_status(&status)
}

#[cfg(not(target_os = "linux"))]
fn read_peak_memory(_pid: u32) -> Option<u64> {
    None
}

/// `VmHWM` of a `/proc/<pid>/status`, in bytes.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
fn peak_of_status(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "ended for an unknown reason".to_owned(),
    }
}

/// The last lines that a process printed, of both streams.
type Tail = Arc<Mutex<VecDeque<String>>>;

/// Reads a process's output and waits for its end.
struct Watcher {
    process: Arc<Process>,
    function: Arc<str>,
    activities: Activities,
    tail: Tail,
}

impl Watcher {
    async fn run(self, mut child: Child) -> Arc<Exit> {
        let stdout = child.stdout.take().map(|pipe| self.read("stdout", pipe));
        let stderr = child.stderr.take().map(|pipe| self.read("stderr", pipe));
        let mut output = tokio::spawn(async move {
            tokio::join!(
                async {
                    if let Some(stdout) = stdout {
                        stdout.await;
                    }
                },
                async {
                    if let Some(stderr) = stderr {
                        stderr.await;
                    }
                }
            );
        });
        let status = child.wait().await;
        // Before the flag is set: the group may have members yet, so its number is not another's.
        self.process.signal(Signal::KILL);
        self.process.gone.store(true, Ordering::Release);
        if tokio::time::timeout(OUTPUT_GRACE, &mut output).await.is_err() {
            output.abort();
        }
        let tail = self
            .tail
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
            .collect();
        let reason = status.map_or_else(|error| format!("its end could not be learnt: {error}"), in_words);
        let exit = Arc::new(Exit { reason, tail });
        let function = self.function.to_string();
        let pid = self.process.pid;
        self.activities.tell(match self.process.ending() {
            Some(ending) => Activity::Stopped {
                function,
                pid,
                reason: ending.name().to_owned(),
            },
            None => Activity::Crashed {
                function,
                pid,
                reason: exit.to_string(),
            },
        });
        exit
    }

    fn read<R: tokio::io::AsyncRead + Unpin>(
        &self,
        stream: &'static str,
        pipe: R,
    ) -> impl Future<Output = ()> + use<R> {
        let (function, activities, tail) = (
            Arc::clone(&self.function),
            self.activities.clone(),
            Arc::clone(&self.tail),
        );
        output::read_lines(pipe, move |line| {
            if activities.has_listeners() {
                activities.tell(Activity::Log {
                    function: function.to_string(),
                    stream,
                    line: line.clone(),
                });
            }
            let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
            if tail.len() == TAIL {
                tail.pop_front();
            }
            tail.push_back(line);
        })
    }
}

#[cfg(test)]
mod tests;

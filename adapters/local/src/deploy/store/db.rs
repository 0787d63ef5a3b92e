//! The threads that hold the file: one writer that commits what waits for it together, and readers beside it.
//!
//! Nothing here blocks a thread of the async runtime: operations go to the threads over channels and come back by one-shot replies.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc as blocking};
use std::thread;

use nephos_core::{Error, ErrorKind, Result};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::clock::Clock;
use super::connect;
use super::failure::{Failure, Sql};
use super::wake::Wakes;
use super::writer::{Command, Durability, Job, Tx, write_loop};

/// Readers. Reads are short; two keep a long scan from holding up a lookup.
const READERS: usize = 2;

struct WriteJob<F, T, A, R> {
    operation: &'static str,
    durability: Durability,
    path: Arc<Path>,
    run: F,
    result: Option<Result<T>>,
    durable: A,
    reply: oneshot::Sender<Result<R>>,
}

impl<F, T, A, R> Job for WriteJob<F, T, A, R>
where
    F: FnMut(&mut Tx<'_>) -> Sql<T> + Send,
    T: Send,
    A: FnOnce(T) -> R + Send,
    R: Send,
{
    fn abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn durability(&self) -> Durability {
        self.durability
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        let result = (self.run)(tx).map_err(|failure| failure.into_error(self.operation, &self.path));
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    fn fail(&mut self, error: rusqlite::Error) {
        self.result = Some(Err(Failure::from(error).into_error(self.operation, &self.path)));
    }

    fn reply(self: Box<Self>) {
        let result = self.result.unwrap_or_else(|| Err(closed(self.operation)));
        // A caller that is gone drops the answer; what must not be lost with it puts itself back (see `Leased`).
        drop(self.reply.send(result.map(self.durable)));
    }
}

type ReadJob = Box<dyn FnOnce(&Connection, i64) + Send>;

/// A way to the writer that does not wait for an answer.
#[derive(Debug, Clone)]
pub(super) struct WriterHandle {
    commands: mpsc::UnboundedSender<Command>,
    path: Arc<Path>,
}

impl WriterHandle {
    /// Runs `run` some time soon, durable for the process; an error is logged, for nobody waits for it.
    pub(super) fn post<F>(&self, operation: &'static str, run: F)
    where
        F: FnMut(&mut Tx<'_>) -> Sql<()> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel::<Result<()>>();
        let job = Posted {
            job: WriteJob {
                operation,
                durability: Durability::Process,
                path: Arc::clone(&self.path),
                run,
                result: None,
                durable: |()| (),
                reply,
            },
            _answer: answer,
        };
        // A closed store has no leases to give back: they end by themselves.
        drop(self.commands.send(Command::Run(Box::new(job))));
    }
}

/// A job that keeps its own answer's end, so that it does not count as abandoned.
struct Posted<J> {
    job: J,
    _answer: oneshot::Receiver<Result<()>>,
}

impl<F, A> Job for Posted<WriteJob<F, (), A, ()>>
where
    F: FnMut(&mut Tx<'_>) -> Sql<()> + Send,
    A: FnOnce(()) + Send,
{
    fn abandoned(&self) -> bool {
        false
    }

    fn durability(&self) -> Durability {
        self.job.durability
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        self.job.run(tx)
    }

    fn fail(&mut self, error: rusqlite::Error) {
        self.job.fail(error);
    }

    fn reply(self: Box<Self>) {
        if let Some(Err(error)) = self.job.result {
            tracing::warn!(error = %error.chain(), "a write that nobody waits for failed");
        }
    }
}

/// The file's threads.
#[derive(Debug)]
pub(super) struct Db {
    writer: WriterHandle,
    readers: blocking::Sender<ReadJob>,
    path: Arc<Path>,
}

impl Db {
    /// Starts the threads over an open, migrated file.
    pub(super) fn start(
        path: Arc<Path>,
        writer: Connection,
        clock: &Arc<dyn Clock>,
        wakes: &Arc<Wakes>,
    ) -> Result<Self> {
        let (commands, queue) = mpsc::unbounded_channel();
        let (readers, reads) = blocking::channel::<ReadJob>();
        let reads = Arc::new(Mutex::new(reads));
        for _ in 0..READERS {
            let conn = connect::reader(&path)?;
            let (reads, clock) = (Arc::clone(&reads), Arc::clone(clock));
            spawn("nephos-store-read", move || read_loop(&conn, &reads, &*clock))?;
        }
        let (clock, wakes) = (Arc::clone(clock), Arc::clone(wakes));
        spawn("nephos-store-write", move || {
            write_loop(writer, queue, &*clock, &wakes);
        })?;
        Ok(Self {
            writer: WriterHandle {
                commands,
                path: Arc::clone(&path),
            },
            readers,
            path,
        })
    }

    /// The writer, for what needs no answer.
    pub(super) fn writer(&self) -> WriterHandle {
        self.writer.clone()
    }

    /// Runs `run` in a transaction; its result is returned once that is durable. An error takes back what `run` wrote, and only that.
    pub(super) async fn write<F, T>(&self, operation: &'static str, run: F) -> Result<T>
    where
        F: FnMut(&mut Tx<'_>) -> Sql<T> + Send + 'static,
        T: Send + 'static,
    {
        self.write_then(operation, Durability::Disk, run, |value| value)
            .await
    }

    /// As [`write`](Self::write); `durable` maps the result when the transaction is durable, whether or not the caller still waits.
    pub(super) async fn write_then<F, T, A, R>(
        &self,
        operation: &'static str,
        durability: Durability,
        run: F,
        durable: A,
    ) -> Result<R>
    where
        F: FnMut(&mut Tx<'_>) -> Sql<T> + Send + 'static,
        T: Send + 'static,
        A: FnOnce(T) -> R + Send + 'static,
        R: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = WriteJob {
            operation,
            durability,
            path: Arc::clone(&self.path),
            run,
            result: None,
            durable,
            reply,
        };
        self.writer
            .commands
            .send(Command::Run(Box::new(job)))
            .map_err(|_| closed(operation))?;
        answer.await.map_err(|_| closed(operation))?
    }

    /// Runs `run` on a reader; it sees all that was durable when it began.
    pub(super) async fn read<F, T>(&self, operation: &'static str, run: F) -> Result<T>
    where
        F: FnOnce(&Connection, i64) -> Sql<T> + Send + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let path = Arc::clone(&self.path);
        let job: ReadJob = Box::new(move |conn, now| {
            if !reply.is_closed() {
                let result = run(conn, now).map_err(|failure| failure.into_error(operation, &path));
                drop(reply.send(result));
            }
        });
        if self.writer.commands.is_closed() {
            return Err(closed(operation));
        }
        self.readers.send(job).map_err(|_| closed(operation))?;
        answer.await.map_err(|_| closed(operation))?
    }

    /// Ends the writer after what was handed to it before; returns when the file is closed.
    pub(super) async fn stop(&self) {
        let (done, wait) = oneshot::channel();
        if self.writer.commands.send(Command::Stop(done)).is_ok() {
            // An error means that the thread is gone already.
            wait.await.ok();
        }
    }
}

fn closed(operation: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, operation, "the store is closed").retryable(false)
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map(drop)
        .map_err(|error| {
            Error::new(
                ErrorKind::ResourceExhausted,
                "store.open",
                "no thread for the store; the limit of processes is reached",
            )
            .caused_by(error)
        })
}

fn read_loop(conn: &Connection, jobs: &Mutex<blocking::Receiver<ReadJob>>, clock: &dyn Clock) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        job(conn, clock.now());
    }
}

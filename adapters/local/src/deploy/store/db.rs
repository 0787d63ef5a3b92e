//! The threads that hold the file: one writer that commits what waits for it together, and readers beside it.
//!
//! Nothing here blocks a thread of the async runtime: operations go to the threads over channels and come back by one-shot replies.

use std::collections::BTreeSet;
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

/// The most operations that one commit takes: enough to share a flush to disk, few enough that none waits long for its neighbours.
const MAX_GROUP: usize = 128;
/// Readers. Reads are short; two keep a long scan from holding up a lookup.
const READERS: usize = 2;

/// What an operation sees of the transaction that it runs in.
pub(super) struct Tx<'c> {
    pub(super) conn: &'c Connection,
    /// The time of the transaction.
    pub(super) now: i64,
    woken: BTreeSet<String>,
}

impl Tx<'_> {
    /// Fires this name's bell once the transaction is durable.
    pub(super) fn wake(&mut self, name: &str) {
        if !self.woken.contains(name) {
            self.woken.insert(name.to_owned());
        }
    }
}

/// A write on its way through the writer. It may run more than once: alone, after a transaction that it shared was lost.
trait Job: Send {
    /// Whether nobody waits for the answer any more.
    fn abandoned(&self) -> bool;
    /// Runs it and keeps its result; false if what it wrote must be taken back.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Its transaction failed: that is its result now.
    fn fail(&mut self, error: rusqlite::Error);
    /// Hands the result to who waits for it.
    fn reply(self: Box<Self>);
}

struct WriteJob<F, T, A, R> {
    operation: &'static str,
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

enum Command {
    Run(Box<dyn Job>),
    Stop(oneshot::Sender<()>),
}

type ReadJob = Box<dyn FnOnce(&Connection, i64) + Send>;

/// A way to the writer that does not wait for an answer.
#[derive(Debug, Clone)]
pub(super) struct WriterHandle {
    commands: mpsc::UnboundedSender<Command>,
    path: Arc<Path>,
}

impl WriterHandle {
    /// Runs `run` some time soon; an error is logged, for nobody waits for it.
    pub(super) fn post<F>(&self, operation: &'static str, run: F)
    where
        F: FnMut(&mut Tx<'_>) -> Sql<()> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel::<Result<()>>();
        let job = Posted {
            job: WriteJob {
                operation,
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
        self.write_then(operation, run, |value| value).await
    }

    /// As [`write`](Self::write); `durable` maps the result when the transaction is durable, whether or not the caller still waits.
    pub(super) async fn write_then<F, T, A, R>(
        &self,
        operation: &'static str,
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

fn write_loop(
    conn: Connection,
    mut commands: mpsc::UnboundedReceiver<Command>,
    clock: &dyn Clock,
    wakes: &Wakes,
) {
    let mut stop = None;
    while stop.is_none() {
        let Some(first) = commands.blocking_recv() else {
            break;
        };
        let mut group = Vec::new();
        let mut next = Some(first);
        while let Some(command) = next {
            match command {
                Command::Run(job) => group.push(job),
                Command::Stop(done) => {
                    stop = Some(done);
                    break;
                }
            }
            next = if group.len() < MAX_GROUP {
                commands.try_recv().ok()
            } else {
                None
            };
        }
        group.retain(|job| !job.abandoned());
        commit(&conn, group, clock, wakes);
    }
    // Whoever comes from here on is told that the store is closed, not left waiting.
    commands.close();
    while commands.try_recv().is_ok() {}
    if let Err((_, error)) = conn.close() {
        tracing::warn!(%error, "the store's file did not close cleanly; nothing is lost");
    }
    if let Some(done) = stop {
        // Whoever asked may have stopped waiting.
        done.send(()).ok();
    }
}

fn commit(conn: &Connection, mut group: Vec<Box<dyn Job>>, clock: &dyn Clock, wakes: &Wakes) {
    let mut tx = Tx {
        conn,
        now: clock.now(),
        woken: BTreeSet::new(),
    };
    if group.len() < 2 || together(&mut tx, &mut group).is_err() {
        roll_back(conn);
        for job in &mut group {
            if let Err(error) = alone(&mut tx, &mut **job) {
                roll_back(conn);
                job.fail(error);
            }
        }
    }
    for job in group {
        job.reply();
    }
    for name in &tx.woken {
        wakes.fire(name);
    }
}

/// One commit for all; each operation in its own savepoint, so that one that fails takes back only what it wrote itself. An error means
/// that the transaction is lost: a full disk, for one, may end it under SQLite's own hands.
fn together(tx: &mut Tx<'_>, group: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
    execute(tx.conn, "BEGIN IMMEDIATE")?;
    for job in group {
        execute(tx.conn, "SAVEPOINT operation")?;
        let keep = job.run(tx);
        if tx.conn.is_autocommit() {
            return Err(rusqlite::Error::ExecuteReturnedResults);
        }
        if !keep {
            execute(tx.conn, "ROLLBACK TO operation")?;
        }
        execute(tx.conn, "RELEASE operation")?;
    }
    execute(tx.conn, "COMMIT")?;
    Ok(())
}

/// Prepared once: these run for every operation.
fn execute(conn: &Connection, sql: &str) -> rusqlite::Result<()> {
    conn.prepare_cached(sql)?.execute([]).map(drop)
}

fn alone(tx: &mut Tx<'_>, job: &mut dyn Job) -> rusqlite::Result<()> {
    execute(tx.conn, "BEGIN IMMEDIATE")?;
    if job.run(tx) {
        execute(tx.conn, "COMMIT")?;
    } else {
        roll_back(tx.conn);
    }
    Ok(())
}

fn roll_back(conn: &Connection) {
    if !conn.is_autocommit()
        && let Err(error) = conn.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "the store could not take back a failed transaction");
    }
}

//! The writer: runs all operations that wait in one transaction, commits once, and answers them.

use std::collections::BTreeSet;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::clock::Clock;
use super::wake::Wakes;

/// The most operations that one commit takes: enough to share a flush to disk, few enough that none waits long for its neighbours.
const MAX_GROUP: usize = 128;
/// What must be on disk when an operation is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// All of it: it survives a power cut.
    Disk,
    /// It survives the process's end, `kill -9` included. For leases: one that a power cut takes back is a message delivered again.
    Process,
}

impl Durability {
    /// SQLite's level for it. Without a flush the log is still in the system's hands when the commit returns.
    const fn pragma(self) -> &'static str {
        match self {
            Self::Disk => "FULL",
            Self::Process => "NORMAL",
        }
    }
}

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
pub(super) trait Job: Send {
    /// Whether nobody waits for the answer any more.
    fn abandoned(&self) -> bool;
    /// What must be on disk when it is answered.
    fn durability(&self) -> Durability;
    /// Runs it and keeps its result; false if what it wrote must be taken back.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Its transaction failed: that is its result now.
    fn fail(&mut self, error: rusqlite::Error);
    /// Hands the result to who waits for it.
    fn reply(self: Box<Self>);
}

/// What the writer is asked for.
pub(super) enum Command {
    /// Run this.
    Run(Box<dyn Job>),
    /// Close the file, then answer.
    Stop(oneshot::Sender<()>),
}

/// Runs until it is told to stop, or nobody can reach it any more.
pub(super) fn write_loop(
    conn: Connection,
    mut commands: mpsc::UnboundedReceiver<Command>,
    clock: &dyn Clock,
    wakes: &Wakes,
) {
    let mut stop = None;
    // As `connect` has set it.
    let mut level = Durability::Disk;
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
        commit(&conn, &mut level, group, clock, wakes);
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

fn commit(
    conn: &Connection,
    level: &mut Durability,
    mut group: Vec<Box<dyn Job>>,
    clock: &dyn Clock,
    wakes: &Wakes,
) {
    let mut tx = Tx {
        conn,
        now: clock.now(),
        woken: BTreeSet::new(),
    };
    if group.len() < 2 || together(&mut tx, level, &mut group).is_err() {
        roll_back(conn);
        for job in &mut group {
            if let Err(error) = alone(&mut tx, level, &mut **job) {
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
fn together(tx: &mut Tx<'_>, level: &mut Durability, group: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
    let only_leases = group.iter().all(|job| job.durability() == Durability::Process);
    let wanted = if only_leases {
        Durability::Process
    } else {
        Durability::Disk
    };
    begin(tx.conn, level, wanted)?;
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

/// Begins a transaction that is flushed as `wanted` asks; `level` is how the one before was.
fn begin(conn: &Connection, level: &mut Durability, wanted: Durability) -> rusqlite::Result<()> {
    if *level != wanted {
        conn.pragma_update(None, "synchronous", wanted.pragma())?;
        *level = wanted;
    }
    execute(conn, "BEGIN IMMEDIATE")
}

/// Prepared once: these run for every operation.
fn execute(conn: &Connection, sql: &str) -> rusqlite::Result<()> {
    conn.prepare_cached(sql)?.execute([]).map(drop)
}

fn alone(tx: &mut Tx<'_>, level: &mut Durability, job: &mut dyn Job) -> rusqlite::Result<()> {
    begin(tx.conn, level, job.durability())?;
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

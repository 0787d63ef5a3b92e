//! The log of `nephos dev`: a line for each invocation, what the functions print, and what went wrong.

use std::time::Duration;

use nephos_local::deploy::activity::{Activity, Invocation, InvocationResult};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::output::{self, Output, Paint};

/// How long nothing must come before the log counts as drained.
const QUIET: Duration = Duration::from_millis(60);
/// The least time between two writes. Nobody sees it, and thousands of invocations a second then share a write instead of costing one each.
const PACE: Duration = Duration::from_millis(10);
/// The most text that is gathered for one write, in bytes.
const MAX_WRITE: usize = 64 << 10;

/// Prints what happens until the engine ends.
#[derive(Debug)]
pub(crate) struct Printer {
    drain: mpsc::Sender<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Printer {
    pub(crate) fn start(mut activity: Receiver<Activity>, output: Output) -> Self {
        let (drain, mut requests) = mpsc::channel::<oneshot::Sender<()>>(1);
        let task = tokio::spawn(async move {
            let mut waiting: Option<oneshot::Sender<()>> = None;
            loop {
                tokio::select! {
                    received = activity.recv() => {
                        let open = print_all(received, &mut activity, output);
                        if !open {
                            return;
                        }
                        tokio::time::sleep(PACE).await;
                    }
                    request = requests.recv(), if waiting.is_none() => match request {
                        Some(request) => waiting = Some(request),
                        None => {
                            print_rest(&mut activity, output);
                            return;
                        }
                    },
                    () = tokio::time::sleep(QUIET), if waiting.is_some() => {
                        if let Some(waiting) = waiting.take() {
                            // Whoever asked may have gone.
                            let _ = waiting.send(());
                        }
                    }
                }
            }
        });
        Self { drain, task }
    }

    /// Waits until nothing more is to be printed for now.
    pub(crate) async fn drained(&self) {
        let (done, wait) = oneshot::channel();
        if self.drain.send(done).await.is_ok() {
            // It ends without an answer when the engine is gone: then all is printed.
            let _ = wait.await;
        }
    }

    /// Prints what is left, and ends.
    pub(crate) async fn finish(self) {
        drop(self.drain);
        // It can only end by itself.
        let _ = self.task.await;
    }
}

/// Prints what was received and all that waits behind it; `false` once there will be no more.
fn print_all(first: Result<Activity, RecvError>, activity: &mut Receiver<Activity>, output: Output) -> bool {
    let mut text = String::new();
    let mut open = true;
    match first {
        Ok(activity) => write(&mut text, &activity, output),
        Err(RecvError::Lagged(missed)) => lagged(&mut text, missed, output),
        Err(RecvError::Closed) => return false,
    }
    while open && text.len() < MAX_WRITE {
        match activity.try_recv() {
            Ok(activity) => write(&mut text, &activity, output),
            Err(TryRecvError::Lagged(missed)) => lagged(&mut text, missed, output),
            Err(TryRecvError::Empty) => break,
            Err(TryRecvError::Closed) => open = false,
        }
    }
    output.write(&text);
    open
}

/// Prints what has happened so far.
fn print_rest(activity: &mut Receiver<Activity>, output: Output) {
    loop {
        let first = match activity.try_recv() {
            Ok(activity) => Ok(activity),
            Err(TryRecvError::Lagged(missed)) => Err(RecvError::Lagged(missed)),
            Err(TryRecvError::Empty | TryRecvError::Closed) => return,
        };
        if !print_all(first, activity, output) {
            return;
        }
    }
}

fn lagged(text: &mut String, missed: u64, output: Output) {
    if output.json {
        json(text, &serde_json::json!({ "event": "missed", "count": missed }));
    } else {
        let said = format!("… {missed} lines of the log were left out: too much happened at once");
        push(text, &output.paint(Paint::Yellow, &said));
    }
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn json<T: serde::Serialize>(text: &mut String, value: &T) {
    if let Ok(line) = serde_json::to_string(value) {
        push(text, &line);
    }
}

fn write(text: &mut String, activity: &Activity, output: Output) {
    if output.json {
        json(text, activity);
        return;
    }
    match activity {
        Activity::Invocation(invocation) => push(text, &line(invocation, output)),
        Activity::Log { function, line, .. } => push(
            text,
            &format!("{} {line}", output.paint(Paint::Dim, &format!("{function:>8} │"))),
        ),
        Activity::Crashed {
            function,
            pid,
            reason,
            ..
        } => push(
            text,
            &format!(
                "{} {function} (process {pid}): {reason}",
                output.paint(Paint::Red, "crashed")
            ),
        ),
        Activity::DeadLettered {
            function,
            id,
            reason,
            queue,
            attempts,
        } => push(
            text,
            &format!(
                "{} {function} gave up {id} after {attempts} attempt(s): {reason}\n         it lies in the queue {queue}",
                output.paint(Paint::Yellow, "dead letter"),
            ),
        ),
        Activity::Trouble { message } => push(
            text,
            &format!("{} {message}", output.paint(Paint::Yellow, "trouble")),
        ),
        // Processes come and go: each invocation's line says whether one was started for it.
        _ => {}
    }
}

fn line(invocation: &Invocation, output: Output) -> String {
    let Invocation {
        function,
        trigger,
        subject,
        attempt,
        records,
        result,
        duration,
        peak_memory,
        cold,
        ..
    } = invocation;
    let time = chrono::Local::now().format("%H:%M:%S");
    let result = match result {
        InvocationResult::Ok => output.paint(Paint::Green, "ok"),
        InvocationResult::Status { status } => {
            let paint = match status {
                ..400 => Paint::Green,
                400..500 => Paint::Yellow,
                _ => Paint::Red,
            };
            output.paint(paint, &status.to_string())
        }
        InvocationResult::Partial { failed, reason } => {
            output.paint(Paint::Yellow, &format!("{failed} failed: {reason}"))
        }
        InvocationResult::Failed { reason, .. } => output.paint(Paint::Red, &format!("failed: {reason}")),
    };
    let mut facts = vec![output::duration(*duration)];
    facts.extend(peak_memory.map(output::size));
    if *records > 1 {
        facts.push(format!("{records} records"));
    }
    if *attempt > 1 {
        facts.push(format!("attempt {attempt}"));
    }
    if *cold {
        facts.push("cold".to_owned());
    }
    let facts = output.paint(Paint::Dim, &facts.join(", "));
    format!(
        "{time} {} {trigger} {subject}  {result}  {facts}",
        output.paint(Paint::Blue, function)
    )
}

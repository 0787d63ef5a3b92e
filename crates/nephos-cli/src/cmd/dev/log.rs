//! The log of `nephos dev`: a line for each invocation, what the functions print, and what went wrong.

use std::time::Duration;

use nephos_local::deploy::activity::{Activity, Invocation, InvocationResult};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::output::{self, Output, Paint};

/// How long nothing must come before the log counts as drained.
const QUIET: Duration = Duration::from_millis(60);

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
                    received = activity.recv() => match received {
                        Ok(activity) => print(&activity, output),
                        Err(RecvError::Lagged(missed)) => lagged(missed, output),
                        Err(RecvError::Closed) => return,
                    },
                    request = requests.recv(), if waiting.is_none() => match request {
                        Some(request) => waiting = Some(request),
                        None => {
                            while let Ok(activity) = activity.try_recv() {
                                print(&activity, output);
                            }
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

fn lagged(missed: u64, output: Output) {
    if output.json {
        output.line(&serde_json::json!({ "event": "missed", "count": missed }));
    } else {
        output.print(&output.paint(
            Paint::Yellow,
            &format!("… {missed} lines of the log were left out: too much happened at once"),
        ));
    }
}

fn print(activity: &Activity, output: Output) {
    if output.json {
        output.line(activity);
        return;
    }
    match activity {
        Activity::Invocation(invocation) => output.print(&line(invocation, output)),
        Activity::Log { line, .. } => output.print(&format!("         {} {line}", output.paint(Paint::Dim, "│"))),
        Activity::Crashed { function, pid, reason, .. } => {
            output.print(&format!("{} {function} (process {pid}): {reason}", output.paint(Paint::Red, "crashed")));
        }
        Activity::DeadLettered { function, id, reason, queue, attempts } => output.print(&format!(
            "{} {function} gave up {id} after {attempts} attempt(s): {reason}\n         it lies in the queue {queue}",
            output.paint(Paint::Yellow, "dead letter"),
        )),
        Activity::Trouble { message } => output.print(&format!("{} {message}", output.paint(Paint::Yellow, "trouble"))),
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

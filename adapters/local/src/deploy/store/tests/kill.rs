//! `kill -9` at any point: what was sent is there, what was acknowledged does not come again.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nephos_core::app::QueueSpec;
use nephos_core::resource::queue::{Outgoing, QueueDriver};
use uuid::Uuid;

use super::super::{ManualClock, Store};
use super::{body, secs};

/// Tells the test, started again, that it is the process to be killed, and where the store is.
const STORE: &str = "NEPHOS_TEST_KILL_STORE";
const ROUNDS: usize = 25;

/// One line at once, past the test runner's capture: the parent reads it.
fn say(verb: &str, id: &str) {
    std::io::stdout()
        .lock()
        .write_all(format!("{verb} {id}\n").as_bytes())
        .unwrap();
}

/// Sends and acknowledges, telling each step, until it is killed.
async fn work(path: &Path) {
    let store = Store::open(path).await.unwrap();
    let queue = store.queue("jobs", &QueueSpec::default());
    let sender = queue.clone();
    let send = async move {
        loop {
            let ids: Vec<_> = (0..3).map(|_| Uuid::new_v4().simple().to_string()).collect();
            let batch: Vec<_> = ids.iter().map(|id| Outgoing::new(id.as_str())).collect();
            sender.send_batch(&batch).await.unwrap();
            for id in ids {
                say("sent", &id);
            }
        }
    };
    let receive = async move {
        loop {
            // Short leases, so that a later process sees what an earlier one had when it was killed.
            let received = queue
                .receive(2, Duration::from_millis(200), secs(60))
                .await
                .unwrap();
            for one in received {
                say("got", &body(&one));
                // Its lease may have run out on a busy machine; then it is somebody else's.
                if queue.ack(std::slice::from_ref(&one.receipt)).await.is_ok() {
                    say("acked", &body(&one));
                }
            }
        }
    };
    tokio::join!(send, receive);
}

/// What the killed processes told.
#[derive(Default)]
struct Told {
    sent: BTreeSet<String>,
    got: BTreeSet<String>,
    acked: BTreeSet<String>,
}

impl Told {
    fn line(&mut self, line: &str) {
        let Some((verb, id)) = line.trim_end().split_once(' ') else {
            return;
        };
        let id = id.to_owned();
        match verb {
            "sent" => drop(self.sent.insert(id)),
            "acked" => drop(self.acked.insert(id)),
            "got" => {
                assert!(
                    !self.acked.contains(&id),
                    "{id} was delivered after it was acknowledged"
                );
                self.got.insert(id);
            }
            // The test runner's own lines.
            _ => {}
        }
    }
}

fn run_and_kill(path: &Path, after_lines: usize, told: &mut Told) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "deploy::store::tests::kill::nothing_is_lost_by_kill_9",
            "--nocapture",
        ])
        .env(STORE, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    for count in 0.. {
        if count == after_lines {
            child.kill().unwrap();
        }
        line.clear();
        // What was in the pipe when it was killed counts too; a line that was cut off does not.
        if lines.read_line(&mut line).unwrap() == 0 || !line.ends_with('\n') {
            break;
        }
        told.line(&line);
    }
    assert!(!child.wait().unwrap().success(), "it ended before it was killed");
}

#[tokio::test]
async fn nothing_is_lost_by_kill_9() {
    if let Some(path) = std::env::var_os(STORE) {
        return work(Path::new(&path)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut told = Told::default();
    for round in 0..ROUNDS {
        // At another step each time, from the middle of opening on.
        run_and_kill(&path, round * round * 3 % 401, &mut told);
    }
    assert!(
        told.sent.len() > 100 && told.acked.len() > 50,
        "too little was done to show anything"
    );

    // An hour later no lease holds any more.
    let later = chrono::Utc::now().timestamp_millis() + 3_600_000;
    let store = Store::open_with(&path, Arc::new(ManualClock::at(later)))
        .await
        .unwrap();
    let queue = store.queue("jobs", &QueueSpec::default());
    let mut left = BTreeSet::new();
    loop {
        let received = queue.receive(1000, secs(3600), Duration::ZERO).await.unwrap();
        if received.is_empty() {
            break;
        }
        left.extend(received.iter().map(body));
    }
    let again: Vec<_> = told.acked.intersection(&left).collect();
    assert!(
        again.is_empty(),
        "delivered after they were acknowledged: {again:?}"
    );
    // What was received may have been acknowledged without the process having lived to say so.
    let lost: Vec<_> = told
        .sent
        .iter()
        .filter(|id| !left.contains(*id) && !told.got.contains(*id))
        .collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
}

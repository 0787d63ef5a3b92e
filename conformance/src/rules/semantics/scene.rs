//! A deployed app, and what was observed of it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use nephos_core::app::App;
use nephos_core::resource::Resources;
use nephos_core::resource::queue::Received;
use tokio::time::Instant;

use super::outgoing;
use crate::ensure;
use crate::harness::{Deployment, Harness};
use crate::probe::{Command, DEAD, OBSERVED, Observation};
use crate::rule::{Verdict, Violation};

/// How long what must happen may take.
const PATIENCE: Duration = Duration::from_secs(12);
/// How long nothing more may happen.
const QUIET: Duration = Duration::from_millis(1200);
/// How long nothing happens before it is taken for the end.
const CALM: Duration = Duration::from_secs(5);
/// How long one look waits.
const LOOK: Duration = Duration::from_millis(150);
const LEASE: Duration = Duration::from_secs(60);

/// A dead letter.
#[derive(Debug)]
pub(crate) struct DeadLetter {
    pub(crate) body: String,
    pub(crate) received: Received,
}

impl DeadLetter {
    pub(crate) fn fact(&self, name: &str) -> &str {
        self.received
            .message
            .attributes
            .get(name)
            .map(String::as_str)
            .unwrap_or_default()
    }
}

impl DeadLetter {
    /// Whether it has no fact beside it: half of them would be taken for all.
    pub(crate) fn claims_nothing(&self) -> Verdict {
        let facts: Vec<_> = self
            .received
            .message
            .attributes
            .keys()
            .filter(|name| name.starts_with("nephos-"))
            .collect();
        ensure!(
            facts.is_empty(),
            "dead letters of what failed too often have facts that are not declared: {facts:?}"
        );
        Ok(())
    }
}

#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) deployment: Arc<dyn Deployment>,
    /// By time of the function's clock.
    pub(crate) seen: Vec<Observation>,
    pub(crate) dead: Vec<DeadLetter>,
}

type Act<'a> = Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

/// Deploys `app`, plays, and removes it whatever came of it.
pub(crate) async fn play(
    harness: &Arc<dyn Harness>,
    app: App,
    act: impl for<'a> FnOnce(&'a mut Scene) -> Act<'a> + Send,
) -> Verdict {
    let deployment = harness.deploy(app).await?;
    let mut scene = Scene {
        deployment,
        seen: Vec::new(),
        dead: Vec::new(),
    };
    let verdict = act(&mut scene).await;
    scene.deployment.remove().await?;
    verdict
}

impl Scene {
    pub(crate) fn resources(&self) -> Arc<Resources> {
        self.deployment.resources()
    }

    /// Sends commands to the queue `jobs`, in one batch.
    pub(crate) async fn send(&self, commands: &[Command]) -> Result<Vec<String>, Violation> {
        let batch = commands.iter().map(outgoing).collect::<Result<Vec<_>, _>>()?;
        Ok(self.resources().queue("jobs")?.send_batch(batch).await?)
    }

    /// Takes what has been observed since the last look.
    async fn look(&mut self) -> Verdict {
        let (observed, dead) = (self.resources().queue(OBSERVED)?, self.resources().queue(DEAD)?);
        let (reports, letters) = futures::join!(
            observed.receive(10, LEASE, LOOK),
            dead.receive(10, LEASE, Duration::ZERO)
        );
        for report in reports? {
            observed.ack(&report.receipt).await?;
            let seen = serde_json::from_slice(&report.message.body.bytes)
                .map_err(|error| Violation::new(format!("the probe's report cannot be read: {error}")))?;
            self.seen.push(seen);
        }
        for letter in letters? {
            dead.ack(&letter.receipt).await?;
            let body = String::from_utf8_lossy(&letter.message.body.bytes).into_owned();
            self.dead.push(DeadLetter {
                body,
                received: letter,
            });
        }
        self.seen.sort_by_key(|seen| seen.at_us);
        Ok(())
    }

    /// Waits until it is so.
    pub(crate) async fn until(&mut self, what: &str, so: impl Fn(&Self) -> bool + Send) -> Verdict {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.look().await?;
            if so(self) {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "{what} did not come within {PATIENCE:?}; {}",
                self.story()
            );
        }
    }

    /// Waits until it is so or a while has passed in which nothing more happened, for a rule that says itself what is missing.
    pub(crate) async fn settle(&mut self, so: impl Fn(&Self) -> bool + Send) -> Verdict {
        let deadline = Instant::now() + PATIENCE;
        let (mut known, mut quiet) = (0, Instant::now() + CALM);
        while !so(self) && Instant::now() < deadline.min(quiet) {
            self.look().await?;
            let now = self.seen.len() + self.dead.len();
            if now != known {
                (known, quiet) = (now, Instant::now() + CALM);
            }
        }
        let deadline = Instant::now() + QUIET;
        while Instant::now() < deadline {
            self.look().await?;
        }
        Ok(())
    }

    /// Waits until it is so, and then a while to see that nothing more happens.
    pub(crate) async fn finally(&mut self, what: &str, so: impl Fn(&Self) -> bool + Send) -> Verdict {
        self.until(what, so).await?;
        let deadline = Instant::now() + QUIET;
        while Instant::now() < deadline {
            self.look().await?;
        }
        Ok(())
    }

    /// What was observed of one event.
    pub(crate) fn of(&self, tag: &str) -> Vec<&Observation> {
        self.seen.iter().filter(|seen| seen.tag == tag).collect()
    }

    /// How often each event of these tags was handled.
    pub(crate) fn times<const N: usize>(&self, tags: [&str; N]) -> [usize; N] {
        tags.map(|tag| self.of(tag).len())
    }

    /// Tags in the order in which they were handled.
    pub(crate) fn order(&self) -> Vec<&str> {
        self.seen.iter().map(|seen| seen.tag.as_str()).collect()
    }

    pub(crate) fn attempts(&self, tag: &str) -> Vec<u32> {
        self.of(tag).iter().map(|seen| seen.attempt).collect()
    }

    /// All that happened, for a violation.
    pub(crate) fn story(&self) -> String {
        let seen: Vec<_> = self
            .seen
            .iter()
            .map(|seen| format!("{}({} #{})", seen.function, seen.tag, seen.attempt))
            .collect();
        let dead: Vec<_> = self.dead.iter().map(|dead| dead.body.as_str()).collect();
        format!("handled so far: {seen:?}, dead letters: {dead:?}")
    }

    /// The only dead letter.
    pub(crate) fn dead_letter(&self) -> Result<&DeadLetter, Violation> {
        match self.dead.as_slice() {
            [one] => Ok(one),
            _ => Err(Violation::new(format!(
                "one dead letter is due; {}",
                self.story()
            ))),
        }
    }
}

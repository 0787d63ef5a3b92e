//! Rules of a batch in which not all go well.

use std::sync::Arc;

use super::jobs;
use super::scene::play;
use crate::harness::Harness;
use crate::probe::{Act, Command};
use crate::rule::{Rule, Verdict, rule};
use crate::{ensure, ensure_eq};

type Subject = Arc<dyn Harness>;

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!(
        "semantics.batch.one-of-n-each-record",
        "one bad message must not hold up the others, nor repeat them",
        "DESIGN, semantics",
        BatchAsOne,
        one_of_n
    ),
    rule!(
        "semantics.batch.one-of-n-outcome",
        "a batch handler says which of its messages failed",
        "DESIGN, semantics",
        BatchAsOne,
        one_of_n_outcome
    ),
    rule!(
        "semantics.batch.unknown-id-retries-all",
        "a report that makes no sense must not acknowledge what it meant",
        "AWS Lambda partial batch response",
        UnknownIsOwn,
        unknown_id
    ),
    rule!(
        "semantics.batch.undecodable-dead-letters-alone",
        "bytes that never decode must not block their neighbours",
        "DESIGN, semantics",
        BatchAsOne,
        undecodable
    ),
];

fn three(bad: Act) -> [Command; 3] {
    [Command::ok("a"), Command::new("b", bad, 1), Command::ok("c")]
}

async fn one_of_n(harness: Subject) -> Verdict {
    play(&harness, jobs("worker", 10, |_| {}), |scene| {
        Box::pin(async move {
            scene.send(&three(Act::Retry)).await?;
            scene
                .finally("all three, one twice", |scene| scene.seen.len() >= 4)
                .await?;
            ensure_eq!(
                scene.times(["a", "b", "c"]),
                [1, 2, 1],
                "how often each of three was handled"
            );
            Ok(())
        })
    })
    .await
}

async fn one_of_n_outcome(harness: Subject) -> Verdict {
    play(&harness, jobs("batcher", 10, |_| {}), |scene| {
        Box::pin(async move {
            scene.send(&three(Act::Retry)).await?;
            scene
                .finally("all three, one twice", |scene| scene.seen.len() >= 4)
                .await?;
            ensure_eq!(
                scene.times(["a", "b", "c"]),
                [1, 2, 1],
                "how often each of three was handled"
            );
            ensure_eq!(scene.attempts("b"), [1, 2], "attempts of the one that failed");
            Ok(())
        })
    })
    .await
}

async fn unknown_id(harness: Subject) -> Verdict {
    play(&harness, jobs("batcher", 10, |_| {}), |scene| {
        Box::pin(async move {
            scene.send(&three(Act::Unknown)).await?;
            let again = |scene: &super::scene::Scene| scene.of("b").len() >= 2 || !scene.dead.is_empty();
            scene.finally("a second attempt", again).await?;
            let first: Vec<_> = scene
                .of("b")
                .iter()
                .map(|seen| seen.invocation.clone())
                .take(1)
                .collect();
            let together = scene.seen.iter().filter(|seen| first.contains(&seen.invocation));
            for tag in together.map(|seen| seen.tag.as_str()).collect::<Vec<_>>() {
                ensure_eq!(
                    scene.of(tag).len(),
                    2,
                    "how often `{tag}` was handled, in a batch with an unknown id"
                );
            }
            ensure!(
                scene.dead.is_empty(),
                "the second attempt is fine, but {}",
                scene.story()
            );
            Ok(())
        })
    })
    .await
}

async fn undecodable(harness: Subject) -> Verdict {
    play(&harness, jobs("worker", 10, |_| {}), |scene| {
        Box::pin(async move {
            let queue = scene.resources().queue("jobs")?;
            let good = super::outgoing(&Command::ok("a"))?;
            queue
                .send_batch(vec!["{not a command".into(), good.clone(), "[1]".into()])
                .await?;
            scene
                .finally("two dead letters", |scene| {
                    scene.dead.len() >= 2 && !scene.seen.is_empty()
                })
                .await?;
            let mut bodies: Vec<_> = scene.dead.iter().map(|dead| dead.body.as_str()).collect();
            bodies.sort_unstable();
            ensure_eq!(bodies, ["[1]", "{not a command"], "dead letters");
            ensure_eq!(scene.times(["a"]), [1], "how often their neighbour was handled");
            for dead in &scene.dead {
                ensure_eq!(
                    (dead.fact("nephos-kind"), dead.fact("nephos-attempts")),
                    ("decode", "1"),
                    "kind and attempts"
                );
            }
            Ok(())
        })
    })
    .await
}

//! Rules of what a handler's return value means.

use std::sync::Arc;
use std::time::Duration;

use super::scene::play;
use super::{facts, jobs};
use crate::harness::Harness;
use crate::probe::{Act, Command};
use crate::rule::{Rule, Verdict, rule};
use crate::{ensure, ensure_eq};

type Subject = Arc<dyn Harness>;

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!(
        "semantics.ok.acknowledges",
        "what is done is not done again",
        "DESIGN, semantics",
        SentTwice,
        ok
    ),
    rule!(
        "semantics.error.is-retried-until-it-succeeds",
        "a passing failure heals by itself",
        "DESIGN, semantics",
        OneAttempt,
        retried
    ),
    rule!(
        "semantics.error.attempt-numbers",
        "a handler gives up, or does it another way, by the attempt",
        "DESIGN, semantics",
        AttemptAlwaysOne,
        numbers
    ),
    rule!(
        "semantics.error.backs-off",
        "a failing dependency must not be hammered",
        "DESIGN, semantics",
        NoBackoff,
        backs_off
    ),
    rule!(
        "semantics.error.same-id-on-redelivery",
        "duplicates are told by the id",
        "CloudEvents 1.0",
        IdChanges,
        same_id
    ),
    rule!(
        "semantics.reject.dead-letters-at-once",
        "what can never work must not be tried again",
        "DESIGN, semantics",
        RejectRetried,
        reject
    ),
    rule!("semantics.exhausted.dead-letters-with-its-facts", "an operator must know what failed, why and how often; where the provider moves it by itself, it must come as it was sent, and claim nothing", "Dapr certification; SQS documentation, redrive policy", ErrorFactsLost, exhausted, needs facts, exhausted_as_sent, kills OneAttempt),
    rule!(
        "semantics.context.deadline",
        "a handler stops in time",
        "DESIGN, semantics",
        DeadlineHidden,
        deadline
    ),
    rule!(
        "semantics.context.invocation-id",
        "an invocation is found in the log by its id",
        "DESIGN, semantics",
        InvocationIdsSame,
        invocation
    ),
    rule!(
        "semantics.context.function",
        "code that two functions share tells in its log which of them ran",
        "AWS Lambda context object",
        FunctionHidden,
        function
    ),
];

async fn ok(harness: Subject) -> Verdict {
    play(&harness, jobs("worker", 10, |_| {}), |scene| {
        Box::pin(async move {
            scene.send(&[Command::ok("a"), Command::ok("b")]).await?;
            scene
                .finally("two invocations", |scene| scene.seen.len() >= 2)
                .await?;
            ensure_eq!(
                scene.times(["a", "b"]),
                [1, 1],
                "how often each message was handled"
            );
            ensure!(scene.dead.is_empty(), "nothing failed, but {}", scene.story());
            let depth = scene.resources().queue("jobs")?.depth().await?;
            ensure_eq!(depth.total(), 0, "messages left");
            Ok(())
        })
    })
    .await
}

async fn retried(harness: Subject) -> Verdict {
    play(&harness, jobs("worker", 1, |_| {}), |scene| {
        Box::pin(async move {
            scene.send(&[Command::new("a", Act::Retry, 2)]).await?;
            scene
                .finally("the third attempt", |scene| {
                    scene.seen.len() >= 3 || !scene.dead.is_empty()
                })
                .await?;
            ensure_eq!(
                scene.times(["a"]),
                [3],
                "how often a message was handled that fails twice"
            );
            ensure!(
                scene.dead.is_empty(),
                "it succeeded in the end, but {}",
                scene.story()
            );
            Ok(())
        })
    })
    .await
}

async fn numbers(harness: Subject) -> Verdict {
    play(&harness, jobs("worker", 1, |_| {}), |scene| {
        Box::pin(async move {
            scene.send(&[Command::new("a", Act::Retry, 2)]).await?;
            scene
                .until("the third attempt", |scene| scene.seen.len() >= 3)
                .await?;
            ensure_eq!(
                scene.attempts("a"),
                [1, 2, 3],
                "the attempts as the handler saw them"
            );
            Ok(())
        })
    })
    .await
}

async fn backs_off(harness: Subject) -> Verdict {
    let backoff = Duration::from_millis(600);
    let app = jobs("worker", 1, |function| {
        function.retry.backoff = backoff;
        function.retry.max_backoff = Duration::from_secs(5);
    });
    play(&harness, app, |scene| {
        Box::pin(async move {
            scene.send(&[Command::new("a", Act::Retry, 2)]).await?;
            scene
                .until("the third attempt", |scene| scene.seen.len() >= 3)
                .await?;
            let at: Vec<_> = scene.of("a").iter().map(|seen| seen.at_us).collect();
            // Jitter may take away up to half of a wait.
            let least = i64::try_from(backoff.as_micros()).unwrap_or(i64::MAX) / 2;
            ensure!(
                at[1] - at[0] >= least,
                "the first wait was {} µs, of {backoff:?}",
                at[1] - at[0]
            );
            ensure!(
                at[2] - at[1] >= least * 2,
                "the second wait was {} µs, of twice {backoff:?}",
                at[2] - at[1]
            );
            Ok(())
        })
    })
    .await
}

async fn same_id(harness: Subject) -> Verdict {
    play(&harness, jobs("worker", 1, |_| {}), |scene| {
        Box::pin(async move {
            let sent = scene.send(&[Command::new("a", Act::Retry, 2)]).await?;
            scene
                .until("the third attempt", |scene| scene.seen.len() >= 3)
                .await?;
            let ids: Vec<_> = scene.of("a").iter().map(|seen| seen.id.clone()).collect();
            ensure!(
                ids.iter().all(|id| *id == sent[0]),
                "sent as {sent:?}, handled as {ids:?}"
            );
            Ok(())
        })
    })
    .await
}

async fn reject(harness: Subject) -> Verdict {
    play(&harness, jobs("worker", 1, |_| {}), |scene| {
        Box::pin(async move {
            scene.send(&[Command::new("a", Act::Reject, 0)]).await?;
            scene
                .finally("the dead letter", |scene| !scene.dead.is_empty())
                .await?;
            ensure_eq!(scene.attempts("a"), [1], "attempts of what was rejected");
            ensure!(
                scene.dead_letter()?.body.contains("\"a\""),
                "the dead letter holds the message; {}",
                scene.story()
            );
            Ok(())
        })
    })
    .await
}

async fn exhausted(harness: Subject) -> Verdict {
    play(&harness, jobs("worker", 1, |_| {}), |scene| {
        Box::pin(async move {
            let command = Command::new("a", Act::Retry, 0);
            let sent = scene.send(std::slice::from_ref(&command)).await?;
            scene
                .finally("the dead letter", |scene| !scene.dead.is_empty())
                .await?;
            ensure_eq!(scene.attempts("a"), [1, 2, 3], "attempts of what always fails");
            let dead = scene.dead_letter()?;
            ensure_eq!(
                serde_json::from_str::<Command>(&dead.body).ok(),
                Some(command),
                "the body"
            );
            ensure!(
                dead.fact("nephos-reason").contains("told to fail"),
                "the reason is {:?}",
                dead.fact("nephos-reason")
            );
            ensure_eq!(dead.fact("nephos-kind"), "handler", "the kind of error");
            ensure_eq!(dead.fact("nephos-attempts"), "3", "the attempts");
            ensure_eq!(dead.fact("nephos-function"), "worker", "the function");
            ensure_eq!(dead.fact("nephos-event-id"), sent[0], "the id of the event");
            Ok(())
        })
    })
    .await
}

/// The negative: after as many tries, and as it was sent.
async fn exhausted_as_sent(harness: Subject) -> Verdict {
    play(&harness, jobs("worker", 1, |_| {}), |scene| {
        Box::pin(async move {
            let command = Command::new("a", Act::Retry, 0);
            scene.send(std::slice::from_ref(&command)).await?;
            scene
                .finally("the dead letter", |scene| !scene.dead.is_empty())
                .await?;
            ensure_eq!(scene.attempts("a"), [1, 2, 3], "attempts of what always fails");
            let dead = scene.dead_letter()?;
            ensure_eq!(
                serde_json::from_str::<Command>(&dead.body).ok(),
                Some(command),
                "the body"
            );
            dead.claims_nothing()
        })
    })
    .await
}

async fn deadline(harness: Subject) -> Verdict {
    play(
        &harness,
        jobs("worker", 1, |function| function.timeout = Duration::from_secs(7)),
        |scene| {
            Box::pin(async move {
                scene.send(&[Command::ok("a")]).await?;
                scene
                    .until("an invocation", |scene| !scene.seen.is_empty())
                    .await?;
                let left = scene.of("a")[0].deadline_ms;
                ensure!(
                    left.is_some_and(|left| (1..=7000).contains(&left)),
                    "of a time-out of 7 s the handler sees {left:?} ms"
                );
                Ok(())
            })
        },
    )
    .await
}

async fn invocation(harness: Subject) -> Verdict {
    play(&harness, jobs("worker", 1, |_| {}), |scene| {
        Box::pin(async move {
            scene.send(&[Command::ok("a"), Command::ok("b")]).await?;
            scene
                .until("two invocations", |scene| scene.seen.len() >= 2)
                .await?;
            let (a, b) = (&scene.of("a")[0].invocation, &scene.of("b")[0].invocation);
            ensure!(
                !a.is_empty() && a != b,
                "two invocations have the ids {a:?} and {b:?}"
            );
            Ok(())
        })
    })
    .await
}

async fn function(harness: Subject) -> Verdict {
    play(&harness, jobs("worker", 1, |_| {}), |scene| {
        Box::pin(async move {
            scene.send(&[Command::ok("a")]).await?;
            scene
                .until("an invocation", |scene| !scene.seen.is_empty())
                .await?;
            ensure_eq!(scene.of("a")[0].function, "worker", "the function's own name");
            Ok(())
        })
    })
    .await
}

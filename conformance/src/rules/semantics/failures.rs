//! Rules of what a handler does not say: panic, time-out, crash.

use std::collections::BTreeSet;
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
        "semantics.panic.is-a-retry",
        "a panic is an error of its invocation",
        "DESIGN, semantics",
        OneAttempt,
        panic
    ),
    rule!(
        "semantics.panic.is-not-the-hosts-end",
        "a panic must not take other invocations with it",
        "DESIGN, semantics",
        PanicEndsProcess,
        panic_alone
    ),
    rule!(
        "semantics.timeout.is-a-retry",
        "an invocation that hangs is ended, and tried again",
        "DESIGN, semantics",
        OneAttempt,
        timeout
    ),
    rule!("semantics.timeout.is-told-as-one", "an operator must tell a slow handler from a wrong one; where the provider moves it by itself, only the log tells", "DESIGN, semantics; SQS documentation, redrive policy", ErrorFactsLost, timeout_told, needs facts, timeout_as_sent, kills OneAttempt),
    rule!(
        "semantics.crash.is-a-retry",
        "a process that dies loses no event",
        "DESIGN, semantics",
        OneAttempt,
        crash
    ),
    rule!("semantics.crash.dead-letters-when-it-repeats", "an event that kills its handler must not do so for ever", "Dapr certification", DeadLettersElsewhere, crash_repeats, needs facts, crash_repeats_as_sent, kills OneAttempt),
    rule!(
        "semantics.failure.loses-nothing",
        "every event is handled or dead-lettered, whatever its neighbours do",
        "Dapr certification",
        BatchLosesLast,
        nothing_lost
    ),
];

async fn twice(harness: Subject, act: Act) -> Verdict {
    play(
        &harness,
        jobs("worker", 1, |function| function.timeout = Duration::from_secs(3)),
        |scene| {
            Box::pin(async move {
                scene
                    .send(&[Command {
                        ms: 20_000,
                        ..Command::new("a", act, 1)
                    }])
                    .await?;
                scene
                    .finally("a second attempt", |scene| {
                        scene.seen.len() >= 2 || !scene.dead.is_empty()
                    })
                    .await?;
                ensure_eq!(scene.attempts("a"), [1, 2], "attempts");
                ensure!(
                    scene.dead.is_empty(),
                    "the second attempt is fine, but {}",
                    scene.story()
                );
                Ok(())
            })
        },
    )
    .await
}

async fn panic(harness: Subject) -> Verdict {
    twice(harness, Act::Panic).await
}

async fn timeout(harness: Subject) -> Verdict {
    twice(harness, Act::Sleep).await
}

async fn crash(harness: Subject) -> Verdict {
    twice(harness, Act::Exit).await
}

async fn panic_alone(harness: Subject) -> Verdict {
    play(
        &harness,
        jobs("worker", 10, |function| function.max_instances = 1),
        |scene| {
            Box::pin(async move {
                scene
                    .send(&[
                        Command::ok("a"),
                        Command::new("b", Act::Panic, 1),
                        Command::ok("c"),
                    ])
                    .await?;
                scene
                    .finally("all three, one twice", |scene| scene.seen.len() >= 4)
                    .await?;
                ensure_eq!(
                    scene.times(["a", "b", "c"]),
                    [1, 2, 1],
                    "how often each of three was handled"
                );
                let pids: BTreeSet<_> = scene.seen.iter().map(|seen| seen.pid).collect();
                ensure_eq!(pids.len(), 1, "processes that handled them");
                Ok(())
            })
        },
    )
    .await
}

async fn timeout_told(harness: Subject) -> Verdict {
    let app = jobs("worker", 1, |function| {
        function.timeout = Duration::from_secs(1);
        function.retry.attempts = 2;
    });
    play(&harness, app, |scene| {
        Box::pin(async move {
            scene.send(&[Command::sleep("a", 20_000, 0)]).await?;
            scene
                .until("the dead letter", |scene| !scene.dead.is_empty())
                .await?;
            let dead = scene.dead_letter()?;
            ensure_eq!(dead.fact("nephos-kind"), "deadline_exceeded", "the kind of error");
            ensure_eq!(dead.fact("nephos-attempts"), "2", "the attempts");
            Ok(())
        })
    })
    .await
}

/// The negative: as often tried, and as it was sent.
async fn timeout_as_sent(harness: Subject) -> Verdict {
    let app = jobs("worker", 1, |function| {
        function.timeout = Duration::from_secs(1);
        function.retry.attempts = 2;
    });
    play(&harness, app, |scene| {
        Box::pin(async move {
            scene.send(&[Command::sleep("a", 20_000, 0)]).await?;
            scene
                .until("the dead letter", |scene| !scene.dead.is_empty())
                .await?;
            ensure_eq!(scene.attempts("a"), [1, 2], "attempts of what is never in time");
            scene.dead_letter()?.claims_nothing()
        })
    })
    .await
}

/// The negative: as often tried, and as it was sent.
async fn crash_repeats_as_sent(harness: Subject) -> Verdict {
    play(&harness, jobs("worker", 1, |_| {}), |scene| {
        Box::pin(async move {
            scene.send(&[Command::new("a", Act::Exit, 0)]).await?;
            scene
                .finally("the dead letter", |scene| !scene.dead.is_empty())
                .await?;
            ensure_eq!(
                scene.attempts("a"),
                [1, 2, 3],
                "attempts of what ends the process"
            );
            scene.dead_letter()?.claims_nothing()
        })
    })
    .await
}

async fn crash_repeats(harness: Subject) -> Verdict {
    play(&harness, jobs("worker", 1, |_| {}), |scene| {
        Box::pin(async move {
            scene.send(&[Command::new("a", Act::Exit, 0)]).await?;
            scene
                .finally("the dead letter", |scene| !scene.dead.is_empty())
                .await?;
            ensure_eq!(
                scene.attempts("a"),
                [1, 2, 3],
                "attempts of what ends the process"
            );
            ensure_eq!(
                scene.dead_letter()?.fact("nephos-kind"),
                "crashed",
                "the kind of error"
            );
            Ok(())
        })
    })
    .await
}

async fn nothing_lost(harness: Subject) -> Verdict {
    play(&harness, jobs("worker", 5, |_| {}), |scene| {
        Box::pin(async move {
            let acts = [Act::Ok, Act::Retry, Act::Ok, Act::Reject, Act::Panic, Act::Ok];
            let mut commands: Vec<_> = (0..30)
                .map(|n| Command::new(format!("{n}"), acts[n % acts.len()], 1))
                .collect();
            // What tells the end, and what a mutant loses.
            commands.push(Command::new("last", Act::Reject, 1));
            scene.send(&commands).await?;
            let settled = |scene: &super::scene::Scene| {
                let seen: BTreeSet<_> = scene.seen.iter().map(|seen| seen.tag.as_str()).collect();
                // Ten are handled twice; how soon they come again is the target's.
                seen.len() >= 31 && scene.seen.len() >= 41 && scene.dead.len() >= 6
            };
            scene.settle(settled).await?;
            for command in &commands {
                let expected = match command.act {
                    Act::Ok | Act::Reject => 1,
                    _ => 2,
                };
                ensure_eq!(
                    scene.of(&command.tag).len(),
                    expected,
                    "how often `{}` ({:?}) was handled",
                    command.tag,
                    command.act
                );
            }
            ensure_eq!(scene.dead.len(), 6, "dead letters of 6 rejected messages");
            Ok(())
        })
    })
    .await
}

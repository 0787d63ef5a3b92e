//! Rules of the processes that handle events: killed, stopped, fresh, side by side.

use std::collections::BTreeSet;
use std::sync::Arc;

use nephos_core::ErrorKind;
use nephos_core::app::Isolation;

use super::jobs;
use super::scene::play;
use crate::harness::{Capabilities, Harness};
use crate::probe::Command;
use crate::rule::{Rule, Verdict, Violation, rule};
use crate::{ensure, ensure_eq};

type Subject = Arc<dyn Harness>;

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!(
        "semantics.host.redelivers-after-it-was-killed",
        "a power cut loses no event",
        "DESIGN, budgets",
        CrashLosesQueue,
        killed
    ),
    rule!(
        "semantics.host.does-not-repeat-what-was-acknowledged",
        "what was done before a power cut is not done again",
        "DESIGN, budgets",
        CrashForgetsAcks,
        killed_once
    ),
    rule!(
        "semantics.host.finishes-what-is-in-flight-when-stopped",
        "an update of the app interrupts no handler",
        "AWS Lambda and Cloud Run documentation",
        StopKills,
        stopped
    ),
    rule!("semantics.isolation.fresh-process-each-time", "what one invocation leaves behind, another must not find; where that cannot be had, the app must not be deployed as if it were", "DESIGN, the manifest", IsolationIgnored, isolated, needs isolation, isolation_refused, kills IsolationIgnored),
    rule!(
        "semantics.host.runs-side-by-side",
        "four slow events do not take four times as long",
        "functions-framework-conformance",
        OneInstance,
        side_by_side
    ),
];

fn isolation(capabilities: &Capabilities) -> bool {
    capabilities.host.isolation
}

async fn killed(harness: Subject) -> Verdict {
    play(&harness, jobs("worker", 1, |_| {}), |scene| {
        Box::pin(async move {
            let commands: Vec<_> = (0..12).map(|n| Command::sleep(format!("{n}"), 150, 0)).collect();
            scene.send(&commands).await?;
            scene
                .until("the first invocations", |scene| scene.seen.len() >= 3)
                .await?;
            scene.deployment.crash_and_restart().await?;
            let all = |scene: &super::scene::Scene| {
                commands.iter().all(|command| !scene.of(&command.tag).is_empty())
            };
            scene.settle(all).await?;
            ensure!(
                all(scene),
                "of 12 messages some were lost with the host; {}",
                scene.story()
            );
            ensure!(scene.dead.is_empty(), "nothing failed, but {}", scene.story());
            Ok(())
        })
    })
    .await
}

async fn killed_once(harness: Subject) -> Verdict {
    play(&harness, jobs("worker", 1, |_| {}), |scene| {
        Box::pin(async move {
            scene.send(&[Command::ok("a"), Command::ok("b")]).await?;
            scene
                .finally("two invocations", |scene| scene.seen.len() >= 2)
                .await?;
            scene.deployment.crash_and_restart().await?;
            scene.send(&[Command::ok("c")]).await?;
            scene
                .finally("the message after the restart", |scene| !scene.of("c").is_empty())
                .await?;
            ensure_eq!(
                scene.times(["a", "b", "c"]),
                [1, 1, 1],
                "how often each message was handled"
            );
            Ok(())
        })
    })
    .await
}

async fn stopped(harness: Subject) -> Verdict {
    play(&harness, jobs("worker", 1, |_| {}), |scene| {
        Box::pin(async move {
            scene.send(&[Command::sleep("a", 1500, 0)]).await?;
            scene
                .until("the invocation", |scene| !scene.seen.is_empty())
                .await?;
            scene.deployment.stop_and_restart().await?;
            scene.send(&[Command::ok("b")]).await?;
            scene
                .until("the message after the restart", |scene| !scene.of("b").is_empty())
                .await?;
            // How soon a message comes again whose handler was interrupted is the target's.
            scene.settle(|scene| scene.of("a").len() >= 2).await?;
            ensure_eq!(
                scene.times(["a", "b"]),
                [1, 1],
                "how often a message was handled whose handler ran at the stop, and one after it"
            );
            ensure!(scene.dead.is_empty(), "nothing failed, but {}", scene.story());
            Ok(())
        })
    })
    .await
}

async fn isolated(harness: Subject) -> Verdict {
    let app = jobs("worker", 1, |function| function.isolation = Isolation::Invocation);
    play(&harness, app, |scene| {
        Box::pin(async move {
            let commands: Vec<_> = (0..5).map(|n| Command::ok(n.to_string())).collect();
            scene.send(&commands).await?;
            scene
                .finally("five invocations", |scene| scene.seen.len() >= 5)
                .await?;
            ensure_eq!(scene.seen.len(), 5, "invocations");
            let pids: BTreeSet<_> = scene.seen.iter().map(|seen| seen.pid).collect();
            ensure_eq!(pids.len(), 5, "processes of five invocations");
            Ok(())
        })
    })
    .await
}

/// The negative: refused before anything is there.
async fn isolation_refused(harness: Subject) -> Verdict {
    let app = jobs("worker", 1, |function| function.isolation = Isolation::Invocation);
    match harness.deploy(app).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(()),
        Err(error) => Err(error.into()),
        Ok(deployment) => {
            deployment.remove().await?;
            Err(Violation::new(
                "an app that asks for a fresh process for each invocation is deployed where there is none",
            ))
        }
    }
}

async fn side_by_side(harness: Subject) -> Verdict {
    play(
        &harness,
        jobs("worker", 1, |function| function.max_instances = 4),
        |scene| {
            Box::pin(async move {
                let commands: Vec<_> = (0..4).map(|n| Command::sleep(format!("{n}"), 1500, 0)).collect();
                scene.send(&commands).await?;
                scene
                    .until("four invocations", |scene| scene.seen.len() >= 4)
                    .await?;
                let (first, last) = (scene.seen[0].at_us, scene.seen[3].at_us);
                // One after the other, the fourth begins 4.5 s after the first.
                ensure!(
                    last - first < 3_500_000,
                    "the fourth began {} µs after the first; {}",
                    last - first,
                    scene.story()
                );
                Ok(())
            })
        },
    )
    .await
}

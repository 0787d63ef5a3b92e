//! Rules of what an invocation knows of itself, while others run.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use nephos_core::app::App;

use crate::harness::{Capabilities, Harness};
use crate::probe::{AFTER, Act, Command, Observation};
use crate::rule::{Rule, Verdict, Violation, rule};
use crate::rules::semantics::jobs;
use crate::rules::semantics::scene::{Scene, play};
use crate::{ensure, ensure_eq};

type Subject = Arc<dyn Harness>;

fn shared_process(capabilities: &Capabilities) -> bool {
    capabilities.host.shared_process
}

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!(
        "host.context.is-its-invocations-own",
        "an id or deadline of another's invocation in the log or in a decision is worse than none",
        "functions-framework-conformance, concurrency; AWS Lambda context object",
        InvocationIdsSame,
        own
    ),
    rule!(
        "host.deadline.is-the-declared-time-out",
        "a handler that plans by its deadline must be given the one that holds, and it must come nearer",
        "AWS Lambda Runtime API, Lambda-Runtime-Deadline-Ms",
        DeadlineHidden,
        deadline
    ),
    rule!("host.process.handles-several-at-once", "waiting costs a process little, and a process costs much; where it handles one at a time, each event has one of its own", "Cloud Run, concurrency; AWS Lambda execution environment", OneInstance, shared, needs shared_process, apart, kills OneInstance),
];

/// How long each of the invocations takes.
const TAKES: Duration = Duration::from_millis(1500);

fn tell(tag: &str) -> Command {
    let ms = u64::try_from(TAKES.as_millis()).unwrap_or(u64::MAX);
    Command {
        ms,
        ..Command::new(tag, Act::Tell, 0)
    }
}

const TAGS: [&str; 4] = ["a", "b", "c", "d"];

/// Four at the same time, in as many instances and as many in each as this.
fn side_by_side(instances: u32, concurrency: u32) -> App {
    jobs("worker", 1, |function| {
        function.max_instances = instances;
        function.concurrency = concurrency;
        function.timeout = Duration::from_secs(3);
    })
}

/// Handles four at once, and gives what each told at its beginning and at its end. Delivery is at least once: what a slow machine makes come a second time is not looked at.
async fn four(scene: &mut Scene) -> Result<Vec<(Observation, Observation)>, Violation> {
    scene.send(&TAGS.map(tell)).await?;
    scene
        .until("the end of four invocations", |scene| {
            TAGS.iter()
                .all(|tag| first(scene, tag).is_some() && first(scene, &format!("{tag}{AFTER}")).is_some())
        })
        .await?;
    let told = TAGS.iter().filter_map(|tag| {
        Some((
            first(scene, tag)?.clone(),
            first(scene, &format!("{tag}{AFTER}"))?.clone(),
        ))
    });
    Ok(told.collect())
}

/// What the first try told.
fn first<'a>(scene: &'a Scene, tag: &str) -> Option<&'a Observation> {
    scene.of(tag).into_iter().find(|seen| seen.attempt == 1)
}

/// Whether at any time two of them ran.
fn overlap(told: &[(Observation, Observation)]) -> bool {
    told.iter().enumerate().any(|(index, (begun, _))| {
        told.iter()
            .enumerate()
            .any(|(other, (from, until))| other != index && (from.at_us..until.at_us).contains(&begun.at_us))
    })
}

async fn own(harness: Subject) -> Verdict {
    play(&harness, side_by_side(4, 4), |scene| {
        Box::pin(async move {
            let told = four(scene).await?;
            ensure!(
                overlap(&told),
                "no two of four invocations ran at the same time: nothing is shown"
            );
            for (begun, ended) in &told {
                ensure_eq!(
                    (&ended.invocation, &ended.function, ended.attempt, &ended.id),
                    (&begun.invocation, &begun.function, begun.attempt, &begun.id),
                    "invocation, function, attempt and message at the end of `{}`",
                    begun.tag
                );
            }
            let invocations: BTreeSet<_> = told.iter().map(|(begun, _)| &begun.invocation).collect();
            ensure_eq!(invocations.len(), TAGS.len(), "ids of four invocations");
            Ok(())
        })
    })
    .await
}

async fn deadline(harness: Subject) -> Verdict {
    let app = jobs("worker", 1, |function| function.timeout = Duration::from_secs(6));
    play(&harness, app, |scene| {
        Box::pin(async move {
            scene.send(&[tell("a")]).await?;
            scene
                .until("the end of an invocation", |scene| {
                    first(scene, "a").is_some() && first(scene, &format!("a{AFTER}")).is_some()
                })
                .await?;
            let left = |tag: &str| {
                first(scene, tag)
                    .and_then(|seen| seen.deadline_ms)
                    .ok_or_else(|| Violation::new("a handler with a time-out sees no deadline"))
            };
            let (begun, ended) = (left("a")?, left(&format!("a{AFTER}"))?);
            // Starting the process may be part of the time.
            ensure!(
                (3000..=6000).contains(&begun),
                "of a time-out of 6 s a handler sees {begun} ms at its beginning"
            );
            let gone = begun.saturating_sub(ended);
            ensure!(
                (1000..=5000).contains(&gone),
                "in {TAKES:?} the deadline of {begun} ms comes nearer by {gone} ms"
            );
            Ok(())
        })
    })
    .await
}

async fn shared(harness: Subject) -> Verdict {
    play(&harness, side_by_side(1, 4), |scene| {
        Box::pin(async move {
            let told = four(scene).await?;
            let processes: BTreeSet<_> = told.iter().map(|(begun, _)| begun.pid).collect();
            ensure_eq!(processes.len(), 1, "processes of a function of one instance");
            ensure!(
                overlap(&told),
                "one process that may handle four at once handles them one by one"
            );
            Ok(())
        })
    })
    .await
}

/// The negative: side by side, and no two in one process.
async fn apart(harness: Subject) -> Verdict {
    play(&harness, side_by_side(4, 4), |scene| {
        Box::pin(async move {
            let told = four(scene).await?;
            ensure!(
                overlap(&told),
                "four invocations run one by one where four instances may"
            );
            let processes: BTreeSet<_> = told.iter().map(|(begun, _)| begun.pid).collect();
            for process in processes {
                let its: Vec<_> = told
                    .iter()
                    .filter(|(begun, _)| begun.pid == process)
                    .cloned()
                    .collect();
                ensure!(
                    !overlap(&its),
                    "the process {process} handles several at once although that is not declared"
                );
            }
            Ok(())
        })
    })
    .await
}

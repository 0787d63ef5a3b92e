//! Rules of order under failure: groups of a queue, streams. Those of a table's changes are in `changes.rs`.

use std::sync::Arc;

use nephos_core::app::{App, QueueSpec, Resource, StreamSpec, Trigger};
use nephos_core::resource::stream::Append;

use super::scene::{Scene, play};
use super::{jobs, tries};
use crate::harness::{Capabilities, Harness};
use crate::probe::{self, Act, Command};
use crate::rule::{Rule, Verdict, Violation, rule};
use crate::{ensure, ensure_eq, ensure_fails};

type Subject = Arc<dyn Harness>;

fn groups(capabilities: &Capabilities) -> bool {
    capabilities.ordered_queues
}

fn letters(capabilities: &Capabilities) -> bool {
    capabilities.host.stream_letters
}

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!("semantics.group.keeps-order-under-failure", "what failed is tried again before what follows it", "Dapr certification", GroupIgnored, group, needs groups, group_refused),
    rule!(
        "semantics.stream.in-order",
        "a device's readings are handled in order",
        "Kinesis documentation",
        OrderReversed,
        stream_order
    ),
    rule!("semantics.stream.stops-at-the-first-failure", "a record must not overtake one that failed; where a handler is not told which try it is, the one here fails on all of them", "Kinesis documentation", OrderReversed, stream_stops, needs tries, stream_stops_untold, kills OrderReversed),
    rule!("semantics.stream.goes-on-behind-a-dead-letter", "one bad record must not stop a stream for ever; where the provider gives it up by itself, the letter tells where in the stream it is", "Kinesis documentation; AWS Lambda, on-failure destination of a Kinesis stream", OrderReversed, stream_goes_on, needs letters, stream_goes_on_without, kills OrderReversed),
    rule!("semantics.stream.gives-up-only-what-was-tried", "a record that waited behind a bad one has done nothing wrong", "Kinesis documentation", OrderReversed, stream_gives_up, needs letters, stream_gives_up_without, kills OrderReversed),
];

async fn group_refused(harness: Subject) -> Verdict {
    let queue = harness.queue(QueueSpec::default()).await?;
    ensure_fails!(
        queue.send(super::outgoing(&Command::ok("a"))?.group("g")).await,
        Unsupported,
        "a group where none are kept"
    );
    Ok(())
}

async fn group(harness: Subject) -> Verdict {
    let mut app = jobs("worker", 5, |function| function.max_instances = 4);
    app.resources.insert(
        "jobs".to_owned(),
        Resource::Queue(QueueSpec {
            ordered: true,
            ..QueueSpec::default()
        }),
    );
    play(&harness, app, |scene| {
        Box::pin(async move {
            let commands = [
                Command::ok("a1"),
                Command::new("a2", Act::Retry, 2),
                Command::ok("a3"),
            ];
            let batch = commands
                .iter()
                .map(|command| Ok(super::outgoing(command)?.group("a")))
                .collect::<Result<_, Violation>>()?;
            scene.resources().queue("jobs")?.send_batch(batch).await?;
            scene.finally("all three", |scene| scene.seen.len() >= 5).await?;
            ensure_eq!(
                scene.order(),
                ["a1", "a2", "a2", "a2", "a3"],
                "the order of a group whose second fails twice"
            );
            Ok(())
        })
    })
    .await
}

fn stream() -> App {
    let mut app = probe::app();
    app.resources
        .insert("readings".to_owned(), Resource::Stream(StreamSpec::default()));
    let on = Trigger::Stream {
        stream: "readings".to_owned(),
        batch: 10,
    };
    app.functions.insert("reader".to_owned(), probe::function([on]));
    app
}

async fn append(scene: &Scene, commands: &[Command]) -> Verdict {
    let records = commands
        .iter()
        .map(|command| Ok(Append::new("device", nephos_core::event::Payload::json(command)?)))
        .collect::<Result<_, Violation>>()?;
    scene
        .resources()
        .stream("readings")?
        .append_batch(records)
        .await?;
    Ok(())
}

async fn stream_order(harness: Subject) -> Verdict {
    play(&harness, stream(), |scene| {
        Box::pin(async move {
            let tags: Vec<String> = (0..12).map(|n| format!("{n:02}")).collect();
            append(scene, &tags.iter().map(Command::ok).collect::<Vec<_>>()).await?;
            scene
                .finally("12 records", |scene| scene.seen.len() >= 12)
                .await?;
            ensure_eq!(scene.order(), tags, "the order in which records were handled");
            Ok(())
        })
    })
    .await
}

async fn stops(harness: Subject, order: &'static [&'static str]) -> Verdict {
    play(&harness, stream(), move |scene| {
        Box::pin(async move {
            let commands = [
                Command::ok("a"),
                Command::new("b", Act::Retry, 1),
                Command::ok("c"),
            ];
            append(scene, &commands).await?;
            scene
                .finally("all three", |scene| scene.order().len() >= order.len())
                .await?;
            ensure_eq!(scene.order(), order, "the order of records whose second fails");
            Ok(())
        })
    })
    .await
}

async fn stream_stops(harness: Subject) -> Verdict {
    stops(harness, &["a", "b", "b", "c"]).await
}

/// The negative: each try is the first, and fails as the first.
async fn stream_stops_untold(harness: Subject) -> Verdict {
    stops(harness, &["a", "b", "b", "b", "c"]).await
}

async fn given_up(
    harness: Subject,
    attempts: u32,
    order: &'static [&'static str],
    holds_record: Holds,
) -> Verdict {
    let mut app = stream();
    for function in app.functions.values_mut() {
        function.retry.attempts = attempts;
    }
    play(&harness, app, move |scene| {
        Box::pin(async move {
            let (bad, good) = (Command::new("b", Act::Retry, 0), Command::ok("c"));
            append(scene, &[Command::ok("a"), bad, good]).await?;
            scene
                .settle(|scene| scene.seen.len() >= order.len() && !scene.dead.is_empty())
                .await?;
            ensure_eq!(
                scene.order(),
                order,
                "the order of records of which the second always fails"
            );
            let dead = scene.dead_letter()?;
            if holds_record == Holds::Place {
                return dead.claims_nothing();
            }
            ensure!(
                dead.body.contains("\"b\""),
                "the dead letter holds the record that failed; {}",
                scene.story()
            );
            ensure_eq!(
                (dead.fact("nephos-attempts"), dead.fact("nephos-function")),
                (attempts.to_string().as_str(), "reader"),
                "attempts and function"
            );
            Ok(())
        })
    })
    .await
}

/// What a dead letter holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Record,
    Place,
}

const THREE_TRIES: &[&str] = &["a", "b", "b", "b", "c"];
const ONE_TRY: &[&str] = &["a", "b", "c"];

async fn stream_goes_on(harness: Subject) -> Verdict {
    given_up(harness, 3, THREE_TRIES, Holds::Record).await
}

async fn stream_goes_on_without(harness: Subject) -> Verdict {
    given_up(harness, 3, THREE_TRIES, Holds::Place).await
}

async fn stream_gives_up(harness: Subject) -> Verdict {
    given_up(harness, 1, ONE_TRY, Holds::Record).await
}

async fn stream_gives_up_without(harness: Subject) -> Verdict {
    given_up(harness, 1, ONE_TRY, Holds::Place).await
}

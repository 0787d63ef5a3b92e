//! Rules of what is told around an event's content: its id, its time, which try it is, its group, its raw bytes.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use nephos_core::event::{Message, Payload};
use nephos_core::{Context, ErrorKind, Event, Function, TriggerKind};

use super::{declared, equal, natives, one, samples};
use crate::happening::{Happening, What};
use crate::harness::{Capabilities, Harness};
use crate::rule::{Rule, Verdict, Violation, rule};
use crate::{ensure, ensure_eq, ensure_fails};

type Subject = Arc<dyn Harness>;

fn tells_tries(capabilities: &Capabilities) -> bool {
    !capabilities.host.tells_tries.is_empty()
}

fn groups(capabilities: &Capabilities) -> bool {
    capabilities.ordered_queues && capabilities.host.kinds.contains(&TriggerKind::Queue)
}

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!(
        "events.id.same-when-told-again",
        "duplicates are told by the id, so one happening has one id and two have two",
        "CloudEvents 1.0, id",
        IdChanges,
        ids
    ),
    rule!(
        "events.time.when-it-happened",
        "an event that waited is about when it happened, not about when it came",
        "CloudEvents 1.0, time",
        TimeLost,
        time
    ),
    rule!(
        "events.attempt.of-a-message",
        "a handler gives up, or does it another way, by the attempt",
        "SQS documentation, ApproximateReceiveCount",
        AttemptAlwaysOne,
        attempt_of_message
    ),
    rule!("events.attempt.of-any-event", "a handler gives up, or does it another way, by the attempt", "DESIGN, semantics", AttemptAlwaysOne, attempt, needs tells_tries, attempt_untold),
    rule!("events.group.of-a-message", "a handler that keeps state for a group must know which it is", "SQS documentation, MessageGroupId", GroupIgnored, group, needs groups, group_refused),
    rule!(
        "events.raw.bytes-are-kept",
        "what only one provider tells is out of reach unless its own bytes are kept",
        "DESIGN, the four ports; wasmCloud issue 5062",
        RawLost,
        raw
    ),
];

/// Of those that come again when they fail.
fn again(kind: TriggerKind) -> bool {
    !matches!(
        kind,
        TriggerKind::Http | TriggerKind::Auth | TriggerKind::Voice | TriggerKind::Raw
    )
}

fn id_of(event: &Event) -> String {
    let records = event.record_ids();
    if records.is_empty() {
        event.attributes.id.clone()
    } else {
        records.join(",")
    }
}

async fn ids(harness: Subject) -> Verdict {
    for first in declared(&*harness).into_iter().filter(|told| again(told.kind())) {
        let kind = first.kind();
        let second = Happening {
            attempt: 2,
            ..first.clone()
        };
        let other = another(&first);
        let told = [
            natives(&*harness, &first).await?,
            natives(&*harness, &second).await?,
        ];
        let others = natives(&*harness, &other).await?;
        let [first, second] = told;
        for ((first, second), other) in first.iter().zip(&second).zip(&others) {
            let form = first.form;
            let first = id_of(&one(&*harness, first).await?.event);
            let second = id_of(&one(&*harness, second).await?.event);
            let other = id_of(&one(&*harness, other).await?.event);
            ensure!(!first.is_empty(), "a {kind} event ({form}) has no id");
            ensure_eq!(
                second,
                first,
                "the id of a {kind} event ({form}) that is told again"
            );
            ensure!(other != first, "two {kind} events ({form}) have the id {first}");
        }
    }
    Ok(())
}

/// The same at another time, with another id.
fn another(happening: &Happening) -> Happening {
    let mut other = happening.clone();
    other.id = "7c0d9e11-0000-4000-8000-00000000beef".to_owned();
    other.at += chrono::Duration::hours(24);
    match &mut other.what {
        What::Queue(messages) => messages.iter_mut().for_each(|message| message.id.push('b')),
        What::Topic(notification) => notification.id.push('b'),
        What::Stream(records) => records.iter_mut().for_each(|record| record.sequence.push('9')),
        What::Table(changes) => changes.iter_mut().for_each(|change| change.sequence.push('9')),
        What::Schedule(tick) => tick.due_at = other.at,
        What::Email(email) => samples::rename(email, "2@example.net"),
        _ => {}
    }
    other
}

async fn time(harness: Subject) -> Verdict {
    let told = [
        TriggerKind::Bucket,
        TriggerKind::Queue,
        TriggerKind::Topic,
        TriggerKind::Stream,
        TriggerKind::Table,
        TriggerKind::Schedule,
        TriggerKind::Email,
    ];
    for happening in declared(&*harness) {
        if !told.contains(&happening.kind()) {
            continue;
        }
        for native in natives(&*harness, &happening).await? {
            ensure_eq!(
                one(&*harness, &native).await?.event.attributes.time,
                Some(happening.at),
                "the time of a {} event ({})",
                happening.kind(),
                native.form
            );
        }
    }
    Ok(())
}

async fn attempt_of_message(harness: Subject) -> Verdict {
    if !harness.host().kinds.contains(&TriggerKind::Queue) {
        let message = samples::message("1", samples::json_body());
        return super::refused(&*harness, &samples::queue(&[message])).await;
    }
    let messages: Vec<Message<Payload>> = [("1", 1), ("2", 7), ("3", 1000)]
        .into_iter()
        .map(|(id, attempt)| Message {
            attempt,
            ..samples::message(id, samples::json_body())
        })
        .collect();
    each(&harness, &messages).await
}

/// Each by itself, and all in one event, where the provider has such a payload; whether it has, `events.queue.batch.in-order` holds.
async fn each(harness: &Subject, messages: &[Message<Payload>]) -> Verdict {
    for message in messages {
        equal(&**harness, &samples::queue(std::slice::from_ref(message))).await?;
    }
    let together = samples::queue(messages);
    match harness.native(&together).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(()),
        _ => equal(&**harness, &together).await,
    }
}

/// Where nobody tells, each is the first: a number that is made up would be worse.
async fn attempts(harness: &Subject) -> Verdict {
    let tell = harness.host().tells_tries;
    for happening in declared(&**harness) {
        if !again(happening.kind()) || happening.kind() == TriggerKind::Queue {
            continue;
        }
        for attempt in [1, 2, 30] {
            let told = Happening {
                attempt,
                ..happening.clone()
            };
            for native in natives(&**harness, &told).await? {
                ensure_eq!(
                    one(&**harness, &native).await?.attempt,
                    if tell.contains(&happening.kind()) {
                        attempt
                    } else {
                        1
                    },
                    "the attempt in the context, of a {} event that is told for the time {attempt}",
                    happening.kind()
                );
            }
        }
    }
    Ok(())
}

async fn attempt(harness: Subject) -> Verdict {
    attempts(&harness).await
}

async fn attempt_untold(harness: Subject) -> Verdict {
    attempts(&harness).await
}

async fn group(harness: Subject) -> Verdict {
    let grouped = |id: &str, group: Option<&str>| Message {
        group: group.map(str::to_owned),
        ..samples::message(id, samples::json_body())
    };
    let messages = [
        grouped("1", Some("device/1")),
        grouped("2", None),
        grouped("3", Some("b")),
    ];
    each(&harness, &messages).await
}

async fn group_refused(harness: Subject) -> Verdict {
    let queue = harness.queue(nephos_core::app::QueueSpec::default()).await?;
    ensure_fails!(
        queue
            .send(nephos_core::resource::queue::Outgoing::from("x").group("g"))
            .await,
        Unsupported,
        "a group where none are kept"
    );
    Ok(())
}

async fn raw(harness: Subject) -> Verdict {
    for happening in declared(&*harness) {
        for native in natives(&*harness, &happening).await? {
            if !native.is_document {
                continue;
            }
            let event = one(&*harness, &native).await?.event;
            let found: Arc<Mutex<Option<Bytes>>> = Arc::default();
            let seen = Arc::clone(&found);
            // As the handler sees it.
            let function = Function::new("recorder", move |_event: Event, cx: Context| {
                let seen = Arc::clone(&seen);
                async move {
                    let raw = cx.raw().map(|raw| raw.bytes.clone());
                    *seen.lock().unwrap_or_else(PoisonError::into_inner) = raw;
                    Ok::<_, nephos_core::Error>(())
                }
            });
            drop(
                function
                    .dispatch(event, Context::builder("recorder").build())
                    .await,
            );
            let found = found.lock().unwrap_or_else(PoisonError::into_inner).take();
            let form = native.form;
            let kind = happening.kind();
            let Some(found) = found else {
                return Err(Violation::new(format!(
                    "of a {kind} event ({form}) there are no raw bytes"
                )));
            };
            ensure!(
                found == native.message.body(),
                "the raw bytes of a {kind} event ({form}) are others than those that came"
            );
        }
    }
    Ok(())
}

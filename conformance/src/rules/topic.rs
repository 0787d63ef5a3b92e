//! Rules of topics; that notifications reach every subscriber is in the semantics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use nephos_core::app::{App, Resource, TopicSpec, Trigger};
use nephos_core::event::Payload;
use nephos_core::resource::topic::Publication;
use serde_json::{Value, json};

use super::semantics::scene::play;
use crate::harness::Harness;
use crate::probe::{self, Command};
use crate::rule::{Rule, Verdict, Violation, rule};
use crate::{ensure, ensure_eq, ensure_fails};

type Subject = Arc<dyn Harness>;

pub(in crate::rules) const RULES: &[Rule] = &[
    rule!(
        "topic.publish.returns-ids",
        "a publisher logs what it published",
        "Go CDK drivertest",
        IdsSame,
        ids
    ),
    rule!(
        "topic.publish.any-number",
        "a driver splits what its provider limits",
        "Go CDK drivertest",
        BatchLosesLast,
        many
    ),
    rule!(
        "topic.body.binary-and-media-type",
        "a subscriber gets the bytes and their type as they were published",
        "Go CDK drivertest",
        BodyUtf8Lossy,
        bodies
    ),
    rule!(
        "topic.attributes.reach-the-subscriber",
        "attributes carry what is not in the body",
        "SNS documentation",
        AttributesDropped,
        attributes,
        needs | capabilities | capabilities.topic.attributes,
        attributes_refused
    ),
    rule!(
        "topic.publish.too-large-is-refused",
        "a notification is refused before it is sent, with what to do",
        "Nephos",
        LimitNotHeld,
        too_large
    ),
];

async fn ids(harness: Subject) -> Verdict {
    let topic = harness.topic().await?;
    let (first, second) = (topic.publish("a").await?, topic.publish("a").await?);
    ensure!(
        !first.is_empty() && first != second,
        "two notifications have the ids {first:?} and {second:?}"
    );
    Ok(())
}

/// An app in which a function hears the topic `news`.
fn heard_by(function: &str) -> App {
    let mut app = probe::app();
    app.resources
        .insert("news".to_owned(), Resource::Topic(TopicSpec::default()));
    let on = Trigger::Topic {
        topic: "news".to_owned(),
        filter: BTreeMap::new(),
    };
    app.functions.insert(function.to_owned(), probe::function([on]));
    app
}

async fn many(harness: Subject) -> Verdict {
    const NUMBER: usize = 35;
    play(&harness, heard_by("notified"), |scene| {
        Box::pin(async move {
            let sent: BTreeSet<String> = (0..NUMBER).map(|n| n.to_string()).collect();
            let batch = sent
                .iter()
                .map(|tag| Publication::json(&Command::ok(tag)))
                .collect::<Result<_, _>>()?;
            let ids = scene.resources().topic("news")?.publish_batch(batch).await?;
            ensure_eq!(ids.len(), NUMBER, "ids of {NUMBER} notifications");
            ensure_eq!(ids.iter().collect::<BTreeSet<_>>().len(), NUMBER, "different ids");
            // Those that do not come are told by name, not by a wait that was in vain.
            scene.settle(|scene| scene.seen.len() >= NUMBER).await?;
            let seen: BTreeSet<String> = scene.seen.iter().map(|seen| seen.tag.clone()).collect();
            let lost: Vec<_> = sent.difference(&seen).collect();
            ensure!(lost.is_empty(), "notifications that did not arrive: {lost:?}");
            ensure_eq!(scene.seen.len(), NUMBER, "notifications that arrived");
            Ok(())
        })
    })
    .await
}

/// What the subscriber heard of one notification.
async fn heard(harness: &Subject, publication: Publication) -> Result<Value, Violation> {
    let note = Arc::new(Mutex::new(Value::Null));
    let told = Arc::clone(&note);
    play(harness, heard_by("hearer"), |scene| {
        Box::pin(async move {
            scene.resources().topic("news")?.publish(publication).await?;
            scene
                .until("the notification", |scene| !scene.seen.is_empty())
                .await?;
            *told.lock().unwrap_or_else(PoisonError::into_inner) = scene.seen[0].note.clone();
            Ok(())
        })
    })
    .await?;
    let note = note.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(note)
}

async fn bodies(harness: Subject) -> Verdict {
    let png = Payload {
        content_type: Some("image/png".to_owned()),
        bytes: (0..=255).rev().collect::<Vec<u8>>().into(),
    };
    for body in [Payload::json(&[1, 2])?, png] {
        let note = heard(&harness, Publication::new(body.clone())).await?;
        ensure_eq!(
            note["content_type"],
            json!(body.content_type),
            "the media type that the subscriber sees"
        );
        ensure_eq!(
            note["bytes"],
            json!(body.bytes.to_vec()),
            "the bytes that the subscriber sees"
        );
    }
    Ok(())
}

fn with_attributes() -> Publication {
    Publication::new("x")
        .attribute("tenant", "blue")
        .attribute("note", "ünï cödé \"quoted\"")
}

async fn attributes(harness: Subject) -> Verdict {
    let note = heard(&harness, with_attributes()).await?;
    ensure_eq!(
        note["attributes"],
        json!(with_attributes().attributes),
        "the attributes that the subscriber sees"
    );
    Ok(())
}

async fn attributes_refused(harness: Subject) -> Verdict {
    let topic = harness.topic().await?;
    ensure_fails!(
        topic.publish(with_attributes()).await,
        Unsupported,
        "attributes where none are carried"
    );
    Ok(())
}

async fn too_large(harness: Subject) -> Verdict {
    let topic = harness.topic().await?;
    let size = topic.capabilities().max_message_bytes + 1;
    ensure_fails!(
        topic.publish("x".repeat(size)).await,
        ResourceExhausted,
        "a notification of {size} bytes"
    );
    Ok(())
}

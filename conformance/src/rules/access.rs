//! Rules of access: a function may do what its `uses` says, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use nephos_core::app::{App, BucketSpec, QueueSpec, Resource, SecretSpec, StreamSpec, TableSpec, TopicSpec};
use nephos_core::resource::table::TableSchema;
use nephos_core::resource::{Access, ResourceKind};

use super::semantics::scene::play;
use crate::ensure_eq;
use crate::harness::Harness;
use crate::probe::{self, Command};
use crate::rule::{Rule, Verdict, rule};

type Subject = Arc<dyn Harness>;

pub(super) const RULES: &[Rule] = &[
    rule!(
        "access.bucket.only-what-is-declared",
        "a function that is broken into can do no more than it had to",
        "DESIGN, the manifest",
        FullAccess,
        bucket
    ),
    rule!(
        "access.queue.only-what-is-declared",
        "a sender must not read others' messages",
        "DESIGN, the manifest",
        FullAccess,
        queue
    ),
    rule!(
        "access.topic.only-what-is-declared",
        "a subscriber must not speak for the publisher",
        "DESIGN, the manifest",
        FullAccess,
        topic
    ),
    rule!(
        "access.stream.only-what-is-declared",
        "a reader must not forge readings",
        "DESIGN, the manifest",
        FullAccess,
        stream
    ),
    rule!(
        "access.table.only-what-is-declared",
        "a reader must not write, a writer must not delete",
        "DESIGN, the manifest",
        FullAccess,
        table
    ),
    rule!(
        "access.secret.only-what-is-declared",
        "a secret is for the function that names it",
        "DESIGN, the manifest",
        FullAccess,
        secret
    ),
];

/// The function `prober` with this access to `thing`, a resource of its kind.
fn app(thing: Resource, access: BTreeSet<Access>) -> App {
    let mut app = probe::app();
    app.resources.insert("thing".to_owned(), thing);
    app.resources
        .insert("jobs".to_owned(), Resource::Queue(QueueSpec::default()));
    let on = nephos_core::app::Trigger::Queue {
        queue: "jobs".to_owned(),
        batch: 1,
    };
    let mut function = probe::function([on]);
    if !access.is_empty() {
        function.uses.insert("thing".to_owned(), access);
    }
    app.functions.insert("prober".to_owned(), function);
    app
}

/// What the function tries: an access by its name, and operations that need one or more.
fn attempts(kind: ResourceKind) -> Vec<(String, BTreeSet<Access>)> {
    let more: &[(&str, &[Access])] = match kind {
        ResourceKind::Bucket => &[
            ("read+write copy", &[Access::Read, Access::Write]),
            ("write put_stream", &[Access::Write]),
            ("read signed_url", &[Access::Read]),
            ("write signed_url", &[Access::Write]),
            ("delete signed_url", &[Access::Delete]),
        ],
        ResourceKind::Table => &[
            ("read query", &[Access::Read]),
            ("write write_batch", &[Access::Write]),
            ("delete write_batch", &[Access::Delete]),
            ("write+delete write_batch", &[Access::Write, Access::Delete]),
        ],
        _ => &[],
    };
    let plain = kind
        .access()
        .iter()
        .map(|access| (access.name().to_owned(), BTreeSet::from([*access])));
    let more = more
        .iter()
        .map(|(name, needed)| ((*name).to_owned(), needed.iter().copied().collect()));
    plain.chain(more).collect()
}

/// Deploys with no access, with each and with all; the function tries everything, and is refused all but what it has.
async fn only(harness: Subject, thing: Resource) -> Verdict {
    let kind = thing.kind();
    let all: BTreeSet<Access> = kind.access().iter().copied().collect();
    let mut grants = vec![BTreeSet::new()];
    grants.extend(all.iter().map(|access| BTreeSet::from([*access])));
    if all.len() > 1 {
        grants.push(all);
    }
    for access in grants {
        let granted = access.clone();
        play(&harness, app(thing.clone(), access.clone()), move |scene| {
            Box::pin(async move {
                scene.send(&[Command::ok(kind.name())]).await?;
                scene
                    .until("what the function could do", |scene| !scene.seen.is_empty())
                    .await?;
                let outcomes: BTreeMap<String, String> = serde_json::from_value(scene.seen[0].note.clone())
                    .map_err(crate::rule::Violation::new)?;
                let expected: BTreeMap<String, String> = attempts(kind)
                    .into_iter()
                    .map(|(tried, needed)| {
                        let outcome = if needed.is_subset(&granted) {
                            "allowed"
                        } else {
                            "permission_denied"
                        };
                        (tried, outcome.to_owned())
                    })
                    .collect();
                ensure_eq!(
                    outcomes,
                    expected,
                    "what a function with {granted:?} can do with a {kind}"
                );
                Ok(())
            })
        })
        .await?;
    }
    Ok(())
}

async fn bucket(harness: Subject) -> Verdict {
    only(harness, Resource::Bucket(BucketSpec::default())).await
}

async fn queue(harness: Subject) -> Verdict {
    only(harness, Resource::Queue(QueueSpec::default())).await
}

async fn topic(harness: Subject) -> Verdict {
    only(harness, Resource::Topic(TopicSpec::default())).await
}

async fn stream(harness: Subject) -> Verdict {
    only(harness, Resource::Stream(StreamSpec::default())).await
}

async fn table(harness: Subject) -> Verdict {
    let schema = TableSchema {
        key: "id".to_owned(),
        sort: None,
        ttl: None,
    };
    only(harness, Resource::Table(TableSpec { schema })).await
}

async fn secret(harness: Subject) -> Verdict {
    only(harness, Resource::Secret(SecretSpec::default())).await
}

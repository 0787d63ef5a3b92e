//! The way back: all requests of a service go to the revision before the one that takes them. The next deployment gives them to the newest again.
//!
//! <https://cloud.google.com/run/docs/rollouts-rollbacks-traffic-migration>

use std::collections::BTreeSet;

use nephos_core::deploy::{Moved, Progress, StepState};
use nephos_core::plan::{Action, Data, Part, Step};
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::api::all;
use super::apply::tell;
use super::kinds::{self, last};
use super::status::{Running, time};
use super::{GcpDeployer, Place};
use crate::deploy::graph::Kind;

const OPERATION: &str = "deploy.rollback";

/// What a revision is made of; the rest of it is when and how it was made.
const MADE_OF: [&str; 5] = [
    "containers",
    "serviceAccount",
    "timeout",
    "scaling",
    "maxInstanceRequestConcurrency",
];

impl GcpDeployer {
    pub(super) async fn roll_back(&self, names: &[String], progress: &Progress) -> Result<Vec<Moved>> {
        let place = self.place(OPERATION).await?;
        let running = self.chosen(&place, names).await?;
        // All are looked at before any is moved.
        let looked = all(running.into_iter().map(|one| place.before(one)).collect()).await?;
        let mut moves = Vec::new();
        for (one, before) in looked {
            let current = one.serving().unwrap_or("none").to_owned();
            match before {
                Some(to) => moves.push((one, current, to)),
                None if names.is_empty() => progress.note(format!(
                    "{} has no version before {current}; it stays",
                    one.function
                )),
                None => {
                    return Err(Error::new(
                        ErrorKind::NotFound,
                        OPERATION,
                        "there is no version before the one that takes events now",
                    )
                    .with("function", one.function)
                    .with("version", current));
                }
            }
        }
        let moving = moves.into_iter();
        let moving = moving.map(|(one, from, to)| place.move_to(one, from, to, progress));
        let mut moved = all(moving.collect()).await?;
        moved.sort_by(|one, other| one.function.cmp(&other.function));
        Ok(moved)
    }
}

/// A revision's number in the order in which they were made.
fn age(revision: &Value) -> (Option<chrono::DateTime<chrono::Utc>>, &str) {
    let name = revision.get("name").and_then(Value::as_str).unwrap_or_default();
    (time(revision, "createTime"), name)
}

fn is_ready(revision: &Value) -> bool {
    let conditions = revision.get("conditions").and_then(Value::as_array);
    let text =
        |condition: &Value, field: &str| condition.get(field).and_then(Value::as_str).map(str::to_owned);
    conditions.into_iter().flatten().any(|condition| {
        text(condition, "type").as_deref() == Some("Ready")
            && text(condition, "state").as_deref() == Some("CONDITION_SUCCEEDED")
    })
}

/// The revision before the one that is named: the last older one that got ready and is another.
fn before(mut revisions: Vec<Value>, serving: &str) -> Option<String> {
    revisions.sort_by(|one, other| age(other).cmp(&age(one)));
    let is_serving =
        |revision: &Value| revision.get("name").and_then(Value::as_str).map(last) == Some(serving);
    let at = revisions.iter().position(is_serving)?;
    let current = revisions.get(at)?;
    let differs = |revision: &&Value| {
        MADE_OF
            .iter()
            .any(|field| revision.get(field) != current.get(field))
    };
    let found = (revisions.iter().skip(at + 1)).find(|revision| is_ready(revision) && differs(revision))?;
    found.get("name")?.as_str().map(|name| last(name).to_owned())
}

impl Place {
    /// A service with the revision before the one that takes requests, if there is one.
    async fn before(&self, one: Running) -> Result<(Running, Option<String>)> {
        let Some(serving) = one.serving().map(str::to_owned) else {
            return Ok((one, None));
        };
        let path = format!(
            "{}/revisions?pageSize=500",
            kinds::path(Kind::Service, &one.thing.name)
        );
        let revisions = self.api.list(Kind::Service.host(), &path, "revisions").await?;
        let before = before(revisions, &serving);
        Ok((one, before))
    }

    async fn move_to(&self, one: Running, from: String, to: String, progress: &Progress) -> Result<Moved> {
        let traffic = json!({"traffic": [
            {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": to, "percent": 100},
        ]});
        let thing = self.settled(one.thing).await?;
        self.change(&thing, &traffic, &BTreeSet::from(["traffic".to_owned()]))
            .await?;
        let step = Step {
            action: Action::Update,
            part: Part::Function {
                name: one.function.clone(),
            },
            kind: Kind::Service.title().to_owned(),
            id: last(&thing.name).to_owned(),
            why: None,
            data: Data::Untouched,
        };
        let reason = format!("version {to} instead of {from}");
        tell(progress, step, StepState::Done, Some(reason));
        Ok(Moved {
            function: one.function,
            from,
            to,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(number: u8, image: &str, state: &str) -> Value {
        json!({
            "name": format!("projects/p/locations/r/services/s/revisions/s-{number}"),
            "createTime": format!("2026-11-28T10:00:0{number}Z"),
            "containers": [{"image": image}],
            "conditions": [{"type": "Ready", "state": state}],
        })
    }

    #[test]
    fn the_way_back_goes_to_the_last_that_was_another_and_got_ready() {
        let (ready, failed) = ("CONDITION_SUCCEEDED", "CONDITION_FAILED");
        let all = vec![
            revision(2, "b", ready),
            revision(5, "c", ready),
            revision(1, "a", ready),
            revision(3, "x", failed),
            revision(4, "c", ready),
        ];
        assert_eq!(before(all.clone(), "s-5").as_deref(), Some("s-2"));
        assert_eq!(before(all.clone(), "s-2").as_deref(), Some("s-1"));
        assert_eq!(before(all.clone(), "s-1"), None);
        assert_eq!(before(all, "s-9"), None);
    }
}

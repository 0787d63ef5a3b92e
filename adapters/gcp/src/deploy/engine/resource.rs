//! One resource is made, changed or deleted, and is waited for until it is so. Each can be done again: what is there already, or gone already, is no error if it is ours.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use http::Method;
use nephos_core::deploy::merge;
use nephos_core::retry::RetryPolicy;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Map, Value, json};

use super::Place;
use super::api::escaped;
use super::changes::wanted;
use super::diff;
use super::failure::{is_overtaken, is_too_early};
use super::kinds::{self, Change, Making, last, parent};
use super::state::{KEPT, Thing, is_marked};
use crate::deploy::graph::{Kind, Node};

/// How long is waited while something else goes on with a resource, or a new account is not known yet.
const PATIENCE: Duration = Duration::from_secs(300);
const BACKOFF: RetryPolicy = RetryPolicy {
    attempts: u32::MAX,
    base: Duration::from_millis(250),
    max: Duration::from_secs(10),
};

/// How long where somebody may only lack a permission: nothing tells that from an account that is not known yet.
const DENIED: Duration = Duration::from_secs(30);

/// Whether it may be otherwise when it is tried again.
fn passes(error: &Error) -> bool {
    is_too_early(error) || is_overtaken(error)
}

fn patience(error: &Error) -> Duration {
    match error.kind() {
        ErrorKind::PermissionDenied => DENIED,
        _ => PATIENCE,
    }
}

/// A body without the fields that are to be none.
fn without_nulls(body: &Value) -> Value {
    let mut whole = json!({});
    merge::patch(&mut whole, body);
    whole
}

impl Place {
    /// Makes a resource that is not there.
    pub(super) async fn create(&self, node: &Node) -> Result<()> {
        let begun = Instant::now();
        let mut attempt = 1;
        loop {
            let error = match self.create_once(node).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            // The answer to an earlier request may have been lost, or an earlier command killed. Cloud Storage says of a bucket that is there no more than that it is a conflict.
            if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::Conflict)
                && let Some(there) = self.get(node.kind, &node.name).await?
                && self.may_change(&there)
                && !there.is_half_made()
            {
                return self.bring(node, there).await;
            }
            attempt += 1;
            let pause = BACKOFF.backoff(attempt);
            if !passes(&error) || begun.elapsed() + pause > patience(&error) {
                return Err(named(error, node.kind, &node.name));
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn create_once(&self, node: &Node) -> Result<()> {
        let interface = kinds::of(node.kind);
        let (host, version) = (node.kind.host(), interface.version);
        let mut body = without_nulls(&node.body);
        let id = last(&node.name);
        let collection = || {
            format!(
                "/{version}/{}/{}",
                escaped(parent(&node.name)),
                interface.collection
            )
        };
        let (method, path) = match interface.making {
            Making::Posted(parameter) => (
                Method::POST,
                format!("{}?{parameter}={}", collection(), escaped(id)),
            ),
            Making::Both(parameter) => {
                set(&mut body, "name", &node.name);
                (
                    Method::POST,
                    format!("{}?{parameter}={}", collection(), escaped(id)),
                )
            }
            Making::Named => {
                set(&mut body, "name", &node.name);
                (Method::POST, collection())
            }
            Making::Put => (Method::PUT, kinds::path(node.kind, &node.name)),
            Making::Account => {
                let account = id.split('@').next().unwrap_or(id);
                body = json!({"accountId": account, "serviceAccount": body});
                (Method::POST, collection())
            }
            Making::Bucket => {
                set(&mut body, "name", id);
                (Method::POST, format!("/{version}/b?project={}", self.project))
            }
            Making::Notification => {
                let topic = format!("//pubsub.googleapis.com/projects/{}/topics/{id}", self.project);
                if body.get("topic").is_none() {
                    set(&mut body, "topic", &topic);
                }
                let bucket = escaped(last(parent(&node.name)));
                (Method::POST, format!("/{version}/b/{bucket}/notificationConfigs"))
            }
            Making::There => {
                let path = kinds::path(node.kind, &node.name);
                (
                    Method::PATCH,
                    format!("{path}?updateMask={}", mask(body.as_object())),
                )
            }
        };
        let answer = self.api.call(host, method, &path, Some(&body)).await?;
        self.api.wait(host, version, answer).await.map(drop)
    }

    /// Brings what is there already to what it is to be.
    async fn bring(&self, node: &Node, there: Thing) -> Result<()> {
        let there = self.settled(there).await?;
        if let Some(fault) = there.fault() {
            return Err(self.faulty(&there, &fault));
        }
        let wanted = wanted(node, Some(&there));
        let differences = diff::between(node.kind, &wanted, &there.body, self.ids());
        if differences.is_empty() {
            return Ok(());
        }
        self.change(&there, &wanted, &differences.fields).await
    }

    /// Whether it is ours, so far as it can say so.
    pub(super) fn may_change(&self, thing: &Thing) -> bool {
        !is_marked(thing.kind) || thing.mark.as_ref().is_some_and(|mark| self.is_mine(mark))
    }

    /// Waits until nothing goes on with it any more.
    pub(super) async fn settled(&self, mut thing: Thing) -> Result<Thing> {
        let begun = Instant::now();
        let mut attempt = 1;
        while thing.is_busy() {
            attempt += 1;
            if begun.elapsed() > PATIENCE {
                return Err(self.overtaken(&thing));
            }
            tokio::time::sleep(BACKOFF.backoff(attempt)).await;
            thing = self
                .get(thing.kind, &thing.name)
                .await?
                .ok_or_else(|| self.overtaken(&thing))?;
        }
        Ok(thing)
    }

    pub(super) fn overtaken(&self, thing: &Thing) -> Error {
        let error = Error::new(
            ErrorKind::Conflict,
            self.api.operation,
            "somebody else changes it at the same time; nothing of theirs was overwritten; deploy again to see a new plan",
        );
        named(error, thing.kind, &thing.name)
    }

    fn faulty(&self, thing: &Thing, fault: &str) -> Error {
        let error = Error::new(
            ErrorKind::Conflict,
            self.api.operation,
            "it was made, and does not work; mend what is below, and run the same command again",
        );
        named(error, thing.kind, &thing.name).caused_by(fault.to_owned())
    }

    /// Changes the named fields of what is there to those of `wanted`.
    pub(super) async fn change(
        &self,
        thing: &Thing,
        wanted: &Value,
        fields: &BTreeSet<String>,
    ) -> Result<()> {
        let begun = Instant::now();
        let mut current = thing.clone();
        let mut attempt = 1;
        loop {
            let error = match self.change_once(&current, wanted, fields).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            attempt += 1;
            let pause = BACKOFF.backoff(attempt);
            if !passes(&error) || begun.elapsed() + pause > patience(&error) {
                return Err(named(error, thing.kind, &thing.name));
            }
            tokio::time::sleep(pause).await;
            let found = self.get(thing.kind, &thing.name).await?;
            let found = found.ok_or_else(|| self.overtaken(thing))?;
            // It may be our own change, whose answer was lost.
            if diff::between(thing.kind, wanted, &found.body, self.ids()).is_empty() {
                let found = self.settled(found).await?;
                return match found.fault() {
                    Some(fault) => Err(self.faulty(&found, &fault)),
                    None => Ok(()),
                };
            }
            if found.spec() != thing.spec() {
                return Err(self.overtaken(thing).caused_by(error.chain()));
            }
            current = found;
        }
    }

    async fn change_once(&self, thing: &Thing, wanted: &Value, fields: &BTreeSet<String>) -> Result<()> {
        let interface = kinds::of(thing.kind);
        let (host, version) = (thing.kind.host(), interface.version);
        let mut changed = Map::new();
        let mut body = Map::new();
        for field in fields {
            let wanted = wanted.get(field).cloned().unwrap_or(Value::Null);
            changed.insert(field.clone(), wanted.clone());
            let mut whole = thing.body.get(field).cloned().unwrap_or(Value::Null);
            // What others have set beside ours stays.
            merge::patch(&mut whole, &wanted);
            if thing.kind == Kind::Service
                && let Value::Object(template) = &mut whole
            {
                // A revision's name is not given twice.
                template.remove("revision");
            }
            if !whole.is_null() {
                body.insert(field.clone(), whole);
            }
        }
        let mask = mask(Some(&changed));
        let path = kinds::path(thing.kind, &thing.name);
        if interface.etag
            && let Some(etag) = thing.body.get("etag")
        {
            body.insert("etag".to_owned(), etag.clone());
        }
        let (path, body) = match interface.change {
            Change::Masked => {
                // A revision that never got ready is not tried again for the same template, unless that is asked for.
                let again = thing.kind == Kind::Service && thing.fault().is_some();
                let force = if again { "&forceNewRevision=true" } else { "" };
                (format!("{path}?updateMask={mask}{force}"), Value::Object(body))
            }
            Change::Wrapped(field) => {
                body.insert("name".to_owned(), thing.name.clone().into());
                (path, json!({field: body, "updateMask": mask}))
            }
            Change::Merged => {
                let generation = thing.text("metageneration").unwrap_or_default();
                let condition = format!("{path}?ifMetagenerationMatch={generation}");
                let path = if generation.is_empty() { path } else { condition };
                (path, Value::Object(changed))
            }
            Change::Never => {
                return Err(Error::new(
                    ErrorKind::Internal,
                    self.api.operation,
                    "what can only be made again was to be changed",
                ));
            }
        };
        let answer = self.api.call(host, Method::PATCH, &path, Some(&body)).await?;
        self.api.wait(host, version, answer).await.map(drop)
    }

    /// Lets go of what holds data: it stays, with a label by which a plan leaves it alone, and the next deployment finds it.
    pub(super) async fn keep(&self, thing: &Thing) -> Result<()> {
        if thing.body.get("labels").is_none() || thing.is_kept() {
            return Ok(());
        }
        let fields = BTreeSet::from(["labels".to_owned()]);
        self.change(thing, &json!({"labels": {KEPT: "true"}}), &fields)
            .await
    }

    /// Deletes it. What is gone is no error.
    pub(super) async fn delete(&self, thing: &Thing) -> Result<()> {
        let begun = Instant::now();
        let mut attempt = 1;
        let mut current = thing.clone();
        loop {
            let error = match self.delete_once(&current).await {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                Err(error) => error,
            };
            attempt += 1;
            let pause = BACKOFF.backoff(attempt);
            if !is_overtaken(&error) || begun.elapsed() + pause > PATIENCE {
                return Err(named(error, thing.kind, &thing.name));
            }
            tokio::time::sleep(pause).await;
            if thing.kind == Kind::Bucket {
                // Somebody put something into it, after it was emptied.
                self.empty_bucket(last(&thing.name)).await?;
            }
            match self.get(thing.kind, &thing.name).await? {
                None => return Ok(()),
                Some(found) if found.spec() != thing.spec() => {
                    return Err(self.overtaken(thing).caused_by(error.chain()));
                }
                Some(found) => current = found,
            }
        }
    }

    async fn delete_once(&self, thing: &Thing) -> Result<()> {
        let interface = kinds::of(thing.kind);
        let host = thing.kind.host();
        let mut path = match (thing.kind, thing.text("id")) {
            (Kind::Notification, Some(number)) => kinds::path(
                thing.kind,
                &format!("{}/notificationConfigs/{number}", parent(&thing.name)),
            ),
            _ => kinds::path(thing.kind, &thing.name),
        };
        if let Some(etag) = thing.text("etag").filter(|_| interface.etag) {
            path = format!("{path}?etag={}", escaped(etag));
        }
        let answer = self.api.call(host, Method::DELETE, &path, None).await?;
        self.api.wait(host, interface.version, answer).await.map(drop)
    }
}

/// The mask of a change of these fields: <https://google.aip.dev/134>.
fn mask(fields: Option<&Map<String, Value>>) -> String {
    let names: Vec<&str> = fields
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect();
    names.join(",")
}

fn set(body: &mut Value, field: &str, value: &str) {
    if let Value::Object(fields) = body {
        fields.insert(field.to_owned(), value.into());
    }
}

/// An error with what it is about.
pub(super) fn named(error: Error, kind: Kind, name: &str) -> Error {
    if error.context().any(|(fact, _)| fact == "thing") {
        return error;
    }
    error.with("thing", format!("{} {}", kind.title(), last(name)))
}

//! Removes an app: all that is marked as its own, or all but what holds data, and what its accounts may do elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use nephos_core::deploy::{Destroyed, Keep, Kept, Progress};
use nephos_core::plan::{Data, Part};
use nephos_core::{ErrorKind, Result};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::api::{all, escaped};
use super::apply::told;
use super::changes::{accounts, going};
use super::kinds::last;
use super::policy::{Held, is_ours};
use super::state::{State, Thing};
use super::{GcpDeployer, Place};
use crate::deploy::graph::{Graph, Kind};

const OPERATION: &str = "deploy.destroy";
/// What keeps a database from being deleted: <https://cloud.google.com/firestore/docs/manage-databases#delete-protection>.
const PROTECTION: &str = "deleteProtectionState";

impl GcpDeployer {
    pub(super) async fn remove(&self, keep: Keep, progress: &Progress) -> Result<Destroyed> {
        let place = self.place(OPERATION).await?;
        let graph = self.graph(&place, None)?;
        let state = place.read(&graph).await?;
        let all = place.own(&graph, &state);
        let (data, others): (Vec<Thing>, Vec<Thing>) =
            all.into_iter().partition(|thing| thing.kind.holds_data());
        let is_there =
            !others.is_empty() || data.iter().any(|thing| thing.mark.is_some() && !thing.is_kept());
        let mut done = Destroyed::default();
        if !is_there && (keep == Keep::Data || data.is_empty()) {
            return Ok(done);
        }
        progress.phase("taking away what the app's accounts may do");
        place.take_all(&graph, &state).await?;
        place.remove_all(&others, progress).await?;
        done.removed = others.len();
        match keep {
            Keep::Data => {
                for thing in &data {
                    told(progress, going(thing, Data::Kept), place.keep(thing)).await?;
                    done.kept.push(Kept {
                        part: part(&graph, thing),
                        kind: thing.kind.title().to_owned(),
                        id: last(&thing.name).to_owned(),
                    });
                }
            }
            Keep::Nothing => {
                let mut empty = Vec::new();
                for thing in data {
                    empty.push(place.empty(thing, progress).await?);
                }
                place.remove_all(&empty, progress).await?;
                done.removed += empty.len();
            }
        }
        Ok(done)
    }
}

fn part(graph: &Graph, thing: &Thing) -> Part {
    let node = graph.nodes.get(&thing.full_name());
    node.map_or_else(|| thing.part(), |node| node.part.clone())
}

impl Place {
    /// What is the app's: by its mark, and of databases, which have none, those whose names are the app's tables'.
    fn own(&self, graph: &Graph, state: &State) -> Vec<Thing> {
        let mut all: Vec<Thing> = (state.ours(&self.app, &self.target))
            .map(|(_, thing)| thing.clone())
            .collect();
        let databases = (state.things.values()).filter(|thing| thing.kind == Kind::Database);
        all.extend(
            databases
                .filter(|thing| graph.nodes.contains_key(&thing.full_name()))
                .cloned(),
        );
        all
    }

    /// Takes away what the app's accounts may do on what stays: the project, what is a stranger's, and what holds data.
    async fn take_all(&self, graph: &Graph, state: &State) -> Result<()> {
        let accounts = accounts(graph, state, self.owner());
        let mut taken: BTreeMap<&String, Vec<Held>> = BTreeMap::new();
        for (on, policy) in &state.policies {
            let stays = match state.things.get(on) {
                Some(thing) => thing.kind.holds_data(),
                None => !graph.nodes.contains_key(on),
            };
            if !stays {
                continue;
            }
            let is_strangers = !graph.nodes.contains_key(on);
            let held: Vec<Held> = (policy.held().into_iter())
                .filter(|held| is_ours(&held.member, &accounts, is_strangers))
                .collect();
            if !held.is_empty() {
                taken.insert(on, held);
            }
        }
        let taking = taken.iter().map(|(on, held)| self.regrant(on, &[], held));
        all(taking.collect()).await.map(drop)
    }

    /// Makes that it may be deleted with its data, and gives it as it is then.
    async fn empty(&self, thing: Thing, progress: &Progress) -> Result<Thing> {
        match thing.kind {
            Kind::Bucket => {
                progress.phase(format!("emptying the bucket {}", last(&thing.name)));
                self.empty_bucket(last(&thing.name)).await?;
            }
            Kind::Database if thing.text(PROTECTION) == Some("DELETE_PROTECTION_ENABLED") => {
                let off = json!({PROTECTION: "DELETE_PROTECTION_DISABLED"});
                let fields = BTreeSet::from([PROTECTION.to_owned()]);
                self.change(&thing, &off, &fields).await?;
                return Ok(self.get(thing.kind, &thing.name).await?.unwrap_or(thing));
            }
            _ => {}
        }
        Ok(thing)
    }

    /// Deletes all objects of a bucket, with all their generations: <https://cloud.google.com/storage/docs/json_api/v1/objects/delete>.
    pub(super) async fn empty_bucket(&self, bucket: &str) -> Result<()> {
        let host = Kind::Bucket.host();
        let objects = format!("/storage/v1/b/{}/o", escaped(bucket));
        let list = format!("{objects}?versions=true&maxResults=1000");
        loop {
            let page = self.api.call(host, Method::GET, &list, None).await?;
            let items = page
                .get("items")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            if items.is_empty() {
                return Ok(());
            }
            all(items
                .iter()
                .map(|object| self.delete_object(&objects, object))
                .collect())
            .await?;
        }
    }

    async fn delete_object(&self, objects: &str, object: &Value) -> Result<()> {
        let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default();
        let name = utf8_percent_encode(text("name"), NON_ALPHANUMERIC);
        let path = format!("{objects}/{name}?generation={}", text("generation"));
        match self
            .api
            .call(Kind::Bucket.host(), Method::DELETE, &path, None)
            .await
        {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

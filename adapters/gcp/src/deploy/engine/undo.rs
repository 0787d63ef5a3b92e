//! What was deployed before goes on when a deployment fails: Cloud Run leaves its requests to the revision before one that does not get ready, and what was changed is put back here.
//! What was made stays: nothing that was deployed before needs it, and the next run goes on from there.

use std::collections::BTreeSet;

use nephos_core::deploy::{Progress, StepState};
use nephos_core::plan::{Action, Data, Step};
use nephos_core::{Error, Result};
use serde_json::Value;

use super::Place;
use super::apply::tell;
use super::changes::{Deed, wanted};
use super::diff;
use super::kinds::last;
use super::preview::Work;
use super::state::Thing;
use crate::deploy::graph::Node;

impl Place {
    /// Puts back what was changed, and says of the failure what is again as it was, and what is not.
    pub(super) async fn undo(
        &self,
        work: &Work,
        begun: &[String],
        failure: Error,
        progress: &Progress,
    ) -> Error {
        let former = |full: &String| {
            let node = work.graph.nodes.get(full)?;
            let thing = work.state.things.get(full)?;
            Some((node, work.changes.nodes.get(full)?, thing))
        };
        let changed: Vec<(&Node, &Deed, &Thing)> = begun.iter().rev().filter_map(former).collect();
        let made = begun.len() > changed.len() || work.state.things.is_empty();
        if !changed.is_empty() {
            progress.phase("bringing back what was deployed before");
        }
        let (mut undone, mut not_undone) = (Vec::new(), Vec::new());
        for (node, deed, thing) in changed {
            let name = format!("{} {}", node.kind.title(), last(&node.name));
            match self.put_back(node, deed, thing).await {
                Ok(false) => {}
                Ok(true) => {
                    tell(progress, step(node), StepState::Undone, None);
                    undone.push(name);
                }
                Err(error) => not_undone.push(format!("{name} ({})", error.chain())),
            }
        }
        let mut failure = failure;
        if !undone.is_empty() {
            failure = failure.with("undone", undone.join(", "));
        }
        if !not_undone.is_empty() {
            failure = failure.with("not_undone", not_undone.join(", "));
        }
        if made {
            failure = failure.with(
                "made",
                "what was made stays; the next run goes on from there, and `nephos destroy` removes it",
            );
        }
        failure
    }

    /// Makes one again what it was; whether there was something to do.
    async fn put_back(&self, node: &Node, deed: &Deed, former: &Thing) -> Result<bool> {
        let there = match self.get(former.kind, &former.name).await? {
            Some(there) => self.settled(there).await?,
            None => {
                let node = Node {
                    body: diff::named(&node.body, &former.body),
                    ..node.clone()
                };
                self.create(&node).await?;
                return Ok(true);
            }
        };
        let Deed::Update(differences) = deed else {
            return Ok(false);
        };
        // What is no longer as it was changed here is as somebody else wants it.
        let ours = wanted(node, Some(former));
        if !diff::between(node.kind, &ours, &there.body, self.ids()).is_empty() {
            return Ok(false);
        }
        let is_as_before = |field: &String| there.body.get(field) == former.body.get(field);
        let fields: BTreeSet<String> = (differences.fields.iter())
            .filter(|field| !is_as_before(field))
            .cloned()
            .collect();
        if fields.is_empty() {
            return Ok(false);
        }
        // Whole fields as they were, and nothing of what is there now.
        let mut bare = there;
        if let Value::Object(body) = &mut bare.body {
            for field in &fields {
                body.remove(field);
            }
        }
        self.change(&bare, &former.body, &fields).await?;
        Ok(true)
    }
}

fn step(node: &Node) -> Step {
    Step {
        action: Action::Update,
        part: node.part.clone(),
        kind: node.kind.title().to_owned(),
        id: last(&node.name).to_owned(),
        why: None,
        data: Data::Untouched,
    }
}

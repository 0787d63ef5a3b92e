//! What a deployment would change: what there is, compared with what is to be.

use nephos_core::Result;
use nephos_core::deploy::Progress;
use nephos_core::plan::Plan;

use super::changes::Changes;
use super::state::State;
use super::{GcpDeployer, Place};
use crate::deploy::graph::Graph;

const OPERATION: &str = "deploy.preview";

/// What is to be, what there is, and what is to be done.
pub(super) struct Work {
    pub(super) graph: Graph,
    pub(super) state: State,
    pub(super) changes: Changes,
}

impl Work {
    /// What tells this from what is to be done once something has changed.
    pub(super) fn digest(&self) -> String {
        self.changes.digest(&self.graph, &self.state)
    }
}

impl GcpDeployer {
    pub(super) async fn plan(&self, progress: &Progress) -> Result<Plan> {
        // What Google would refuse is refused before it is asked anything.
        self.image(OPERATION)?;
        super::super::template::render(
            &self.deployment.app,
            &self.deployment.target,
            &self.settings,
            &super::Known::default(),
        )?;
        let place = self.place(OPERATION).await?;
        let work = self.work(&place, progress).await?;
        for note in work.graph.notes.iter().chain(&work.state.notes) {
            progress.note(note.clone());
        }
        if !work.changes.adopted.is_empty() {
            progress.note(format!(
                "what an earlier deployment of this app left is taken again, with its data: {}",
                work.changes.adopted.join(", ")
            ));
        }
        Ok(Plan {
            app: self.deployment.app.name.clone(),
            target: self.deployment.target.clone(),
            place: place.title(),
            deployment: self.name(),
            steps: work.changes.steps(&work.graph),
            prepared: Some(work.digest()),
        })
    }

    /// Reads what there is, once nothing goes on with it any more, and works out what is to be done.
    pub(super) async fn work(&self, place: &Place, progress: &Progress) -> Result<Work> {
        let graph = self.graph_of_image(place)?;
        let enable = place.lacking(&graph)?;
        let mut state = place.read(&graph).await?;
        let busy: Vec<String> = (state.things.iter())
            .filter(|(_, thing)| thing.is_busy() && place.may_change(thing))
            .map(|(full, _)| full.clone())
            .collect();
        if !busy.is_empty() {
            progress.phase("waiting for the change that is under way");
            for full in busy {
                if let Some(thing) = state.things.remove(&full) {
                    state.things.insert(full, place.settled(thing).await?);
                }
            }
        }
        let mut changes = Changes::between(&graph, &state, place.owner())?;
        changes.enable = enable;
        Ok(Work {
            graph,
            state,
            changes,
        })
    }
}

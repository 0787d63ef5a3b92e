//! Carries a plan out: interfaces, then resources with the image and what may be done with them, and last what is no more wanted goes.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use nephos_core::deploy::{Deployed, Happening, Progress, StepState};
use nephos_core::plan::{Action, Data, Plan, Step};
use nephos_core::{Error, ErrorKind, Result};

use super::api::all;
use super::changes::{Deed, going, interface, role, wanted};
use super::image::repository;
use super::kinds;
use super::order::{self, Task};
use super::policy::Held;
use super::preview::Work;
use super::state::Thing;
use super::{GcpDeployer, Place};
use crate::deploy::graph::{Grant, Kind, Node};

const OPERATION: &str = "deploy.apply";

/// Tells how far a step is.
pub(super) fn tell(progress: &Progress, step: Step, state: StepState, reason: Option<String>) {
    progress.tell(Happening::Step {
        action: step.action,
        part: step.part,
        kind: step.kind,
        id: step.id,
        state,
        reason,
    });
}

/// Tells of a step that it begins, and how it ends.
pub(super) async fn told(
    progress: &Progress,
    step: Step,
    doing: impl Future<Output = Result<()>>,
) -> Result<()> {
    tell(progress, step.clone(), StepState::Started, None);
    let done = doing.await;
    match &done {
        Ok(()) => tell(progress, step, StepState::Done, None),
        Err(error) => tell(
            progress,
            step,
            StepState::Failed,
            Some(error.message().to_owned()),
        ),
    }
    done
}

impl GcpDeployer {
    pub(super) async fn carry_out(&self, plan: Plan, progress: &Progress) -> Result<Deployed> {
        let begun = Instant::now();
        let mut place = self.place(OPERATION).await?;
        if !plan.is_empty() {
            let mut work = self.work(&place, progress).await?;
            if plan
                .prepared
                .as_ref()
                .is_some_and(|prepared| *prepared != work.digest())
            {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    OPERATION,
                    "what is deployed was changed since the plan was made; nothing was done, so deploy again to see a new plan",
                )
                .with("project", place.title()));
            }
            if !work.changes.enable.is_empty() {
                let hosts = work.changes.enable.clone();
                for host in &hosts {
                    tell(progress, interface(host), StepState::Started, None);
                }
                place.enable(&hosts).await?;
                for host in &hosts {
                    tell(progress, interface(host), StepState::Done, None);
                }
                // What they have could not be read before.
                work = self.work(&place, progress).await?;
            }
            self.bring(&place, &work, progress).await?;
            place.prune(&work, progress).await?;
        }
        let functions = self.current(&place).await?.functions;
        Ok(Deployed {
            functions,
            took: begun.elapsed(),
        })
    }

    /// Makes and changes; if that fails, what was changed becomes again what it was.
    async fn bring(&self, place: &Place, work: &Work, progress: &Progress) -> Result<()> {
        let begun: Mutex<Vec<String>> = Mutex::default();
        let run = |task: Task| {
            if let Task::Node(full) = &task {
                begun
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(full.clone());
            }
            self.task(place, work, task, progress)
        };
        let tasks = order::tasks(&work.graph, &work.changes);
        let Err(failure) = order::all(tasks, OPERATION, run).await else {
            return Ok(());
        };
        let begun = begun.into_inner().unwrap_or_else(PoisonError::into_inner);
        Err(place.undo(work, &begun, failure, progress).await)
    }

    async fn task(&self, place: &Place, work: &Work, task: Task, progress: &Progress) -> Result<()> {
        match task {
            Task::Image => match repository(&work.graph) {
                Some(repository) => place.push(repository, self.image(OPERATION)?, progress).await,
                None => Ok(()),
            },
            Task::Give(on) => {
                let grants = work.changes.give.get(&on).map(Vec::as_slice).unwrap_or_default();
                place.give(&on, grants, progress).await
            }
            Task::Node(full) => {
                let (Some(node), Some(deed)) = (work.graph.nodes.get(&full), work.changes.nodes.get(&full))
                else {
                    return Ok(());
                };
                let doing = place.deed(node, deed, work.state.things.get(&full));
                told(progress, deed.step(node), doing).await
            }
        }
    }
}

impl Place {
    async fn deed(&self, node: &Node, deed: &Deed, thing: Option<&Thing>) -> Result<()> {
        match (deed, thing) {
            (Deed::Update(differences), Some(thing)) => {
                self.change(thing, &wanted(node, Some(thing)), &differences.fields)
                    .await
            }
            // The other one is there first, so that nothing of what happens meanwhile is lost.
            (Deed::Replace(_), Some(thing)) if node.kind == Kind::Notification => {
                self.create(node).await?;
                self.delete(thing).await
            }
            (Deed::Replace(_), Some(thing)) => {
                self.delete(thing).await?;
                self.create(node).await
            }
            _ => self.create(node).await,
        }
    }

    async fn give(&self, on: &str, grants: &[Grant], progress: &Progress) -> Result<()> {
        let steps: Vec<Step> = grants.iter().map(|grant| role(grant, Action::Create)).collect();
        let held: Vec<Held> = grants.iter().map(Held::of).collect();
        self.told_all(steps, self.regrant(on, &held, &[]), progress).await
    }

    async fn take(&self, on: &str, grants: &[Grant], progress: &Progress) -> Result<()> {
        let steps: Vec<Step> = grants.iter().map(|grant| role(grant, Action::Delete)).collect();
        let held: Vec<Held> = grants.iter().map(Held::of).collect();
        self.told_all(steps, self.regrant(on, &[], &held), progress).await
    }

    async fn told_all(
        &self,
        steps: Vec<Step>,
        doing: impl Future<Output = Result<()>>,
        progress: &Progress,
    ) -> Result<()> {
        let done = doing.await;
        for step in steps {
            match &done {
                Ok(()) => tell(progress, step, StepState::Done, None),
                Err(error) => tell(
                    progress,
                    step,
                    StepState::Failed,
                    Some(error.message().to_owned()),
                ),
            }
        }
        done
    }

    /// What is no more wanted goes, or is let go of with its data.
    async fn prune(&self, work: &Work, progress: &Progress) -> Result<()> {
        let after = |error: Error| {
            error.with(
                "deployed",
                "the app itself is as it is to be; what is left of its former state goes by the next run",
            )
        };
        let taking = work.changes.take.iter();
        let taking = taking.map(|(on, grants)| self.take(on, grants, progress));
        all(taking.collect()).await.map_err(after)?;
        self.remove_all(&work.changes.gone, progress)
            .await
            .map_err(after)?;
        let keeping = work.changes.left.iter();
        let keeping = keeping.map(|thing| told(progress, going(thing, Data::Kept), self.keep(thing)));
        all(keeping.collect()).await.map(drop).map_err(after)
    }

    /// Deletes things, kind by kind: what calls before what is called.
    pub(super) async fn remove_all(&self, things: &[Thing], progress: &Progress) -> Result<()> {
        for kind in kinds::GOING {
            let of_kind = things.iter().filter(|thing| thing.kind == kind);
            let going =
                of_kind.map(|thing| told(progress, going(thing, Data::Untouched), self.delete(thing)));
            all(going.collect()).await?;
        }
        Ok(())
    }
}

//! The way back: to the functions' version before, or, where an update of the stack failed and is not undone, to what was there before it.

use std::collections::BTreeMap;

use nephos_core::deploy::{Happening, Moved, Progress, StepState};
use nephos_core::plan::{Action, Part};
use nephos_core::{Error, ErrorKind, Result};

use super::clients::Clients;
use super::code::{self, FUNCTION};
use super::failure::{cut_off, failed};
use super::stack::{Stack, new_token};
use super::state::{Standing, Undo, standing};
use super::{AwsDeployer, inspect};

const OPERATION: &str = "deploy.rollback";

impl AwsDeployer {
    pub(super) async fn roll_back(&self, names: &[String], progress: &Progress) -> Result<Vec<Moved>> {
        let clients = self.clients().await?;
        let stack = self.stack(clients, OPERATION);
        let found = stack.created(&self.deployment).await?;
        let status = found.as_ref().and_then(|found| found.stack_status());
        if let Some(Standing::HalfWay(undo)) = status.map(|status| standing(status.as_str())) {
            self.undo(&stack, undo, progress).await?;
            return Ok(Vec::new());
        }
        self.move_back(clients, names, progress).await
    }

    /// Undoes an update that failed.
    async fn undo(&self, stack: &Stack<'_>, undo: Undo, progress: &Progress) -> Result<()> {
        progress.phase("CloudFormation undoes the update that failed");
        let parts = inspect::parts(&stack.template().await?);
        let seen = stack.mark().await?;
        let begun = match undo {
            Undo::GoOn => stack
                .client
                .continue_update_rollback()
                .stack_name(&stack.name)
                .client_request_token(new_token())
                .send()
                .await
                .map(drop)
                .map_err(|error| failed(OPERATION, "the update that failed cannot be undone", error)),
            Undo::Begin => stack
                .client
                .rollback_stack()
                .stack_name(&stack.name)
                .client_request_token(new_token())
                .send()
                .await
                .map(drop)
                .map_err(|error| failed(OPERATION, "the update that failed cannot be undone", error)),
        };
        begun.map_err(|error| error.with("stack", &stack.name))?;
        let end = stack.wait(seen, &parts, progress).await.map_err(|error| {
            cut_off(
                error,
                "AWS is lost while CloudFormation undoes the update that failed; it goes on alone; `nephos status` tells how it ended",
            )
            .with("stack", &stack.name)
        })?;
        if standing(&end.status) != Standing::Works {
            return Err(stack.failure(
                "the update that failed cannot be undone; mend what AWS names below, and roll back again; or give that resource up with \
                 `aws cloudformation continue-update-rollback --resources-to-skip`",
                end,
            ));
        }
        progress.note("the update that failed is undone; the functions run as before it");
        Ok(())
    }

    /// Moves what takes events to the version before.
    async fn move_back(
        &self,
        clients: &Clients,
        names: &[String],
        progress: &Progress,
    ) -> Result<Vec<Moved>> {
        let functions = self.chosen(clients, names, OPERATION).await?;
        // All are looked at before any is moved.
        let mut moves = BTreeMap::new();
        for (name, id) in &functions {
            let current = code::current(&clients.functions, id, OPERATION).await?;
            let versions = code::versions(&clients.functions, id, OPERATION).await?;
            let versions: Vec<u64> = versions.into_iter().map(|(version, _)| version).collect();
            let number = current.parse().ok();
            match number.and_then(|current| code::before(&versions, current)) {
                Some(to) => {
                    let moved = Moved {
                        function: name.clone(),
                        from: current,
                        to: to.to_string(),
                    };
                    moves.insert(id, moved);
                }
                None if names.is_empty() && functions.len() > 1 => {
                    progress.note(format!("{name} has no version before {current}; it stays"));
                }
                None => {
                    return Err(Error::new(
                        ErrorKind::NotFound,
                        OPERATION,
                        "there is no version before the one that takes events now",
                    )
                    .with("function", name)
                    .with("version", current));
                }
            }
        }
        let mut moved = Vec::new();
        for (id, change) in moves {
            code::point(&clients.functions, id, &change.to, OPERATION).await?;
            progress.tell(Happening::Step {
                action: Action::Update,
                part: Part::Function {
                    name: change.function.clone(),
                },
                kind: FUNCTION.to_owned(),
                id: id.clone(),
                state: StepState::Done,
                reason: Some(format!("version {} instead of {}", change.to, change.from)),
            });
            moved.push(change);
        }
        Ok(moved)
    }
}

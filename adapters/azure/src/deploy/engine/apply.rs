//! Carries a plan out: group, stack, packages, and what is there afterwards.

use std::time::Instant;

use nephos_core::deploy::{Deployed, Progress};
use nephos_core::plan::Plan;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::Value;

use super::code::PACKAGE;
use super::preview::mark_of;
use super::stack::{Found, Leaving, Stack, Wanted};
use super::{AzureDeployer, Place, resource, vault};
use crate::deploy::template::Template;

const OPERATION: &str = "deploy.apply";

impl AzureDeployer {
    pub(super) async fn carry_out(&self, plan: Plan, progress: &Progress) -> Result<Deployed> {
        let begun = Instant::now();
        let place = self.place(OPERATION).await?;
        let stack = place.stack(OPERATION);
        if !plan.is_empty() {
            let packages = self.packages(&place)?;
            let found = stack.find().await?;
            if let Some(found) = &found {
                found.own(&stack, &self.deployment)?;
            }
            if plan
                .prepared
                .as_ref()
                .is_some_and(|prepared| *prepared != mark_of(found.as_ref()))
            {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    OPERATION,
                    "the stack was changed since the plan was made; nothing was done, so deploy again to see a new plan",
                )
                .with("stack", &place.stack));
            }
            let template = self.template(&place)?;
            if plan.steps.iter().any(|step| step.kind != PACKAGE) {
                self.ensure_group(&place.arm, &place.subscription, OPERATION, progress)
                    .await?;
                self.bring_stack(&place, &template, found, progress).await?;
            }
            self.publish_all(&place, &packages, progress).await?;
        }
        let functions = self.current(&place, OPERATION).await?.functions;
        Ok(Deployed {
            functions,
            took: begun.elapsed(),
        })
    }

    /// Makes the stack what the template says; if that fails, what it was before.
    async fn bring_stack(
        &self,
        place: &Place,
        template: &Template,
        found: Option<Found>,
        progress: &Progress,
    ) -> Result<()> {
        let stack = place.stack(OPERATION);
        let former = match &found {
            Some(_) => Some(stack.template().await?),
            None => None,
        };
        let mut body = template.body.clone();
        vault::recover(&place.arm, &place.subscription, &mut body, OPERATION).await?;
        let digest = self.digest(template);
        progress.phase("Azure carries the changes out");
        let parts = &template.parts;
        let put = async |body: &Value, leaving, digest: &str| {
            let wanted = Wanted {
                template: body,
                leaving,
                tags: self.stack_tags(digest),
                protect: self.settings.protect,
                parts,
            };
            stack.put(&wanted, progress).await.map(drop)
        };
        let brought = async {
            if let Some(former) = &former {
                let both = resource::with_data_of(&body, former);
                if resource::count(&both) > resource::count(&body) {
                    // What holds data and is no more wanted stays while the rest of what leaves is deleted, and leaves alone.
                    put(&both, Leaving::Delete, "").await?;
                    return put(&body, Leaving::Detach, &digest).await;
                }
            }
            put(&body, Leaving::Delete, &digest).await
        };
        let Err(failure) = brought.await else {
            return Ok(());
        };
        let undone = match (former, found) {
            (Some(former), Some(found)) if is_final(&failure) && found.works() => {
                self.undo(&stack, &former, &found, template, progress).await
            }
            _ => return Err(first(failure)),
        };
        match undone {
            Ok(()) => Err(failure.with("undone", "the stack is again as it was")),
            Err(error) => Err(error
                .with("while", "bringing back what was deployed before")
                .caused_by(failure.chain())),
        }
    }

    async fn undo(
        &self,
        stack: &Stack<'_>,
        former: &Value,
        found: &Found,
        template: &Template,
        progress: &Progress,
    ) -> Result<()> {
        progress.phase("bringing back what was deployed before");
        let digest = found.digest().unwrap_or_default();
        // What holds data may have been there before, and only have been taken again: it is not to go. The next deployment takes what is left.
        let both = resource::with_data_of(former, &template.body);
        let leaving = if resource::count(&both) > resource::count(former) {
            Leaving::Detach
        } else {
            Leaving::Delete
        };
        let wanted = Wanted {
            template: former,
            leaving,
            tags: self.stack_tags(digest),
            protect: self.settings.protect,
            parts: &template.parts,
        };
        stack.put(&wanted, progress).await.map(drop)
    }
}

/// Whether a deployment ended with this, or only the waiting for it, or it was not begun.
fn is_final(failure: &Error) -> bool {
    failure.context().any(|(name, _)| name == "state")
}

/// The first deployment of an app has nothing to go back to.
fn first(failure: Error) -> Error {
    if is_final(&failure) {
        return failure.with(
            "made",
            "what was made stays; the next run goes on from there, and `nephos destroy` removes it",
        );
    }
    failure
}

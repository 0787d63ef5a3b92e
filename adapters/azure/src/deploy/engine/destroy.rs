//! Removes an app: its stack with all that it manages, or all but what holds data.

use nephos_core::Result;
use nephos_core::deploy::{Destroyed, Keep, Kept, Progress};

use super::resource::{self, Id};
use super::stack::{Leaving, Wanted};
use super::{AzureDeployer, vault};

const OPERATION: &str = "deploy.destroy";

impl AzureDeployer {
    pub(super) async fn remove(&self, keep: Keep, progress: &Progress) -> Result<Destroyed> {
        let place = self.place(OPERATION).await?;
        let stack = place.stack(OPERATION);
        let Some(found) = stack.settled(progress).await? else {
            return Ok(Destroyed::default());
        };
        found.own(&stack, &self.deployment)?;
        let managed = found.managed();
        let mut template = stack.template().await?;
        let parts = self
            .template(&place)
            .map(|template| template.parts)
            .unwrap_or_default();
        let mut kept = Vec::new();
        match keep {
            Keep::Data => {
                let data = resource::only_data(&template);
                if resource::count(&data) < resource::count(&template) {
                    progress.phase("Azure removes what holds no data");
                    let wanted = Wanted {
                        template: &data,
                        leaving: Leaving::Delete,
                        tags: self.stack_tags(""),
                        protect: self.settings.protect,
                        parts: &parts,
                    };
                    stack.put(&wanted, progress).await?;
                }
                let left = stack
                    .find()
                    .await?
                    .map(|found| found.managed())
                    .unwrap_or_default();
                let ids = left.iter().filter_map(|id| Id::read(id));
                kept.extend(ids.map(|id| Kept {
                    part: id.part(&parts),
                    kind: id.kind,
                    id: id.name,
                }));
                progress.phase("Azure lets go of what holds data");
                stack.delete(Leaving::Detach).await?;
            }
            Keep::Nothing => {
                progress.phase("Azure removes the app with all its data");
                stack.delete(Leaving::Delete).await?;
                vault::purge(&place.arm, &place.subscription, &mut template, OPERATION).await?;
            }
        }
        if kept.is_empty()
            && self
                .remove_group(&place.arm, &place.subscription, OPERATION)
                .await?
        {
            progress.note("the resource group was made by deployment, is empty, and is removed too");
        }
        Ok(Destroyed {
            removed: managed.len().saturating_sub(kept.len()),
            kept,
        })
    }
}

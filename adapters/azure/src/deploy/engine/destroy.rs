//! Removes an app: its stack with all that it manages, or all but what holds data.

use std::collections::BTreeMap;

use azure_core::http::Method;
use nephos_core::Result;
use nephos_core::deploy::{Destroyed, Keep, Kept, Progress, mark};
use serde::Deserialize;
use serde_json::json;

use super::arm::GROUPS;
use super::resource::{self, Id};
use super::stack::{Leaving, Wanted};
use super::{AzureDeployer, Place, vault};
use crate::deploy::template::api;

const OPERATION: &str = "deploy.destroy";

impl AzureDeployer {
    pub(super) async fn remove(&self, keep: Keep, progress: &Progress) -> Result<Destroyed> {
        let place = self.place(OPERATION).await?;
        let stack = place.stack(OPERATION);
        let Some(found) = stack.settled(progress).await? else {
            return self.remove_left(&place, keep, progress).await;
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

    /// Removes what an earlier removal kept, by its tags.
    async fn remove_left(&self, place: &Place, keep: Keep, progress: &Progress) -> Result<Destroyed> {
        let mut done = Destroyed::default();
        if keep == Keep::Data
            || self
                .group(&place.arm, &place.subscription, OPERATION)
                .await?
                .is_none()
        {
            return Ok(done);
        }
        let list = format!("{}/resources?api-version={GROUPS}", place.group);
        let all: Vec<Left> = place.arm.list(OPERATION, &list).await?;
        let tag = |left: &Left, name: &str| left.tags.as_ref().and_then(|tags| tags.get(name).cloned());
        let ours = all.into_iter().filter(|left| {
            tag(left, mark::APP).as_ref() == Some(&self.deployment.app.name)
                && tag(left, mark::TARGET).as_ref() == Some(&self.deployment.target)
        });
        let mut vaults = serde_json::Map::new();
        for left in ours {
            let Some(version) = api::version(&left.kind) else {
                continue;
            };
            progress.phase(format!("removing {}", resource::short(&left.id)));
            let path = format!("{}?api-version={version}", left.id);
            let answer = place.arm.call(OPERATION, Method::Delete, &path, None).await?;
            place.arm.wait(OPERATION, &answer).await?;
            done.removed += 1;
            vaults.insert(
                left.id,
                json!({"type": left.kind, "name": left.name, "location": left.location}),
            );
        }
        vault::purge(
            &place.arm,
            &place.subscription,
            &mut json!({"resources": vaults}),
            OPERATION,
        )
        .await?;
        self.remove_group(&place.arm, &place.subscription, OPERATION)
            .await?;
        Ok(done)
    }
}

/// A resource as a group lists it.
#[derive(Debug, Deserialize)]
struct Left {
    id: String,
    name: String,
    #[serde(rename = "type")]
    kind: String,
    location: Option<String>,
    #[serde(default)]
    tags: Option<BTreeMap<String, String>>,
}

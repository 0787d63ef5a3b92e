//! What a deployment would change: asked of CloudFormation by a change set, or, where nothing but the code can differ, of Lambda alone.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::{
    Capability, Change, ChangeSetStatus, ChangeSetType, Stack as Description, Tag,
};
use nephos_core::deploy::Progress;
use nephos_core::plan::{Action, Data, Part, Plan, Step};
use nephos_core::{Error, ErrorKind, Result};
use serde_json::Value;

use super::buckets::Buckets;
use super::clients::{Account, Clients};
use super::code::{self, FUNCTION, Functions};
use super::failure::{failed, said};
use super::stack::{Looks, Stack, is_own_token, new_token, with_advice};
use super::state::{Standing, own, standing};
use super::{AwsDeployer, changes, inspect};
use crate::deploy::template::{Code, TAG_APP, TAG_TARGET, Template};

const OPERATION: &str = "deploy.preview";

impl AwsDeployer {
    pub(super) async fn plan(&self, progress: &Progress) -> Result<Plan> {
        let artifact = self.artifact()?;
        // What AWS would refuse is refused before it is asked anything.
        self.placeholder()?;
        let clients = self.clients().await?;
        let stack = self.stack(clients, OPERATION);
        let bucket = self
            .settings
            .artifact_bucket
            .clone()
            .unwrap_or_else(|| clients.account.artifacts());
        let code = Code {
            bucket,
            key: artifact.key.clone(),
        };
        let template = self.rendered_for(&clients.account, &code)?;
        for note in &template.notes {
            progress.note(note.clone());
        }
        let mut plan = Plan {
            app: self.deployment.app.name.clone(),
            target: self.deployment.target.clone(),
            place: clients.account.to_string(),
            deployment: stack.name.clone(),
            steps: Vec::new(),
            prepared: None,
        };
        let Some(_) = self.ready_stack(&stack, progress).await? else {
            self.change_set(
                clients,
                &stack,
                &template,
                None,
                ChangeSetType::Create,
                progress,
                &mut plan,
            )
            .await?;
            return Ok(plan);
        };
        let deployed = stack.template().await?;
        if self.only_code_may_differ(&clients.account, &deployed, &template)? {
            let functions = self.functions(&stack, &deployed).await?;
            plan.steps = self.code_steps(clients, &functions).await?;
            return Ok(plan);
        }
        self.change_set(
            clients,
            &stack,
            &template,
            Some(&deployed),
            ChangeSetType::Update,
            progress,
            &mut plan,
        )
        .await?;
        if plan.is_empty() {
            let functions = self.functions(&stack, &deployed).await?;
            plan.steps = self.code_steps(clients, &functions).await?;
        }
        Ok(plan)
    }

    /// Holds that the stack can be changed, and waits until it can be where that is a matter of time; `None` if it is to be created.
    async fn ready_stack(&self, stack: &Stack<'_>, progress: &Progress) -> Result<Option<Description>> {
        loop {
            let Some(found) = stack.describe().await? else {
                return Ok(None);
            };
            let status = found.stack_status().map_or("", |status| status.as_str());
            let standing = standing(status);
            if standing == Standing::New {
                self.review(stack).await?;
                return Ok(None);
            }
            own(&stack.name, found.tags(), &self.deployment, OPERATION)?;
            match standing {
                Standing::New | Standing::Works => return Ok(Some(found)),
                Standing::Busy => {
                    if !stack.change_is_ours().await? {
                        return Err(Error::new(
                            ErrorKind::Conflict,
                            OPERATION,
                            "someone else is changing the stack, by other means than nephos; wait until that is done, and deploy again",
                        )
                        .with("stack", &stack.name)
                        .with("state", status));
                    }
                    progress.phase(format!("going on with the change that is under way ({status})"));
                    let deployed = stack.template().await?;
                    // How it ended shows in the stack's state, at which the loop looks next.
                    stack
                        .wait(Default::default(), &inspect::parts(&deployed), progress)
                        .await?;
                }
                Standing::Remains => {
                    progress.phase("removing what is left of a first deployment that failed");
                    let (named, _) = self.delete_stack(stack, &found).await?;
                    let end = named
                        .wait(Default::default(), &BTreeMap::new(), &Progress::silent())
                        .await?;
                    if end.status != "DELETE_COMPLETE" {
                        return Err(named.failure(
                            "what is left of a first deployment that failed cannot be removed; mend what AWS names below, run `nephos destroy`, then deploy again",
                            end,
                        ));
                    }
                }
                Standing::HalfWay(_) => {
                    let message = format!(
                        "an update failed and is not undone; mend what AWS names below, then `nephos rollback --target {}` undoes it",
                        self.deployment.target
                    );
                    return Err(stack.stuck(message, status).await);
                }
                Standing::Stuck(message) => return Err(stack.stuck(message, status).await),
            }
        }
    }

    /// A stack that waits for a review holds nothing. It is ours if all its change sets are.
    async fn review(&self, stack: &Stack<'_>) -> Result<()> {
        let sets = stack
            .client
            .list_change_sets()
            .stack_name(&stack.name)
            .send()
            .await;
        let sets =
            sets.map_err(|error| failed(OPERATION, "the stack's change sets cannot be listed", error))?;
        let foreign = sets
            .summaries()
            .iter()
            .filter_map(|set| set.change_set_name())
            .find(|name| !is_own_token(name));
        match foreign {
            None => Ok(()),
            Some(name) => Err(Error::new(
                ErrorKind::AlreadyExists,
                OPERATION,
                "there is a stack of this name, not yet created, with a change set that is not of nephos; remove it, or choose another name",
            )
            .with("stack", &stack.name)
            .with("change_set", name)),
        }
    }

    /// Whether the deployed template is the new one, but for where the code lies.
    fn only_code_may_differ(&self, account: &Account, deployed: &Value, new: &Template) -> Result<bool> {
        let Some(code) = inspect::code(deployed) else {
            return Ok(false);
        };
        if inspect::code(&new.body).as_ref() == Some(&code) {
            return Ok(*deployed == new.body);
        }
        let before = self.rendered_for(account, &code)?;
        Ok(*deployed == before.body)
    }

    /// The functions whose code or version is not the artifact's.
    async fn code_steps(&self, clients: &Clients, functions: &Functions) -> Result<Vec<Step>> {
        let artifact = self.artifact()?;
        let digest = code::digest(&artifact.bytes);
        let wanting = code::wanting(&clients.functions, functions, &digest, OPERATION).await?;
        Ok(wanting
            .into_iter()
            .map(|(name, want)| Step {
                action: Action::Update,
                id: functions.get(&name).cloned().unwrap_or_default(),
                part: Part::Function { name },
                kind: FUNCTION.to_owned(),
                why: Some(want.name().to_owned()),
                data: Data::Untouched,
            })
            .collect())
    }

    /// Makes a change set, and reads the plan off it. Without changes it is removed again.
    #[allow(clippy::too_many_arguments, reason = "one caller, and each is another thing")]
    async fn change_set(
        &self,
        clients: &Clients,
        stack: &Stack<'_>,
        template: &Template,
        deployed: Option<&Value>,
        kind: ChangeSetType,
        progress: &Progress,
        plan: &mut Plan,
    ) -> Result<()> {
        progress.phase("asking CloudFormation what would change");
        let mut request = stack
            .client
            .create_change_set()
            .stack_name(&stack.name)
            .change_set_name(new_token())
            .change_set_type(kind)
            .capabilities(Capability::CapabilityIam)
            .capabilities(Capability::CapabilityNamedIam)
            // Buckets and tables that outlived an earlier stack of the app are taken in again, with their data.
            .import_existing_resources(true)
            .set_tags(Some(self.tags()));
        let text = template.to_compact_json();
        if text.len() > inspect::MAX_INLINE {
            request = request.template_url(self.upload_template(clients, text, progress).await?);
        } else {
            request = request.template_body(text);
        }
        let made = request.send().await.map_err(|error| {
            failed(OPERATION, "the change set cannot be made", error).with("stack", &stack.name)
        })?;
        let id = made.id.unwrap_or_default();
        let Some(found) = self.changes(stack, &id).await? else {
            self.delete_change_set(stack, &id).await?;
            return Ok(());
        };
        if let Err(foreign) = self.take_only_ours(clients, &found).await {
            plan.prepared = Some(id);
            self.give_up(plan.clone()).await?;
            return Err(foreign);
        }
        let mut parts = deployed.map(inspect::parts).unwrap_or_default();
        parts.extend(inspect::parts(&template.body));
        plan.steps = changes::steps(&found, &parts);
        changes::keep(&mut plan.steps, &template.body);
        plan.prepared = Some(id);
        Ok(())
    }

    /// The changes of a change set, once it is made; `None` if there are none.
    async fn changes(&self, stack: &Stack<'_>, id: &str) -> Result<Option<Vec<Change>>> {
        let mut looks = Looks::new();
        loop {
            let mut pages = stack
                .client
                .describe_change_set()
                .change_set_name(id)
                .into_paginator()
                .send();
            let mut changes = Vec::new();
            let mut status = None;
            let mut reason = String::new();
            while let Some(page) = pages.next().await {
                let page =
                    page.map_err(|error| failed(OPERATION, "the change set cannot be looked at", error))?;
                status = page.status;
                reason = page.status_reason.unwrap_or_default();
                changes.extend(page.changes.unwrap_or_default());
            }
            match status {
                Some(ChangeSetStatus::CreateComplete) => return Ok(Some(changes)),
                Some(ChangeSetStatus::Failed) if says_no_changes(&reason) => return Ok(None),
                Some(ChangeSetStatus::Failed) => {
                    // It is of no use to anyone.
                    self.delete_change_set(stack, id).await?;
                    return Err(Error::new(
                        ErrorKind::InvalidArgument,
                        OPERATION,
                        "CloudFormation refuses the template",
                    )
                    .with("stack", &stack.name)
                    .caused_by(said(&with_advice(reason))));
                }
                _ => looks.wait().await,
            }
        }
    }

    pub(super) async fn delete_change_set(&self, stack: &Stack<'_>, id: &str) -> Result<()> {
        let deleted = stack.client.delete_change_set().change_set_name(id).send().await;
        deleted.map_err(|error| failed(OPERATION, "the change set cannot be removed", error))?;
        Ok(())
    }

    /// Puts a template where CloudFormation reads it from.
    async fn upload_template(&self, clients: &Clients, text: String, progress: &Progress) -> Result<String> {
        let buckets = Buckets::of(clients).await?;
        let chosen = self.settings.artifact_bucket.as_deref();
        let bucket = buckets.ensure(clients, chosen, progress).await?;
        let name = nephos_core::deploy::archive::sha256(text.as_bytes());
        let key = format!("nephos/{}/{name}.template.json", self.deployment.app.name);
        buckets.upload(&bucket, &key, text.into(), progress).await?;
        let account = &clients.account;
        // By path: AWS takes both forms, and emulators this one.
        Ok(format!(
            "https://s3.{}.{}/{bucket}/{key}",
            account.region,
            account.domain()
        ))
    }

    /// The tags of the stack: by these it is known for ours.
    fn tags(&self) -> Vec<Tag> {
        let mut tags = self.settings.tags.clone();
        tags.insert(TAG_APP.to_owned(), self.deployment.app.name.clone());
        tags.insert(TAG_TARGET.to_owned(), self.deployment.target.clone());
        tags.into_iter()
            .map(|(key, value)| Tag::builder().key(key).value(value).build())
            .collect()
    }
}

/// CloudFormation has no other sign of it: <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets-create.html>
fn says_no_changes(reason: &str) -> bool {
    reason.contains("didn't contain changes") || reason.contains("No updates are to be performed")
}

#[cfg(test)]
mod tests {
    use super::says_no_changes;

    #[test]
    fn a_change_set_without_changes_is_told_from_one_that_is_refused() {
        assert!(says_no_changes(
            "The submitted information didn't contain changes. Submit different information to create a change set."
        ));
        assert!(says_no_changes("No updates are to be performed."));
        assert!(!says_no_changes(
            "Template error: resource X does not support attribute type Arn"
        ));
    }
}

//! Carries a plan out: artifact, change set, code, and what is there afterwards.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Instant;

use aws_sdk_cloudformation::error::SdkError;
use nephos_core::deploy::{Deployed, Progress};
use nephos_core::plan::Plan;
use nephos_core::{Error, ErrorKind, Result};

use super::buckets::Buckets;
use super::clients::Clients;
use super::code::{self, Functions, NewCode};
use super::failure::{cut_off, failed};
use super::stack::{End, Stack, new_token};
use super::state::{Standing, standing};
use super::{AwsDeployer, inspect};

const OPERATION: &str = "deploy.apply";

impl AwsDeployer {
    pub(super) async fn carry_out(&self, plan: Plan, progress: &Progress) -> Result<Deployed> {
        let begun = Instant::now();
        let clients = self.clients().await?;
        let stack = self.stack(clients, OPERATION);
        if !plan.is_empty() {
            let artifact = self.artifact()?;
            let buckets = Buckets::of(clients).await?;
            let bucket = buckets
                .ensure(clients, self.settings.artifact_bucket.as_deref(), progress)
                .await?;
            let content = artifact.bytes.clone().into();
            buckets.upload(&bucket, &artifact.key, content, progress).await?;
            if let Some(id) = &plan.prepared {
                self.execute(clients, &stack, id, progress).await?;
            }
            let deployed = self.deployed_stack(&stack).await?;
            let functions = self.functions(&stack, &deployed).await?;
            let named = inspect::versions(&stack.resources().await?);
            let new = NewCode {
                bucket,
                key: artifact.key.clone(),
                digest: code::digest(&artifact.bytes),
            };
            code::bring(&clients.functions, &functions, &new, progress)
                .await
                .map_err(|error| {
                    cut_off(
                        error,
                        "AWS is lost while the functions get their new code; each has its old code or the new; run the same command again: it brings the rest",
                    )
                })?;
            code::prune(&clients.functions, &functions, &named, progress).await;
        }
        let functions = self.current(clients, OPERATION).await?.functions;
        Ok(Deployed {
            functions,
            took: begun.elapsed(),
        })
    }

    /// The template of the stack as it is deployed now, if it is ours.
    async fn deployed_stack(&self, stack: &Stack<'_>) -> Result<serde_json::Value> {
        match stack.created(&self.deployment).await? {
            Some(_) => stack.template().await,
            None => Err(
                Error::new(ErrorKind::Conflict, OPERATION, "the stack is gone; deploy again")
                    .with("stack", &stack.name),
            ),
        }
    }

    /// Executes a change set, and tells what happens until it is done, or undone.
    async fn execute(
        &self,
        clients: &Clients,
        stack: &Stack<'_>,
        id: &str,
        progress: &Progress,
    ) -> Result<()> {
        let before = self.live_before(clients, stack).await?;
        let seen = stack.mark().await?;
        let parts = self.parts_of_change_set(stack, id).await?;
        progress.phase("CloudFormation carries the changes out");
        let token = new_token();
        let executed = stack
            .client
            .execute_change_set()
            .change_set_name(id)
            .client_request_token(&token)
            .send()
            .await;
        match executed {
            Ok(_) => {}
            // A request whose answer was lost is sent again, and then comes too late for itself.
            Err(SdkError::ServiceError(error))
                if (error.err().is_invalid_change_set_status_exception()
                    || error.err().is_change_set_not_found_exception())
                    && stack.last_token().await?.as_ref() == Some(&token) => {}
            Err(SdkError::ServiceError(error))
                if error.err().is_invalid_change_set_status_exception()
                    || error.err().is_change_set_not_found_exception() =>
            {
                return Err(overtaken(stack));
            }
            Err(error) => {
                return Err(
                    failed(OPERATION, "the change set cannot be executed", error).with("stack", &stack.name)
                );
            }
        }
        let end = stack.wait(seen, &parts, progress).await.map_err(|error| {
            cut_off(
                error,
                "AWS is lost while CloudFormation carries the changes out; it goes on alone, and undoes them if one fails; run the same command again: it waits for the end, and goes on from there",
            )
            .with("stack", &stack.name)
        })?;
        if matches!(end.status.as_str(), "CREATE_COMPLETE" | "UPDATE_COMPLETE") {
            return Ok(());
        }
        let message = undone(&end, &self.deployment.target);
        let works_as_before = standing(&end.status) == Standing::Works;
        let failure = stack.failure(message, end);
        if works_as_before && let Some((functions, live)) = before {
            let restored = code::restore(&clients.functions, &functions, &live, OPERATION).await;
            restored.map_err(|error| {
                error
                    .with("while", "bringing back the versions that were live")
                    .caused_by(failure.chain())
            })?;
        }
        Err(failure)
    }

    /// The functions that are deployed, and which version of each takes events; `None` before the first deployment.
    async fn live_before(
        &self,
        clients: &Clients,
        stack: &Stack<'_>,
    ) -> Result<Option<(Functions, BTreeMap<String, String>)>> {
        if stack.created(&self.deployment).await?.is_none() {
            return Ok(None);
        }
        let deployed = stack.template().await?;
        let functions = self.functions(stack, &deployed).await?;
        let live = code::live_versions(&clients.functions, &functions, OPERATION).await?;
        Ok(Some((functions, live)))
    }

    /// What each thing of a change set is for, by its template.
    async fn parts_of_change_set(
        &self,
        stack: &Stack<'_>,
        id: &str,
    ) -> Result<BTreeMap<String, nephos_core::plan::Part>> {
        let answer = stack
            .client
            .get_template()
            .stack_name(&stack.name)
            .change_set_name(id)
            .send()
            .await;
        let answer = answer.map_err(|error| match error.as_service_error() {
            Some(gone) if gone.is_change_set_not_found_exception() => overtaken(stack),
            _ => failed(OPERATION, "the change set's template cannot be read", error),
        })?;
        let template = serde_json::from_str(answer.template_body().unwrap_or_default()).unwrap_or_default();
        Ok(inspect::parts(&template))
    }

    pub(super) async fn give_up(&self, plan: Plan) -> Result<()> {
        let Some(id) = plan.prepared else { return Ok(()) };
        let clients: &Clients = self.clients().await?;
        let stack = self.stack(clients, "deploy.discard");
        self.delete_change_set(&stack, &id).await?;
        // A stack that was only reviewed holds nothing, and would stay for ever.
        let Some(found) = stack.describe().await? else {
            return Ok(());
        };
        let status = found.stack_status().map_or("", |status| status.as_str());
        if standing(status) == Standing::New {
            self.delete_stack(&stack, &found).await?;
        }
        Ok(())
    }
}

/// Another change was carried out first, which took the change set away.
fn overtaken(stack: &Stack<'_>) -> Error {
    Error::new(
        ErrorKind::Conflict,
        OPERATION,
        "the stack was changed since the plan was made; nothing was done, so deploy again to see a new plan",
    )
    .with("stack", &stack.name)
}

/// How things are after a deployment that failed, and what to do.
fn undone(end: &End, target: &str) -> Cow<'static, str> {
    match end.status.as_str() {
        "UPDATE_ROLLBACK_COMPLETE" => {
            "the deployment failed and was undone; what was deployed before works on".into()
        }
        "ROLLBACK_COMPLETE" | "DELETE_COMPLETE" => {
            "the deployment failed and was undone; nothing is deployed".into()
        }
        "UPDATE_ROLLBACK_FAILED" => format!(
            "the deployment failed, and not all of it could be undone; mend what AWS names below, then `nephos rollback --target {target}` goes on with that"
        )
        .into(),
        "ROLLBACK_FAILED" => {
            "the deployment failed, and not all of it could be removed; mend what AWS names below, run `nephos destroy`, then deploy again".into()
        }
        _ => "the deployment failed, and was not undone; see the stack's events in AWS's console".into(),
    }
}

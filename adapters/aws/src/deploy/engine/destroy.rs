//! Removes an app: its stack, and what the stack leaves because it holds data, where that is wanted.

use std::collections::{BTreeMap, HashSet};

use aws_sdk_cloudformation::types::{Stack as Description, StackEvent, StackStatus};
use nephos_core::deploy::{Destroyed, Keep, Kept, Progress};
use nephos_core::plan::Part;
use nephos_core::{Error, ErrorKind, Result};

use super::buckets::Buckets;
use super::clients::Clients;
use super::failure::{cut_off, failed};
use super::stack::{Stack, new_token};
use super::state::{Standing, own, standing};
use super::{AwsDeployer, inspect};

const OPERATION: &str = "deploy.destroy";

impl AwsDeployer {
    pub(super) async fn remove(&self, keep: Keep, progress: &Progress) -> Result<Destroyed> {
        let clients = self.clients().await?;
        let stack = self.stack(clients, OPERATION);
        let Some(found) = stack.describe().await? else {
            return self.remove_left(clients, &stack, keep, progress).await;
        };
        let status = found.stack_status().map_or("", |status| status.as_str());
        if standing(status) != Standing::New {
            own(&stack.name, found.tags(), &self.deployment, OPERATION)?;
        }
        if standing(status) == Standing::Busy {
            if !stack.change_is_ours().await? {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    OPERATION,
                    "someone else is changing the stack, by other means than nephos; wait until that is done, and destroy again",
                )
                .with("stack", &stack.name)
                .with("state", status));
            }
            progress.phase(format!("waiting for the change that is under way ({status})"));
            stack
                .wait(HashSet::new(), &BTreeMap::new(), &Progress::silent())
                .await?;
            if stack.describe().await?.is_none() {
                return self.remove_left(clients, &stack, keep, progress).await;
            }
        }
        let template = stack.template().await?;
        let parts = inspect::parts(&template);
        let removed = stack.resources().await?.len();
        let (named, seen) = self.delete_stack(&stack, &found).await?;
        let end = named.wait(seen, &parts, progress).await.map_err(|error| {
            cut_off(
                error,
                "AWS is lost while CloudFormation removes the app; it goes on alone; run the same command again: it waits for the end",
            )
            .with("stack", &stack.name)
        })?;
        if end.status != "DELETE_COMPLETE" {
            return Err(stack.failure(
                "the app could not be removed; mend what AWS names below, and destroy it again",
                end,
            ));
        }
        let skipped = kept(&end.skipped, &parts);
        let swept = self.sweep(clients, skipped, keep, progress).await?;
        Ok(Destroyed {
            removed: removed.saturating_sub(swept.kept.len()),
            kept: swept.kept,
        })
    }

    /// Begins to delete a stack. What comes back waits for it by its ARN, for its name is soon nobody's.
    pub(super) async fn delete_stack<'c>(
        &self,
        stack: &Stack<'c>,
        found: &Description,
    ) -> Result<(Stack<'c>, HashSet<String>)> {
        let named = Stack {
            name: found.stack_id().unwrap_or(&stack.name).to_owned(),
            ..stack.clone()
        };
        let seen = named.mark().await?;
        let deleted = stack
            .client
            .delete_stack()
            .stack_name(&named.name)
            .client_request_token(new_token())
            .send()
            .await;
        deleted.map_err(|error| {
            failed(stack.operation, "the stack cannot be removed", error).with("stack", &stack.name)
        })?;
        Ok((named, seen))
    }

    /// There is no stack: what the last one left is removed, if nothing is to be kept.
    async fn remove_left(
        &self,
        clients: &Clients,
        stack: &Stack<'_>,
        keep: Keep,
        progress: &Progress,
    ) -> Result<Destroyed> {
        if keep == Keep::Data {
            return Ok(Destroyed::default());
        }
        let Some(last) = self.last_deleted(stack).await? else {
            return Ok(Destroyed::default());
        };
        let template = last.template().await.unwrap_or_default();
        let parts = inspect::parts(&template);
        let end = last.wait(HashSet::new(), &parts, &Progress::silent()).await?;
        let skipped = kept(&end.skipped, &parts);
        self.sweep(clients, skipped, keep, progress).await
    }

    /// The app's stack that was deleted last: AWS keeps what it was for 90 days.
    async fn last_deleted<'c>(&self, stack: &Stack<'c>) -> Result<Option<Stack<'c>>> {
        let mut pages = stack
            .client
            .list_stacks()
            .stack_status_filter(StackStatus::DeleteComplete)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page = page
                .map_err(|error| failed(OPERATION, "the stacks that were deleted cannot be listed", error))?;
            // Newest first.
            let of_name = page.stack_summaries.unwrap_or_default();
            for summary in of_name
                .into_iter()
                .filter(|summary| summary.stack_name() == Some(&stack.name))
            {
                let Some(name) = summary.stack_id else { continue };
                let deleted = Stack {
                    name,
                    ..stack.clone()
                };
                let found = deleted.describe().await?;
                if found
                    .is_some_and(|found| own(&stack.name, found.tags(), &self.deployment, OPERATION).is_ok())
                {
                    return Ok(Some(deleted));
                }
            }
        }
        Ok(None)
    }

    /// Removes what the stack left: all of it, or only what turns out to hold nothing. What an earlier run removed counts no more.
    async fn sweep(
        &self,
        clients: &Clients,
        skipped: Vec<Kept>,
        keep: Keep,
        progress: &Progress,
    ) -> Result<Destroyed> {
        let mut swept = Destroyed::default();
        if skipped.is_empty() {
            return Ok(swept);
        }
        let buckets = Buckets::of(clients).await?;
        for thing in skipped {
            let end = match (thing.kind.as_str(), keep) {
                ("AWS::S3::Bucket", Keep::Nothing) => {
                    progress.phase(format!("emptying the bucket {}", thing.id));
                    if buckets.exists(&thing.id).await? {
                        buckets.empty(&thing.id, progress).await?;
                        End::of(buckets.delete_if_empty(&thing.id).await?)
                    } else {
                        End::WasGone
                    }
                }
                ("AWS::S3::Bucket", Keep::Data) => End::of(buckets.delete_if_empty(&thing.id).await?),
                (_, Keep::Data) => End::Stays,
                (kind, Keep::Nothing) => {
                    progress.phase(format!("removing {} {}", kind, thing.id));
                    delete(clients, kind, &thing.id).await?
                }
            };
            match end {
                End::Removed => swept.removed += 1,
                End::WasGone => {}
                End::Stays => swept.kept.push(thing),
            }
        }
        Ok(swept)
    }
}

/// What became of a thing that a stack left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Removed,
    WasGone,
    Stays,
}

impl End {
    fn of(is_removed: bool) -> Self {
        if is_removed { Self::Removed } else { Self::Stays }
    }
}

/// What a stack left behind.
fn kept(skipped: &[StackEvent], parts: &BTreeMap<String, Part>) -> Vec<Kept> {
    let things = skipped.iter().map(|event| Kept {
        part: parts
            .get(event.logical_resource_id().unwrap_or_default())
            .cloned()
            .unwrap_or(Part::App),
        kind: event.resource_type().unwrap_or_default().to_owned(),
        id: event.physical_resource_id().unwrap_or_default().to_owned(),
    });
    things
        .filter(|thing| !inspect::goes_with_another(&thing.kind))
        .collect()
}

/// Deletes a thing with all that is in it; one of a type that this does not know stays. What is gone already is no error.
async fn delete(clients: &Clients, kind: &str, id: &str) -> Result<End> {
    const MESSAGE: &str = "what holds data cannot be removed";
    let sdk = &clients.sdk;
    let result = match kind {
        "AWS::DynamoDB::Table" => aws_sdk_dynamodb::Client::new(sdk)
            .delete_table()
            .table_name(id)
            .send()
            .await
            .map(drop)
            .map_err(|error| failed(OPERATION, MESSAGE, error)),
        "AWS::SQS::Queue" => aws_sdk_sqs::Client::new(sdk)
            .delete_queue()
            .queue_url(id)
            .send()
            .await
            .map(drop)
            .map_err(|error| failed(OPERATION, MESSAGE, error)),
        "AWS::Kinesis::Stream" => aws_sdk_kinesis::Client::new(sdk)
            .delete_stream()
            .stream_name(id)
            .enforce_consumer_deletion(true)
            .send()
            .await
            .map(drop)
            .map_err(|error| failed(OPERATION, MESSAGE, error)),
        "AWS::SecretsManager::Secret" => aws_sdk_secretsmanager::Client::new(sdk)
            .delete_secret()
            .secret_id(id)
            .force_delete_without_recovery(true)
            .send()
            .await
            .map(drop)
            .map_err(|error| failed(OPERATION, MESSAGE, error)),
        "AWS::Logs::LogGroup" => clients
            .logs
            .delete_log_group()
            .log_group_name(id)
            .send()
            .await
            .map(drop)
            .map_err(|error| failed(OPERATION, MESSAGE, error)),
        _ => return Ok(End::Stays),
    };
    match result {
        Ok(()) => Ok(End::Removed),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(End::WasGone),
        Err(error) => Err(error.with("type", kind).with("id", id)),
    }
}

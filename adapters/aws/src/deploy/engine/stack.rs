//! A stack: how it stands, and waiting for it while its events are told.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::{Stack as Description, StackEvent, StackResourceSummary};
use aws_smithy_types::error::metadata::ProvideErrorMetadata as _;
use nephos_core::deploy::{Deployment, Progress};
use nephos_core::plan::Part;
use nephos_core::{Error, ErrorKind, Result};

use super::events::{self, Cause};
use super::failure::{failed, said};
use super::state::{Standing, own, standing};

/// What the tokens of our operations begin with: so that a second run knows a change of ours.
const TOKEN: &str = "nephos-";
/// The waits between two looks grow from here …
const FIRST_LOOK: Duration = Duration::from_millis(250);
/// … to here: AWS throttles whoever looks more often.
const LONGEST_LOOK: Duration = Duration::from_secs(3);

/// A token, or a change set's name, for one operation of ours.
pub(super) fn new_token() -> String {
    format!("{TOKEN}{}", uuid::Uuid::now_v7().simple())
}

/// A name of ours.
pub(super) fn is_own_token(token: &str) -> bool {
    token.starts_with(TOKEN)
}

/// Waits that grow, for looking until something is done.
#[derive(Debug)]
pub(super) struct Looks(Duration);

impl Looks {
    pub(super) fn new() -> Self {
        Self(FIRST_LOOK)
    }

    pub(super) async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 3 / 2).min(LONGEST_LOOK);
    }
}

/// A stack by its name, or by its ARN, which also finds one that was deleted.
#[derive(Debug, Clone)]
pub(super) struct Stack<'c> {
    pub(super) client: &'c Client,
    pub(super) name: String,
    pub(super) operation: &'static str,
}

/// How an operation ended.
#[derive(Debug)]
pub(super) struct End {
    pub(super) status: String,
    /// What was not deleted, because its policy says so: name at the provider by logical name and type.
    pub(super) skipped: Vec<StackEvent>,
    pub(super) cause: Option<Cause>,
    /// What failed last: where the operation could not be undone, that is what keeps it from being so.
    pub(super) last: Option<Cause>,
}

impl Stack<'_> {
    /// How it stands; `None` if there is no such stack.
    pub(super) async fn describe(&self) -> Result<Option<Description>> {
        let answer = self.client.describe_stacks().stack_name(&self.name).send().await;
        match answer {
            Ok(answer) => Ok(answer.stacks.unwrap_or_default().into_iter().next()),
            // There is no other sign of it.
            Err(error)
                if error.code() == Some("ValidationError")
                    && error
                        .message()
                        .is_some_and(|message| message.contains("does not exist")) =>
            {
                Ok(None)
            }
            Err(error) => {
                Err(failed(self.operation, "the stack cannot be looked at", error).with("stack", &self.name))
            }
        }
    }

    /// The app's stack, once it was created: one that only waits for a review holds nothing, and has no tags yet.
    pub(super) async fn created(&self, deployment: &Deployment) -> Result<Option<Description>> {
        let Some(found) = self.describe().await? else {
            return Ok(None);
        };
        if standing(found.stack_status().map_or("", |status| status.as_str())) == Standing::New {
            return Ok(None);
        }
        own(&self.name, found.tags(), deployment, self.operation)?;
        Ok(Some(found))
    }

    /// The things in it.
    pub(super) async fn resources(&self) -> Result<Vec<StackResourceSummary>> {
        let mut pages = self
            .client
            .list_stack_resources()
            .stack_name(&self.name)
            .into_paginator()
            .send();
        let mut resources = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| {
                failed(self.operation, "the stack's resources cannot be listed", error)
                    .with("stack", &self.name)
            })?;
            resources.extend(page.stack_resource_summaries.unwrap_or_default());
        }
        Ok(resources)
    }

    /// The template that it was last deployed with.
    pub(super) async fn template(&self) -> Result<serde_json::Value> {
        let answer = self
            .client
            .get_template()
            .stack_name(&self.name)
            .send()
            .await
            .map_err(|error| {
                failed(self.operation, "the deployed template cannot be read", error)
                    .with("stack", &self.name)
            })?;
        // One that is not JSON is not ours: nothing is equal to it.
        Ok(serde_json::from_str(answer.template_body().unwrap_or_default()).unwrap_or_default())
    }

    /// Events, newest first, until one of `seen`, or the beginning of the last operation.
    async fn recent(&self, seen: &HashSet<String>) -> Result<Vec<StackEvent>> {
        let mut pages = self
            .client
            .describe_stack_events()
            .stack_name(&self.name)
            .into_paginator()
            .send();
        let mut recent = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| {
                failed(self.operation, "the stack's events cannot be read", error).with("stack", &self.name)
            })?;
            for event in page.stack_events.unwrap_or_default() {
                if event.event_id().is_some_and(|id| seen.contains(id)) {
                    return Ok(recent);
                }
                recent.push(event);
            }
            if events::last_operation(&recent).is_some() {
                break;
            }
        }
        Ok(recent)
    }

    /// Whether what is going on was begun by us, on this machine or another.
    pub(super) async fn change_is_ours(&self) -> Result<bool> {
        Ok(self.last_token().await?.is_some_and(|token| is_own_token(&token)))
    }

    /// The token of whoever began what happened last.
    pub(super) async fn last_token(&self) -> Result<Option<String>> {
        let recent = self.recent(&HashSet::new()).await?;
        Ok(events::last_operation(&recent).and_then(|events| events::token(&events)))
    }

    /// What failed last in the operation that happened last.
    pub(super) async fn last_cause(&self) -> Result<Option<Cause>> {
        let recent = self.recent(&HashSet::new()).await?;
        Ok(events::last_operation(&recent).and_then(|events| events::last_cause(&events)))
    }

    /// A state in which only a person can go on, with what keeps it there.
    pub(super) async fn stuck(
        &self,
        message: impl Into<std::borrow::Cow<'static, str>>,
        status: &str,
    ) -> Error {
        let error = Error::new(ErrorKind::Conflict, self.operation, message)
            .with("stack", &self.name)
            .with("state", status);
        // The state is the error; that its cause cannot be had too is none of its own.
        match self.last_cause().await {
            Ok(Some(cause)) => because(error, cause),
            _ => error,
        }
    }

    /// The newest event, to wait for what comes after it.
    pub(super) async fn mark(&self) -> Result<HashSet<String>> {
        let recent = self.recent(&HashSet::new()).await?;
        Ok(recent.iter().filter_map(|event| event.event_id.clone()).collect())
    }

    /// Waits until nothing is in progress; tells all events of the operation that come after `seen`.
    pub(super) async fn wait(
        &self,
        mut seen: HashSet<String>,
        parts: &BTreeMap<String, Part>,
        progress: &Progress,
    ) -> Result<End> {
        let mut looks = Looks::new();
        let mut told: Vec<StackEvent> = Vec::new();
        loop {
            // The state first: what it is due to has its events by then.
            let status = match self.describe().await? {
                Some(stack) => stack.stack_status.map(|status| status.as_str().to_owned()),
                None => None,
            };
            let status = status.unwrap_or_else(|| "DELETE_COMPLETE".to_owned());
            let mut new = self.recent(&seen).await?;
            new.reverse();
            for event in &new {
                seen.extend(event.event_id.clone());
                if let Some(happening) = events::happening(event, parts) {
                    progress.tell(happening);
                }
            }
            told.extend(new);
            if !status.ends_with("_IN_PROGRESS") {
                told.reverse();
                let last = events::last_operation(&told).unwrap_or_else(|| told.iter().rev().collect());
                let skipped = last.iter().filter(|event| {
                    event
                        .resource_status
                        .as_ref()
                        .is_some_and(|status| status.as_str() == "DELETE_SKIPPED")
                });
                return Ok(End {
                    cause: events::first_cause(&last),
                    last: events::last_cause(&last),
                    skipped: skipped.map(|event| (*event).clone()).collect(),
                    status,
                });
            }
            looks.wait().await;
        }
    }

    /// The error of an operation that failed, with its first cause; and where it could not be undone, with what keeps it from being so.
    pub(super) fn failure(&self, message: impl Into<std::borrow::Cow<'static, str>>, end: End) -> Error {
        let mut error = Error::new(ErrorKind::Internal, self.operation, message)
            .with("stack", &self.name)
            .with("state", &end.status);
        let Some(mut cause) = end.cause else {
            return error;
        };
        if end.status.ends_with("ROLLBACK_FAILED")
            && let Some(last) = end.last.filter(|last| *last != cause)
        {
            error = error.with("not_undone", &last.id);
            cause.reason = format!(
                "{}; and {} cannot be undone: {}",
                cause.reason, last.id, last.reason
            );
        }
        because(error, cause)
    }
}

/// Adds what caused an error.
fn because(error: Error, cause: Cause) -> Error {
    error
        .with("resource", cause.id)
        .with("type", cause.kind)
        .caused_by(said(&with_advice(cause.reason)))
}

/// A reason that CloudFormation gives, with what to do where that is known. It has no code for it, and each service another sentence.
pub(super) fn with_advice(mut reason: String) -> String {
    if reason.contains("already exist") {
        reason.push_str(
            " (it is not of this app, so it is left alone: remove it or give it another name, or choose another `stack` for the target)",
        );
    }
    reason
}

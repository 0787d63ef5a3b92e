//! The functions' code: what differs from the artifact, and how it is brought to all functions side by side, without the stack.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationError;
use aws_sdk_lambda::types::{LastUpdateStatus, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{StreamExt as _, TryStreamExt as _};
use nephos_core::deploy::{FunctionStatus, Happening, Progress, StepState};
use nephos_core::plan::{Action, Part};
use nephos_core::{Error, ErrorKind, Result};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::failure::{failed, said};
use super::stack::Looks;
use crate::deploy::template::ALIAS;

/// How many functions are changed side by side: Lambda's interface takes 15 calls a second from an account.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const SIDE_BY_SIDE: usize = 8;
/// How long Lambda may take to take new code.
const PATIENCE: Duration = Duration::from_secs(300);
/// The type of a function.
pub(super) const FUNCTION: &str = "AWS::Lambda::Function";

const OPERATION: &str = "deploy.code";

/// A zip's digest, as Lambda tells it.
pub(super) fn digest(zip: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(zip))
}

/// The functions of an app: their names at Lambda by their names in the manifest.
pub(super) type Functions = BTreeMap<String, String>;

/// Does the same for all functions side by side, and gathers what comes of it by their names.
async fn for_each<T, F>(
    functions: &Functions,
    work: impl Fn(String, String) -> F,
) -> Result<BTreeMap<String, T>>
where
    F: Future<Output = Result<T>>,
{
    // What is done for a function owns all it needs: a future that borrows from the list could not be sent to another thread.
    let works: Vec<_> = functions
        .clone()
        .into_iter()
        .map(|(name, id)| {
            let done = work(name.clone(), id);
            async move {
                match done.await {
                    Ok(value) => Ok((name, value)),
                    Err(error) => Err(error.with("function", name)),
                }
            }
        })
        .collect();
    futures::stream::iter(works)
        .buffer_unordered(SIDE_BY_SIDE)
        .try_collect()
        .await
}

/// What takes events now, of all functions.
pub(super) async fn live(
    client: &Client,
    functions: &Functions,
    operation: &'static str,
) -> Result<BTreeMap<String, FunctionStatus>> {
    for_each(functions, |_, id| live_one(client.clone(), id, operation)).await
}

async fn live_one(client: Client, id: String, operation: &'static str) -> Result<FunctionStatus> {
    let answer = client
        .get_function_configuration()
        .function_name(&id)
        .qualifier(ALIAS)
        .send()
        .await;
    match answer {
        Ok(found) => Ok(FunctionStatus {
            id,
            version: found.version,
            changed: found.last_modified.as_deref().and_then(time),
            code: found.code_sha256,
            url: None,
        }),
        // The function is there, for it is in the stack: it has no version yet.
        Err(error)
            if error
                .as_service_error()
                .is_some_and(GetFunctionConfigurationError::is_resource_not_found_exception) =>
        {
            Ok(FunctionStatus {
                id,
                ..FunctionStatus::default()
            })
        }
        Err(error) => Err(failed(operation, "the function cannot be looked at", error)),
    }
}

/// Lambda's form of a time, `2026-11-23T09:00:00.000+0000`, or that of RFC 3339.
fn time(text: &str) -> Option<chrono::DateTime<chrono::Utc>> {
    let time = chrono::DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z");
    let time = time.or_else(|_| chrono::DateTime::parse_from_rfc3339(text));
    time.ok().map(|time| time.with_timezone(&chrono::Utc))
}

/// New code: where it lies, and its digest.
#[derive(Debug, Clone)]
pub(super) struct NewCode {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) digest: String,
}

/// Brings all functions to this code, and what takes events to their newest version.
pub(super) async fn bring(
    client: &Client,
    functions: &Functions,
    code: &NewCode,
    progress: &Progress,
) -> Result<()> {
    let bring = |name, id| bring_and_tell(client.clone(), name, id, code.clone(), progress.clone());
    for_each(functions, bring).await?;
    Ok(())
}

async fn bring_and_tell(
    client: Client,
    name: String,
    id: String,
    code: NewCode,
    progress: Progress,
) -> Result<()> {
    let tell = |state, reason: String| {
        progress.tell(Happening::Step {
            action: Action::Update,
            part: Part::Function { name: name.clone() },
            kind: FUNCTION.to_owned(),
            id: id.clone(),
            state,
            reason: Some(reason),
        });
    };
    match bring_one(&client, &id, &code, || {
        tell(StepState::Started, "code".to_owned());
    })
    .await
    {
        Ok(None) => Ok(()),
        Ok(Some(version)) => {
            tell(StepState::Done, format!("version {version}"));
            Ok(())
        }
        Err(error) => {
            tell(StepState::Failed, error.message().to_owned());
            Err(error)
        }
    }
}

/// Brings one function to the code; the version that takes events from now on, if it is another than before.
async fn bring_one(client: &Client, id: &str, code: &NewCode, begin: impl Fn()) -> Result<Option<String>> {
    settled(client, id).await?;
    let held = held(client, id, OPERATION).await?;
    let version = match held.wants(&code.digest) {
        None => return Ok(None),
        Some(Want::Version) => {
            begin();
            held.newest
                .map(|(version, _)| version.to_string())
                .unwrap_or_default()
        }
        Some(Want::Code) => {
            begin();
            publish(client, id, code).await?
        }
    };
    point(client, id, &version, OPERATION).await?;
    Ok(Some(version))
}

/// Publishes a version with this code.
async fn publish(client: &Client, id: &str, code: &NewCode) -> Result<String> {
    client
        .update_function_code()
        .function_name(id)
        .s3_bucket(&code.bucket)
        .s3_key(&code.key)
        .send()
        .await
        .map_err(|error| failed(OPERATION, "the function does not take the new code", error))?;
    let now = settled(client, id).await?;
    if now.as_deref() != Some(code.digest.as_str()) {
        return Err(Error::new(
            ErrorKind::Conflict,
            OPERATION,
            "the function has another code than the one that was uploaded; someone else deploys, so deploy again",
        )
        .with("code", now.unwrap_or_default()));
    }
    let published = client
        .publish_version()
        .function_name(id)
        .code_sha256(&code.digest)
        .send()
        .await
        .map_err(|error| failed(OPERATION, "the function's new version cannot be published", error))?;
    let version = published.version.unwrap_or_default();
    ready(client, id, &version).await?;
    // CloudFormation fails if it is to publish a version and nothing changed since the last one, which this was. So something must have:
    // <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-version.html>
    client
        .update_function_configuration()
        .function_name(id)
        .description(format!("newer than version {version}"))
        .send()
        .await
        .map_err(|error| failed(OPERATION, "the function's description cannot be changed", error))?;
    Ok(version)
}

/// What a function has, and which of it takes events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) current: String,
    /// The newest version, with the digest of its code. It also has the settings of the stack, for the stack publishes one when they change.
    pub(super) newest: Option<(u64, String)>,
}

/// What a function lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// The code.
    Code,
    /// It has the code, and another version takes events.
    Version,
}

impl Want {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Version => "version",
        }
    }
}

impl Held {
    /// What it lacks to run the code of this digest.
    pub(super) fn wants(&self, digest: &str) -> Option<Want> {
        match &self.newest {
            Some((newest, code)) if code == digest => {
                (newest.to_string() != self.current).then_some(Want::Version)
            }
            _ => Some(Want::Code),
        }
    }
}

/// What a function has.
pub(super) async fn held(client: &Client, id: &str, operation: &'static str) -> Result<Held> {
    Ok(Held {
        newest: versions(client, id, operation).await?.pop(),
        current: current(client, id, operation).await?,
    })
}

/// What all functions lack to run the code of this digest; those that lack nothing are left out.
pub(super) async fn wanting(
    client: &Client,
    functions: &Functions,
    digest: &str,
    operation: &'static str,
) -> Result<BTreeMap<String, Want>> {
    let held = for_each(functions, |_, id| held_owned(client.clone(), id, operation)).await?;
    let wants = held
        .into_iter()
        .filter_map(|(name, held)| Some((name, held.wants(digest)?)));
    Ok(wants.collect())
}

async fn held_owned(client: Client, id: String, operation: &'static str) -> Result<Held> {
    held(&client, &id, operation).await
}

/// Points the alias that takes events to a version.
pub(super) async fn point(client: &Client, id: &str, version: &str, operation: &'static str) -> Result<()> {
    client
        .update_alias()
        .function_name(id)
        .name(ALIAS)
        .function_version(version)
        .send()
        .await
        .map_err(|error| {
            failed(operation, "the function's alias cannot be moved", error).with("version", version)
        })?;
    Ok(())
}

/// The version that takes events.
pub(super) async fn current(client: &Client, id: &str, operation: &'static str) -> Result<String> {
    let alias = client.get_alias().function_name(id).name(ALIAS).send().await;
    alias
        .map(|alias| alias.function_version.unwrap_or_default())
        .map_err(|error| failed(operation, "the function's alias cannot be looked at", error))
}

/// The versions of a function with the digests of their code, oldest first.
pub(super) async fn versions(
    client: &Client,
    id: &str,
    operation: &'static str,
) -> Result<Vec<(u64, String)>> {
    let mut pages = client
        .list_versions_by_function()
        .function_name(id)
        .into_paginator()
        .send();
    let mut versions = Vec::new();
    while let Some(page) = pages.next().await {
        let page =
            page.map_err(|error| failed(operation, "the function's versions cannot be listed", error))?;
        let numbers = page.versions.unwrap_or_default().into_iter();
        // The first is `$LATEST`, which is no version that stays.
        versions.extend(numbers.filter_map(|version| {
            Some((
                version.version?.parse().ok()?,
                version.code_sha256.unwrap_or_default(),
            ))
        }));
    }
    versions.sort_unstable();
    Ok(versions)
}

/// Waits until the function has taken its last change; the digest of its code then.
async fn settled(client: &Client, id: &str) -> Result<Option<String>> {
    let mut looks = Looks::new();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = client.get_function_configuration().function_name(id).send().await;
        let found = answer.map_err(|error| failed(OPERATION, "the function cannot be looked at", error))?;
        match (found.last_update_status(), found.state()) {
            (Some(LastUpdateStatus::InProgress), _) | (_, Some(State::Pending)) => {}
            (Some(LastUpdateStatus::Failed), _) => {
                let reason = found.last_update_status_reason().unwrap_or("no reason given");
                return Err(Error::new(
                    ErrorKind::Internal,
                    OPERATION,
                    "the function could not take its last change",
                )
                .caused_by(said(reason)));
            }
            _ => return Ok(found.code_sha256),
        }
        if Instant::now() > deadline {
            return Err(Error::new(
                ErrorKind::DeadlineExceeded,
                OPERATION,
                "the function took too long to take its change",
            )
            .with("waited_s", PATIENCE.as_secs()));
        }
        looks.wait().await;
    }
}

/// Waits until a new version can take events.
async fn ready(client: &Client, id: &str, version: &str) -> Result<()> {
    let mut looks = Looks::new();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = client
            .get_function_configuration()
            .function_name(id)
            .qualifier(version)
            .send()
            .await;
        let found = answer
            .map_err(|error| failed(OPERATION, "the function's new version cannot be looked at", error))?;
        match found.state() {
            Some(State::Pending) if Instant::now() < deadline => looks.wait().await,
            Some(State::Pending | State::Failed) => {
                let reason = found.state_reason().unwrap_or("no reason given");
                return Err(Error::new(
                    ErrorKind::Internal,
                    OPERATION,
                    "the function's new version does not become ready",
                )
                .with("version", version)
                .caused_by(said(reason)));
            }
            _ => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_lacks_its_code_or_the_version_that_has_it_or_nothing() {
        let held = |current: &str, newest: Option<(u64, &str)>| Held {
            current: current.to_owned(),
            newest: newest.map(|(version, code)| (version, code.to_owned())),
        };
        assert_eq!(held("3", Some((3, "new"))).wants("new"), None);
        assert_eq!(held("3", Some((3, "old"))).wants("new"), Some(Want::Code));
        // It was brought back to a version before; also to one with the same code, but other settings.
        assert_eq!(held("2", Some((3, "new"))).wants("new"), Some(Want::Version));
        assert_eq!(held("2", Some((3, "old"))).wants("new"), Some(Want::Code));
        assert_eq!(held("$LATEST", None).wants("new"), Some(Want::Code));
    }

    #[test]
    fn lambdas_digest_and_time_are_read_as_it_writes_them() {
        // printf '' | sha256sum | xxd -r -p | base64
        assert_eq!(digest(b""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        let read = time("2026-11-23T09:00:00.120+0000").unwrap();
        assert_eq!(read.to_rfc3339(), "2026-11-23T09:00:00.120+00:00");
        assert_eq!(time("2026-11-23T09:00:00.120Z"), Some(read));
        assert_eq!(time("yesterday"), None);
    }
}

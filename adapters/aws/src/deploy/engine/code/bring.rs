//! Brings new code to the functions, without the stack: new code, a version of it, and the alias moved to that.

use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{LastUpdateStatus, State};
use nephos_core::deploy::{Happening, Progress, StepState};
use nephos_core::plan::{Action, Part};
use nephos_core::{Error, ErrorKind, Result};
use tokio::time::Instant;

use super::versions::point;
use super::{FUNCTION, Functions, Want, for_each, held};
use crate::deploy::engine::failure::{failed, said};
use crate::deploy::engine::stack::Looks;

const OPERATION: &str = "deploy.code";

/// How long Lambda may take to take new code.
const PATIENCE: Duration = Duration::from_secs(300);

/// New code: where it lies, and its digest.
#[derive(Debug, Clone)]
pub(in super::super) struct NewCode {
    pub(in super::super) bucket: String,
    pub(in super::super) key: String,
    pub(in super::super) digest: String,
}

/// Brings all functions to this code, and what takes events to their newest version.
pub(in super::super) async fn bring(
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

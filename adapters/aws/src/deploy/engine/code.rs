//! The functions' code at Lambda: which of them lack the artifact's, and the same done for all of them side by side.

mod bring;
mod versions;

use std::collections::BTreeMap;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{StreamExt as _, TryStreamExt as _};
use nephos_core::Result;
use nephos_core::deploy::FunctionStatus;
use sha2::{Digest as _, Sha256};

pub(super) use self::bring::{NewCode, bring};
pub(super) use self::versions::{before, current, live_versions, point, prune, restore, versions};
use super::failure::failed;
use crate::deploy::template::ALIAS;

/// How many functions are changed side by side: Lambda's interface takes 15 calls a second from an account.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const SIDE_BY_SIDE: usize = 8;
/// The type of a function.
pub(super) const FUNCTION: &str = "AWS::Lambda::Function";

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

//! The versions of functions, and which of them takes events.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_lambda::Client;
use nephos_core::deploy::Progress;
use nephos_core::{ErrorKind, Result};

use super::{Functions, for_each};
use crate::deploy::engine::failure::failed;
use crate::deploy::template::ALIAS;

/// How many versions of a function are kept, the newest: enough to go back over a few deployments. The versions of all functions of an account share 75 GB:
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const KEPT: usize = 5;

/// Points the alias that takes events to a version.
pub(in super::super) async fn point(
    client: &Client,
    id: &str,
    version: &str,
    operation: &'static str,
) -> Result<()> {
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
pub(in super::super) async fn current(client: &Client, id: &str, operation: &'static str) -> Result<String> {
    let alias = client.get_alias().function_name(id).name(ALIAS).send().await;
    alias
        .map(|alias| alias.function_version.unwrap_or_default())
        .map_err(|error| failed(operation, "the function's alias cannot be looked at", error))
}

/// The versions of a function with the digests of their code, oldest first.
pub(in super::super) async fn versions(
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

/// The versions that take events, of all functions; a function whose alias is not there yet is left out.
pub(in super::super) async fn live_versions(
    client: &Client,
    functions: &Functions,
    operation: &'static str,
) -> Result<BTreeMap<String, String>> {
    let live = for_each(functions, |_, id| live_version(client.clone(), id, operation)).await?;
    Ok(live
        .into_iter()
        .filter_map(|(name, version)| Some((name, version?)))
        .collect())
}

async fn live_version(client: Client, id: String, operation: &'static str) -> Result<Option<String>> {
    match current(&client, &id, operation).await {
        Ok(version) => Ok(Some(version)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Points what takes events to these versions again, where it does not; the functions that this was so of. An update of the stack that fails sets the
/// aliases to what the stack knew, which code that was brought without it is not.
pub(in super::super) async fn restore(
    client: &Client,
    functions: &Functions,
    wanted: &BTreeMap<String, String>,
    operation: &'static str,
) -> Result<Vec<String>> {
    let now = live_versions(client, functions, operation).await?;
    let mut restored = Vec::new();
    for (name, version) in wanted {
        let Some(id) = functions.get(name) else { continue };
        if now.get(name).is_some_and(|now| now != version) {
            point(client, id, version, operation)
                .await
                .map_err(|error| error.with("function", name))?;
            restored.push(name.clone());
        }
    }
    Ok(restored)
}

/// Removes versions that nothing goes back to any more. What cannot be removed is told, and stays: it does no harm but for the space that it takes.
pub(in super::super) async fn prune(
    client: &Client,
    functions: &Functions,
    named: &BTreeSet<(String, u64)>,
    progress: &Progress,
) {
    let prune = |_, id: String| {
        let named = named.iter().filter(|(function, _)| *function == id);
        prune_one(
            client.clone(),
            id.clone(),
            named.map(|(_, version)| *version).collect(),
        )
    };
    if let Err(error) = for_each(functions, prune).await {
        progress.note(format!(
            "old versions of the functions stay for now: {}",
            error.chain()
        ));
    }
}

async fn prune_one(client: Client, id: String, named: BTreeSet<u64>) -> Result<()> {
    const OPERATION: &str = "deploy.prune";
    let versions = versions(&client, &id, OPERATION).await?;
    let live = current(&client, &id, OPERATION).await?;
    let versions: Vec<u64> = versions.into_iter().map(|(version, _)| version).collect();
    for version in spare(&versions, &live, &named) {
        let deleted = client
            .delete_function()
            .function_name(&id)
            .qualifier(version.to_string())
            .send()
            .await
            .map_err(|error| failed(OPERATION, "an old version cannot be removed", error));
        match deleted {
            Ok(_) => {}
            // Someone was quicker, or another alias has it, which is not ours.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::NotFound | ErrorKind::Conflict | ErrorKind::AlreadyExists
                ) => {}
            Err(error) => return Err(error.with("version", version)),
        }
    }
    Ok(())
}

/// The versions that can go: all but the newest, the one that takes events, the one before it, and those that the stack names, to which it sets the
/// aliases when an update of it fails.
fn spare(versions: &[u64], live: &str, named: &BTreeSet<u64>) -> Vec<u64> {
    let Ok(live) = live.parse::<u64>() else {
        return Vec::new();
    };
    let newest = versions.len().saturating_sub(KEPT);
    let before = before(versions, live);
    versions
        .iter()
        .take(newest)
        .copied()
        .filter(|version| *version != live && Some(*version) != before && !named.contains(version))
        .collect()
}

/// The newest version before this one.
pub(in super::super) fn before(versions: &[u64], current: u64) -> Option<u64> {
    versions
        .iter()
        .copied()
        .filter(|version| *version < current)
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_the_version_before_even_where_some_are_gone() {
        assert_eq!(before(&[1, 2, 7, 9], 9), Some(7));
        assert_eq!(before(&[1, 2, 7, 9], 2), Some(1));
        assert_eq!(before(&[1], 1), None);
    }

    #[test]
    fn five_versions_stay_and_those_that_are_live_before_it_or_named_by_the_stack() {
        let all: Vec<u64> = (1..=9).collect();
        let named = |versions: &[u64]| versions.iter().copied().collect();
        assert_eq!(spare(&all, "9", &named(&[])), [1, 2, 3, 4]);
        assert_eq!(spare(&all, "9", &named(&[1])), [2, 3, 4]);
        // It was brought back: the one that takes events, and the one before it.
        assert_eq!(spare(&all, "3", &named(&[])), [1, 4]);
        assert_eq!(spare(&all[..5], "5", &named(&[])), [0; 0]);
        assert_eq!(spare(&all, "$LATEST", &named(&[])), [0; 0]);
    }
}

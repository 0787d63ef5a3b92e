//! How the app stands, and which of its functions are deployed.

use std::collections::BTreeMap;

use nephos_core::deploy::{FunctionStatus, Health, Status};
use nephos_core::{Error, ErrorKind, Result};
use serde_json::Value;

use super::failure::Told;
use super::stack::Found;
use super::{AzureDeployer, Place};
use crate::deploy::package::{self, Content};
use crate::deploy::template::{OUTPUT_FUNCTIONS, OUTPUT_SITES};

impl AzureDeployer {
    /// How the app stands.
    pub(super) async fn current(&self, place: &Place, operation: &'static str) -> Result<Status> {
        let stack = place.stack(operation);
        let mut status = Status {
            place: self.place_name(place),
            deployment: place.stack.clone(),
            health: Health::Absent,
            state: None,
            reason: None,
            changed: None,
            functions: BTreeMap::new(),
        };
        let Some(found) = stack.find().await? else {
            return Ok(status);
        };
        found.own(&stack, &self.deployment)?;
        status.health = found.health();
        status.state = Some(found.state());
        status.reason = (found.properties.error.as_ref().and_then(Told::read))
            .map(|told| told.cause().message.clone())
            .filter(|reason| !reason.is_empty());
        status.changed = found.modified();
        let urls = output(&found, OUTPUT_FUNCTIONS);
        for content in self.contents(place)? {
            let Some(url) = urls.get(&content.function) else {
                continue;
            };
            let releases = self.store(place, &content)?.releases(operation).await?;
            let active = releases.active();
            let of_site = FunctionStatus {
                id: content.site.clone(),
                version: active.map(|release| release.version.to_string()),
                changed: active.map(|release| release.at),
                code: active.map(|release| release.package.clone()),
                url: content.is_front().then(|| url.clone()),
            };
            // Of a function's two sites the one of requests comes first.
            status.functions.entry(content.function).or_insert(of_site);
        }
        Ok(status)
    }

    /// What the app's sites are.
    pub(super) fn contents(&self, place: &Place) -> Result<Vec<Content>> {
        package::contents(&self.deployment.app, &self.deployment.target, &place.settings)
    }

    /// The sites of those of the deployed functions that are named; of all if none is.
    pub(super) async fn chosen(
        &self,
        place: &Place,
        names: &[String],
        operation: &'static str,
    ) -> Result<Vec<Content>> {
        let stack = place.stack(operation);
        let not_there = || {
            Error::new(
                ErrorKind::NotFound,
                operation,
                "the app is not deployed; run `nephos deploy`",
            )
            .with("stack", &place.stack)
            .with("place", self.place_name(place))
        };
        let found = stack.find().await?.ok_or_else(not_there)?;
        found.own(&stack, &self.deployment)?;
        let there = output(&found, OUTPUT_SITES);
        if there.is_empty() {
            return Err(not_there());
        }
        let mut contents = self.contents(place)?;
        contents.retain(|content| there.contains_key(&content.folder));
        if let Some(name) = names
            .iter()
            .find(|name| !contents.iter().any(|content| content.function == **name))
        {
            return Err(Error::new(
                ErrorKind::NotFound,
                operation,
                "the function is not deployed; run `nephos deploy`",
            )
            .with("function", name));
        }
        contents.retain(|content| names.is_empty() || names.contains(&content.function));
        Ok(contents)
    }
}

/// What the stack tells under one of its outputs.
fn output(found: &Found, name: &str) -> BTreeMap<String, String> {
    let value = found
        .properties
        .outputs
        .as_ref()
        .and_then(|outputs| outputs.get(name)?.get("value"));
    let members = value.and_then(Value::as_object).into_iter().flatten();
    members
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}

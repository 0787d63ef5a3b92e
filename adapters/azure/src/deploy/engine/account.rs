//! Where it goes: the subscription, its region, and the resource group.

use azure_core::http::Method;
use nephos_core::deploy::{Progress, mark};
use nephos_core::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use super::AzureDeployer;
use super::arm::{Arm, GROUPS};

/// The variable that names the subscription where the settings do not: the one of Azure's own tools.
pub(super) const SUBSCRIPTION: &str = "AZURE_SUBSCRIPTION_ID";

/// A subscription, as <https://learn.microsoft.com/rest/api/resources/subscriptions/list> lists it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subscription {
    subscription_id: String,
    display_name: String,
    state: String,
}

#[derive(Debug, Deserialize)]
struct Region {
    properties: Named,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    display_name: Option<String>,
    name: Option<String>,
}

/// A resource group.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Group {
    #[serde(default)]
    tags: Option<std::collections::BTreeMap<String, String>>,
}

impl Group {
    /// Whether deployment made it.
    pub(super) fn is_ours(&self, app: &str) -> bool {
        let tags = self.tags.as_ref();
        tags.and_then(|tags| tags.get(mark::APP)).map(String::as_str) == Some(app)
    }
}

/// Finds the subscription: the one that is named, or else the only one that there is.
pub(super) async fn subscription(arm: &Arm, named: Option<&str>, operation: &'static str) -> Result<String> {
    if let Some(named) = named {
        return Ok(named.to_ascii_lowercase());
    }
    let all: Vec<Subscription> = arm
        .list(operation, "/subscriptions?api-version=2022-12-01")
        .await?;
    only(&all, operation)
}

fn only(all: &[Subscription], operation: &'static str) -> Result<String> {
    let enabled: Vec<&Subscription> = all.iter().filter(|one| one.state == "Enabled").collect();
    match enabled.as_slice() {
        [one] => Ok(one.subscription_id.to_ascii_lowercase()),
        [] => Err(Error::new(
            ErrorKind::NotFound,
            operation,
            "who is signed in has no subscription that is enabled; sign in as somebody who has (`az login`), or have access given to one",
        )),
        several => {
            let list: Vec<String> = several
                .iter()
                .map(|one| format!("{} ({})", one.subscription_id, one.display_name))
                .collect();
            Err(Error::new(
                ErrorKind::InvalidArgument,
                operation,
                "there are several subscriptions; name one as the target's `subscription`, or in AZURE_SUBSCRIPTION_ID",
            )
            .with("subscriptions", list.join(", ")))
        }
    }
}

impl AzureDeployer {
    /// Refuses a region that has no Flex Consumption, before anything is made.
    pub(super) async fn check_region(
        &self,
        arm: &Arm,
        subscription: &str,
        operation: &'static str,
    ) -> Result<()> {
        let path = format!(
            "/subscriptions/{subscription}/providers/Microsoft.Web/geoRegions?sku=FlexConsumption&api-version=2024-04-01"
        );
        let regions: Vec<Region> = arm.list(operation, &path).await?;
        let names: Vec<String> = regions
            .into_iter()
            .filter_map(|region| region.properties.display_name.or(region.properties.name))
            .map(|name| plain(&name))
            .collect();
        let location = plain(&self.settings.location);
        if names.is_empty() || names.contains(&location) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unsupported,
            operation,
            "the region has no Flex Consumption, which functions run on; choose another `location` for the target",
        )
        .with("location", &self.settings.location)
        .with("regions", names.join(", ")))
    }

    /// The path of the app's group.
    pub(super) fn group_path(&self, subscription: &str) -> String {
        format!(
            "/subscriptions/{subscription}/resourceGroups/{}",
            self.settings.group(&self.deployment.app)
        )
    }

    /// The app's group, if it is there.
    pub(super) async fn group(
        &self,
        arm: &Arm,
        subscription: &str,
        operation: &'static str,
    ) -> Result<Option<Group>> {
        let path = format!("{}?api-version={GROUPS}", self.group_path(subscription));
        arm.find(operation, &path).await
    }

    /// Makes the app's group, if it is not there.
    pub(super) async fn ensure_group(
        &self,
        arm: &Arm,
        subscription: &str,
        operation: &'static str,
        progress: &Progress,
    ) -> Result<()> {
        if self.group(arm, subscription, operation).await?.is_some() {
            return Ok(());
        }
        let name = self.settings.group(&self.deployment.app);
        progress.phase(format!("making the resource group {name}"));
        let path = format!("{}?api-version={GROUPS}", self.group_path(subscription));
        let body = json!({"location": self.settings.location, "tags": self.tags()});
        arm.call(operation, Method::Put, &path, Some(&body)).await?;
        Ok(())
    }

    /// Removes the app's group, if deployment made it and nothing is in it.
    pub(super) async fn remove_group(
        &self,
        arm: &Arm,
        subscription: &str,
        operation: &'static str,
    ) -> Result<bool> {
        let Some(group) = self.group(arm, subscription, operation).await? else {
            return Ok(false);
        };
        let path = self.group_path(subscription);
        let left: Vec<Value> = arm
            .list(operation, &format!("{path}/resources?api-version={GROUPS}"))
            .await?;
        if !group.is_ours(&self.deployment.app.name) || !left.is_empty() {
            return Ok(false);
        }
        let answer = arm
            .call(
                operation,
                Method::Delete,
                &format!("{path}?api-version={GROUPS}"),
                None,
            )
            .await?;
        arm.wait(operation, &answer).await?;
        Ok(true)
    }

    /// The tags of what is the whole app's.
    pub(super) fn tags(&self) -> Value {
        let mut tags = json!(self.settings.tags);
        if let Value::Object(tags) = &mut tags {
            tags.insert(mark::APP.to_owned(), self.deployment.app.name.as_str().into());
            tags.insert(mark::TARGET.to_owned(), self.deployment.target.as_str().into());
        }
        tags
    }
}

/// A region's name as the settings have it: `West Europe` → `westeurope`.
fn plain(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(id: &str, state: &str) -> Subscription {
        Subscription {
            subscription_id: id.to_owned(),
            display_name: format!("that of {id}"),
            state: state.to_owned(),
        }
    }

    #[test]
    fn the_only_enabled_subscription_is_taken_and_several_are_listed() {
        let found = only(&[one("A1", "Enabled"), one("B2", "Disabled")], "deploy.preview");
        assert_eq!(found.unwrap(), "a1");
        let error = only(&[one("a", "Enabled"), one("b", "Enabled")], "deploy.preview").unwrap_err();
        assert!(
            error.to_string().contains("a (that of a), b (that of b)"),
            "{error}"
        );
        assert_eq!(
            only(&[], "deploy.preview").unwrap_err().kind(),
            ErrorKind::NotFound
        );
    }

    #[test]
    fn regions_are_compared_as_they_are_written_in_settings() {
        assert_eq!(plain("West Europe"), "westeurope");
        assert_eq!(plain("(Europe) Sweden Central 2"), "europeswedencentral2");
    }
}

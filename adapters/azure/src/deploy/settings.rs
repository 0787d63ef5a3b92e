//! What `[target.azure]` says: read once, every mistake named before anything is rendered or sent.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use nephos_core::app::{App, Resource};
use nephos_core::deploy::settings::Reader;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::Value;

/// How long logs are kept where nothing is said, and how long they can be:
/// <https://learn.microsoft.com/azure/azure-monitor/logs/data-retention-configure>.
const DEFAULT_LOG_RETENTION_DAYS: u32 = 30;
const LOG_RETENTION_DAYS: RangeInclusive<u32> = 30..=730;
/// How many instances a group of functions may have: <https://learn.microsoft.com/azure/azure-functions/flex-consumption-plan>.
pub(super) const INSTANCES: RangeInclusive<u32> = 1..=1000;
/// How many requests one instance takes at once: <https://learn.microsoft.com/azure/azure-functions/functions-concurrency>.
pub(super) const HTTP_CONCURRENCY: RangeInclusive<u32> = 1..=1000;
/// The longest name of a deployment stack, and of a resource group:
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules>.
const MAX_STACK_NAME: usize = 90;
/// A resource takes 50 tags, and four are ours; their names and values:
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources>. A storage account takes the shortest names.
const MAX_TAGS: usize = 46;
const MAX_TAG_NAME: usize = 128;
const MAX_TAG_VALUE: usize = 256;

/// The settings of a target on Azure.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `location`: the region (`westeurope`). The only setting that must be there.
    pub location: String,
    /// `subscription`: the subscription's id; that of who is signed in if `None`.
    pub subscription: Option<String>,
    /// `resource_group`: the group that all is in; the app's name if not said.
    pub resource_group: Option<String>,
    /// `stack`: the deployment stack's name, if it is not `<app>-<target>`.
    pub stack: Option<String>,
    /// `log_retention_days`: how long logs are kept; 30 if not said.
    pub log_retention_days: u32,
    /// `always_ready`: how many instances of a function are kept running, by the function's name; none if not said.
    pub always_ready: BTreeMap<String, u32>,
    /// `max_instances`: the limit of every function, instead of its `max_instances` in the manifest.
    pub max_instances: Option<u32>,
    /// `http_concurrency`: how many requests an instance takes at once, instead of the function's `concurrency`.
    pub http_concurrency: Option<u32>,
    /// `protect`: whether Azure keeps others than deployment from deleting what the stack manages; on if not said.
    pub protect: bool,
    /// `shared_key`: whether the storage account takes its key, too, for programs that cannot sign in; off if not said.
    pub shared_key: bool,
    /// `mail_secret`: the secret that whoever hands over mail must know: one of the manifest, or the address of one that exists already.
    pub mail_secret: Option<String>,
    /// `auth_tenant`: the Entra tenant whose sign-ins call `auth` triggers, by id.
    pub auth_tenant: Option<String>,
    /// `auth_app`: the app registration that tokens of Entra's calls are for, by id.
    pub auth_app: Option<String>,
    /// `skills`: the id of each skill that a `voice` trigger names.
    pub skills: BTreeMap<String, String>,
    /// `secrets`: secrets that exist already, by name in the manifest: `https://<vault>.vault.azure.net/secrets/<name>`.
    pub secrets: BTreeMap<String, String>,
    /// `tags`: tags of your own on every resource that takes tags.
    pub tags: BTreeMap<String, String>,
    /// `overrides`: a JSON merge patch (RFC 7396) over the rendered template.
    pub overrides: Value,
}

impl Settings {
    /// Reads the settings of a target.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a missing location, an unknown key, a value of the wrong type or form, and a name that the app does
    /// not have.
    pub fn of(app: &App, target: &str) -> Result<Self> {
        let empty = Value::Object(serde_json::Map::new());
        let mut reader = Reader::new(target, app.targets.get(target).unwrap_or(&empty))?;
        let location = reader.text("location")?;
        let settings = Self {
            location: location.unwrap_or_default(),
            subscription: reader.text("subscription")?,
            resource_group: reader.text("resource_group")?,
            stack: reader.text("stack")?,
            log_retention_days: reader
                .count("log_retention_days", LOG_RETENTION_DAYS)?
                .unwrap_or(DEFAULT_LOG_RETENTION_DAYS),
            always_ready: reader.counts("always_ready", INSTANCES)?,
            max_instances: reader.count("max_instances", INSTANCES)?,
            http_concurrency: reader.count("http_concurrency", HTTP_CONCURRENCY)?,
            protect: reader.flag("protect")?.unwrap_or(true),
            shared_key: reader.flag("shared_key")?.unwrap_or_default(),
            mail_secret: reader.text("mail_secret")?,
            auth_tenant: reader.text("auth_tenant")?,
            auth_app: reader.text("auth_app")?,
            skills: reader.texts("skills")?,
            secrets: reader.texts("secrets")?,
            tags: reader.texts("tags")?,
            overrides: reader.table("overrides")?,
        };
        reader.finish()?;
        settings.check(app, target)?;
        Ok(settings)
    }

    /// The deployment stack's name: `stack`, or `<app>-<target>`.
    #[must_use]
    pub fn stack_name(&self, app: &App, target: &str) -> String {
        match &self.stack {
            Some(stack) => stack.clone(),
            None => format!("{}-{target}", app.name),
        }
    }

    /// The resource group: `resource_group`, or the app's name.
    #[must_use]
    pub fn group<'a>(&'a self, app: &'a App) -> &'a str {
        self.resource_group.as_deref().unwrap_or(&app.name)
    }

    fn check(&self, app: &App, target: &str) -> Result<()> {
        let wrong = |key: &str, value: &str, message: &'static str| {
            Err(Error::new(ErrorKind::InvalidArgument, "deploy.settings", message)
                .with("key", format!("target.{target}.{key}"))
                .with("value", value))
        };
        if self.location.is_empty() {
            return wrong(
                "location",
                "",
                "the target needs a region; write it as in location = \"westeurope\"",
            );
        }
        if !is_location(&self.location) {
            return wrong(
                "location",
                &self.location,
                "that is not the form of a region; write it in small letters and digits, as in \"westeurope\"",
            );
        }
        if ["china", "usgov", "usdod"]
            .iter()
            .any(|cloud| self.location.starts_with(cloud))
        {
            return wrong(
                "location",
                &self.location,
                "this region is in a cloud of its own, with other addresses; there is only Azure's public cloud here",
            );
        }
        for (key, id) in [
            ("subscription", &self.subscription),
            ("auth_tenant", &self.auth_tenant),
            ("auth_app", &self.auth_app),
        ] {
            if let Some(id) = id.as_deref().filter(|id| !is_guid(id)) {
                return wrong(
                    key,
                    id,
                    "that is not an id; write it as in \"00000000-0000-0000-0000-000000000000\"",
                );
            }
        }
        if let Some(group) = self.resource_group.as_deref().filter(|group| !is_group(group)) {
            return wrong(
                "resource_group",
                group,
                "a resource group's name is letters, digits, hyphens, underscores, dots and brackets, at most 90, and does not end with a dot",
            );
        }
        let stack = self.stack_name(app, target);
        if !is_stack(&stack) {
            return wrong(
                "stack",
                &stack,
                "a stack's name is lower-case letters, digits and hyphens, at most 90, and begins with a letter",
            );
        }
        self.check_names(app, target)?;
        self.check_tags(&wrong)
    }

    /// Names that the app must have.
    fn check_names(&self, app: &App, target: &str) -> Result<()> {
        let wrong = |key: &str, value: &str, message: &'static str| {
            Err(Error::new(ErrorKind::InvalidArgument, "deploy.settings", message)
                .with("key", format!("target.{target}.{key}"))
                .with("value", value))
        };
        let is_secret = |name: &str| matches!(app.resources.get(name), Some(Resource::Secret(_)));
        for name in self.always_ready.keys() {
            if !app.functions.contains_key(name) {
                return wrong(
                    "always_ready",
                    name,
                    "the manifest declares no function of this name",
                );
            }
        }
        if let Some(name) = self
            .mail_secret
            .as_deref()
            .filter(|name| !is_secret(name) && !is_secret_url(name))
        {
            return wrong(
                "mail_secret",
                name,
                "the manifest declares no secret of this name; one that exists already is named by its address, as in \"https://<vault>.vault.azure.net/secrets/<name>\"",
            );
        }
        for (name, url) in &self.secrets {
            if !is_secret(name) {
                return wrong("secrets", name, "the manifest declares no secret of this name");
            }
            if !is_secret_url(url) {
                return wrong(
                    "secrets",
                    url,
                    "a secret that exists already is named by its address, as in \"https://<vault>.vault.azure.net/secrets/<name>\"",
                );
            }
        }
        for (name, id) in &self.skills {
            if !id.starts_with("amzn1.ask.skill.") {
                return wrong(
                    "skills",
                    name,
                    "a skill's id begins with `amzn1.ask.skill.`; the Alexa developer console shows it",
                );
            }
        }
        Ok(())
    }

    fn check_tags(&self, wrong: &dyn Fn(&str, &str, &'static str) -> Result<()>) -> Result<()> {
        if self.tags.len() > MAX_TAGS {
            return wrong(
                "tags",
                &self.tags.len().to_string(),
                "a resource takes 46 tags besides ours; leave some out",
            );
        }
        for (key, value) in &self.tags {
            if key.starts_with("nephos:") || key.starts_with("hidden-") {
                return wrong(
                    "tags",
                    key,
                    "tags that begin with `nephos:` or `hidden-` are not yours to set",
                );
            }
            if key.len() > MAX_TAG_NAME || value.len() > MAX_TAG_VALUE {
                return wrong(
                    "tags",
                    key,
                    "a tag's name has at most 128 letters, and its value 256",
                );
            }
            if key.contains(['<', '>', '%', '&', '\\', '?', '/']) {
                return wrong(
                    "tags",
                    key,
                    "Azure takes no tag whose name has one of < > % & \\ ? / in it",
                );
            }
        }
        Ok(())
    }
}

/// `westeurope`, `eastus2`.
fn is_location(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_lowercase())
        && text
            .bytes()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit())
}

fn is_guid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts
            .iter()
            .all(|part| part.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

fn is_group(text: &str) -> bool {
    (1..=MAX_STACK_NAME).contains(&text.len())
        && !text.ends_with('.')
        && text
            .chars()
            .all(|letter| letter.is_alphanumeric() || "-_.()".contains(letter))
}

fn is_stack(text: &str) -> bool {
    (1..=MAX_STACK_NAME).contains(&text.len())
        && text.starts_with(|letter: char| letter.is_ascii_lowercase())
        && text
            .bytes()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-')
}

fn is_secret_url(text: &str) -> bool {
    let Some((vault, name)) = text
        .strip_prefix("https://")
        .and_then(|rest| rest.split_once(".vault.azure.net/secrets/"))
    else {
        return false;
    };
    let plain = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|letter| letter.is_ascii_alphanumeric() || letter == b'-')
    };
    plain(vault) && plain(name)
}

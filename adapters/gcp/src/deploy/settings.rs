//! What `[target.gcp]` says: read once, every mistake named before anything is rendered or sent.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use nephos_core::app::{App, Resource};
use nephos_core::deploy::settings::Reader;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::Value;

/// How many instances a service has: <https://cloud.google.com/run/docs/configuring/max-instances>.
pub(super) const INSTANCES: RangeInclusive<u32> = 1..=1000;
/// How many requests an instance takes at once: <https://cloud.google.com/run/docs/about-concurrency>.
pub(super) const CONCURRENCY: RangeInclusive<u32> = 1..=1000;
/// How many processors an instance may have: <https://cloud.google.com/run/docs/configuring/services/cpu>.
pub(super) const PROCESSORS: [u32; 5] = [1, 2, 4, 6, 8];
/// The longest beginning of names: a bucket's ends in the project's id, which has 30 letters, and has 63 in all.
const MAX_PREFIX: usize = 24;
/// A resource takes 64 labels, and four are ours: <https://cloud.google.com/resource-manager/docs/labels-overview#requirements>.
const MAX_LABELS: usize = 60;
const MAX_LABEL: usize = 63;

/// The settings of a target on Google Cloud.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `project`: the project's id. Whoever deploys may leave it out, and have it in the environment or in the credentials.
    pub project: Option<String>,
    /// `region`: where all is (`europe-west1`). The only setting that must be there.
    pub region: String,
    /// `prefix`: what all names begin with, if it is not `<app>-<target>`.
    pub prefix: Option<String>,
    /// `public`: whether anyone may call the functions that something outside Google Cloud calls; on if not said.
    pub public: bool,
    /// `enable_apis`: whether deployment turns the services on that the project lacks; off if not said.
    pub enable_apis: bool,
    /// `max_instances`: the limit of every function, instead of its `max_instances` in the manifest.
    pub max_instances: Option<u32>,
    /// `min_instances`: how many instances of a function are kept running, by the function's name; none if not said.
    pub min_instances: BTreeMap<String, u32>,
    /// `concurrency`: how many requests an instance takes at once, instead of the function's own `concurrency`.
    pub concurrency: Option<u32>,
    /// `cpu`: how many processors an instance of a function has, by the function's name; as many as its memory needs if not said.
    pub cpu: BTreeMap<String, u32>,
    /// `mail_secret`: the secret that whoever hands over mail must know: one of the manifest, or the name of one that exists already.
    pub mail_secret: Option<String>,
    /// `skills`: the id of each skill that a `voice` trigger names.
    pub skills: BTreeMap<String, String>,
    /// `secrets`: secrets that exist already, by name in the manifest: `projects/<project>/secrets/<name>`.
    pub secrets: BTreeMap<String, String>,
    /// `labels`: labels of your own on every resource that takes labels.
    pub labels: BTreeMap<String, String>,
    /// `overrides`: a JSON merge patch (RFC 7396) over the rendered resources, by their full names.
    pub overrides: Value,
}

impl Settings {
    /// Reads the settings of a target.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a missing region, an unknown key, a value of the wrong type or form, and a name that the app does not have.
    pub fn of(app: &App, target: &str) -> Result<Self> {
        let empty = Value::Object(serde_json::Map::new());
        let mut reader = Reader::new(target, app.targets.get(target).unwrap_or(&empty))?;
        let settings = Self {
            project: reader.text("project")?,
            region: reader.text("region")?.unwrap_or_default(),
            prefix: reader.text("prefix")?,
            public: reader.flag("public")?.unwrap_or(true),
            enable_apis: reader.flag("enable_apis")?.unwrap_or_default(),
            max_instances: reader.count("max_instances", INSTANCES)?,
            min_instances: reader.counts("min_instances", INSTANCES)?,
            concurrency: reader.count("concurrency", CONCURRENCY)?,
            cpu: reader.counts("cpu", 1..=8)?,
            mail_secret: reader.text("mail_secret")?,
            skills: reader.texts("skills")?,
            secrets: reader.texts("secrets")?,
            labels: reader.texts("labels")?,
            overrides: reader.table("overrides")?,
        };
        reader.finish()?;
        settings.check(app, target)?;
        Ok(settings)
    }

    /// What all names begin with: `prefix`, or `<app>-<target>`. Of an app or target whose own names are long, it is cut where names are made.
    #[must_use]
    pub fn prefix(&self, app: &App, target: &str) -> String {
        match &self.prefix {
            Some(prefix) => prefix.clone(),
            None => format!("{}-{target}", app.name),
        }
    }

    fn check(&self, app: &App, target: &str) -> Result<()> {
        let wrong = wrong(target);
        if self.region.is_empty() {
            return wrong(
                "region",
                "",
                "the target needs a region; write it as in region = \"europe-west1\"",
            );
        }
        if !is_region(&self.region) {
            return wrong(
                "region",
                &self.region,
                "that is not the form of a region; write it as in \"europe-west1\", without a zone's letter",
            );
        }
        if let Some(project) = self.project.as_deref().filter(|project| !is_project(project)) {
            return wrong(
                "project",
                project,
                "a project is named by its id, 6 to 30 lower-case letters, digits and hyphens, as in \"my-shop\"; not by its number or its title",
            );
        }
        if let Some(prefix) = self.prefix.as_deref().filter(|prefix| !is_prefix(prefix)) {
            return wrong(
                "prefix",
                prefix,
                "what names begin with is lower-case letters, digits and single hyphens, at most 24, and begins with a letter",
            );
        }
        let prefix = self.prefix(app, target);
        if !is_plain(&prefix) {
            return wrong(
                "prefix",
                &prefix,
                "names on Google Cloud are lower-case letters, digits and hyphens, and the target's own name is not; let them begin otherwise, as in prefix = \"shop\"",
            );
        }
        if is_googles(&prefix) {
            return wrong(
                "prefix",
                &prefix,
                "Google keeps names that begin with `goog` or hold `google` for itself; let names begin otherwise, as in prefix = \"shop\"",
            );
        }
        self.check_names(app, target)?;
        self.check_labels(target)
    }

    /// Names that the app must have.
    fn check_names(&self, app: &App, target: &str) -> Result<()> {
        let wrong = wrong(target);
        let is_secret = |name: &str| matches!(app.resources.get(name), Some(Resource::Secret(_)));
        for (key, functions) in [("min_instances", &self.min_instances), ("cpu", &self.cpu)] {
            for name in functions.keys() {
                if !app.functions.contains_key(name) {
                    return wrong(key, name, "the manifest declares no function of this name");
                }
            }
        }
        if let Some(count) = self.cpu.values().find(|count| !PROCESSORS.contains(count)) {
            return wrong(
                "cpu",
                &count.to_string(),
                "an instance has 1, 2, 4, 6 or 8 processors",
            );
        }
        if let Some(name) = self
            .mail_secret
            .as_deref()
            .filter(|name| !is_secret(name) && !is_secret_name(name))
        {
            return wrong(
                "mail_secret",
                name,
                "the manifest declares no secret of this name; one that exists already is named in full, as in \"projects/<project>/secrets/<name>\"",
            );
        }
        for (name, existing) in &self.secrets {
            if !is_secret(name) {
                return wrong("secrets", name, "the manifest declares no secret of this name");
            }
            if !is_secret_name(existing) {
                return wrong(
                    "secrets",
                    existing,
                    "a secret that exists already is named in full, as in \"projects/<project>/secrets/<name>\"; a version may follow, as in \"…/versions/7\"",
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

    fn check_labels(&self, target: &str) -> Result<()> {
        let wrong = wrong(target);
        if self.labels.len() > MAX_LABELS {
            return wrong(
                "labels",
                &self.labels.len().to_string(),
                "a resource takes 60 labels besides ours; leave some out",
            );
        }
        for (key, value) in &self.labels {
            if key.starts_with("nephos") || key.starts_with("goog") {
                return wrong(
                    "labels",
                    key,
                    "labels that begin with `nephos` or `goog` are not yours to set",
                );
            }
            if !key.starts_with(|letter: char| letter.is_ascii_lowercase())
                || !is_label(key)
                || !is_label(value)
            {
                return wrong(
                    "labels",
                    key,
                    "a label's name and value are lower-case letters, digits, hyphens and underscores, at most 63, and the name begins with a letter",
                );
            }
        }
        Ok(())
    }
}

/// The error of a setting of this target.
fn wrong(target: &str) -> impl Fn(&str, &str, &'static str) -> Result<()> {
    move |key, value, message| {
        Err(Error::new(ErrorKind::InvalidArgument, "deploy.settings", message)
            .with("key", format!("target.{target}.{key}"))
            .with("value", value))
    }
}

fn is_plain(text: &str) -> bool {
    text.bytes()
        .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-')
}

/// `europe-west1`, `us-east5`: <https://cloud.google.com/about/locations>.
fn is_region(text: &str) -> bool {
    let Some((continent, rest)) = text.split_once('-') else {
        return false;
    };
    let digits = rest.trim_start_matches(|letter: char| letter.is_ascii_lowercase());
    let is_word = |text: &str| !text.is_empty() && text.bytes().all(|letter| letter.is_ascii_lowercase());
    is_word(continent)
        && digits.len() < rest.len()
        && !digits.is_empty()
        && digits.bytes().all(|digit| digit.is_ascii_digit())
}

/// `my-shop`, or, of an old organisation, `example.com:my-shop`: <https://cloud.google.com/resource-manager/docs/creating-managing-projects>.
fn is_project(text: &str) -> bool {
    let id = match text.split_once(':') {
        Some((domain, id)) => {
            let is_domain =
                domain.contains('.') && domain.split('.').all(|part| !part.is_empty() && is_plain(part));
            if !is_domain {
                return false;
            }
            id
        }
        None => text,
    };
    (6..=30).contains(&id.len())
        && is_plain(id)
        && id.starts_with(|letter: char| letter.is_ascii_lowercase())
        && !id.ends_with('-')
}

fn is_prefix(text: &str) -> bool {
    text.len() <= MAX_PREFIX
        && is_plain(text)
        && text.starts_with(|letter: char| letter.is_ascii_lowercase())
        && !text.ends_with('-')
        && !text.contains("--")
}

/// What topics must not begin with, and buckets must not hold: <https://cloud.google.com/storage/docs/buckets#naming>,
/// <https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names>.
pub(super) fn is_googles(text: &str) -> bool {
    text.starts_with("goog") || text.contains("google") || text.contains("g00gle")
}

/// `projects/p/secrets/s`, or a secret of a region, and perhaps a version of it.
fn is_secret_name(text: &str) -> bool {
    let is_word = |text: &&str| {
        !text.is_empty()
            && (text.bytes()).all(|letter| letter.is_ascii_alphanumeric() || b"-_.:".contains(&letter))
    };
    let parts: Vec<&str> = text.split('/').collect();
    let place = match parts.as_slice() {
        [place @ .., "versions", version] if is_word(version) => place,
        place => place,
    };
    match place {
        ["projects", project, "secrets", name] => [project, name].into_iter().all(is_word),
        ["projects", project, "locations", region, "secrets", name] => {
            [project, region, name].into_iter().all(is_word)
        }
        _ => false,
    }
}

fn is_label(text: &str) -> bool {
    text.len() <= MAX_LABEL
        && (text.bytes()).all(|letter| {
            letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-' || letter == b'_'
        })
}

//! `host.json`: the custom handler, and the options of the triggers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nephos_core::Result;
use serde_json::Value;

use super::retry::Retry;
use crate::azure_functions::refused;

/// The options of Storage queues.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of host.json")]
pub struct Queues {
    pub batch_size: usize,
    pub new_batch_threshold: usize,
    pub max_dequeue_count: u32,
    pub visibility_timeout: Duration,
    pub max_polling_interval: Duration,
    pub encoding: Encoding,
}

/// How the text of a Storage queue's message is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Base64.
    Base64,
    /// As it is.
    None,
}

/// The options of Event Hubs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of host.json")]
pub struct EventHubs {
    pub max_event_batch_size: usize,
}

/// The options of Service Bus.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of host.json")]
pub struct ServiceBus {
    pub max_concurrent_calls: usize,
    pub max_concurrent_sessions: usize,
}

/// What `host.json` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostJson {
    /// The program, as the file says it.
    pub executable: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The folder that it runs in, below the package's, or absolute.
    pub working_directory: Option<String>,
    /// Whether requests of functions with HTTP in and out reach it as the client sent them.
    pub forwarding: bool,
    /// What routes begin with.
    pub route_prefix: String,
    /// How long an invocation may take; none for as long as it likes.
    pub function_timeout: Option<Duration>,
    /// Storage queues.
    pub queues: Queues,
    /// Event Hubs.
    pub event_hubs: EventHubs,
    /// Service Bus.
    pub service_bus: ServiceBus,
    /// For functions that say nothing of it themselves.
    pub retry: Option<Retry>,
    /// Whether triggers are there that the host does not have by itself: all but HTTP and timers come in a bundle.
    pub has_bundle: bool,
}

impl HostJson {
    pub(super) fn read(value: &Value) -> Result<Self> {
        match value.get("version").and_then(Value::as_str) {
            Some("2.0") => {}
            Some(other) => {
                return Err(refused(format!(
                    "`{other}` is an invalid value for host.json's property `version`; it must be `2.0`"
                )));
            }
            None => {
                return Err(refused(
                    "host.json is missing the required property `version`; it must be `2.0`".to_owned(),
                ));
            }
        }
        let handler = value.get("customHandler").ok_or_else(|| {
            refused("host.json has no `customHandler`, so there is no process to start".to_owned())
        })?;
        let description = handler
            .get("description")
            .ok_or_else(|| refused("host.json: `customHandler` has no `description`".to_owned()))?;
        let executable = description
            .get("defaultExecutablePath")
            .and_then(Value::as_str)
            .filter(|path| !path.is_empty())
            .ok_or_else(|| {
                refused(
                    "host.json: `customHandler.description.defaultExecutablePath` cannot be empty".to_owned(),
                )
            })?;
        let extensions = value.get("extensions");
        let section = |name: &str| {
            extensions
                .and_then(|all| all.get(name))
                .cloned()
                .unwrap_or(Value::Null)
        };
        let retry = value.get("retry").filter(|retry| !retry.is_null());
        Ok(Self {
            executable: executable.to_owned(),
            arguments: strings(description.get("arguments")),
            working_directory: description
                .get("workingDirectory")
                .and_then(Value::as_str)
                .filter(|path| !path.is_empty())
                .map(ToOwned::to_owned),
            forwarding: handler
                .get("enableForwardingHttpRequest")
                .and_then(Value::as_bool)
                .unwrap_or(false),
            route_prefix: section("http")
                .get("routePrefix")
                .and_then(Value::as_str)
                .unwrap_or("api")
                .trim_matches('/')
                .to_owned(),
            function_timeout: timeout(value.get("functionTimeout"))?,
            queues: queues(&section("queues"))?,
            event_hubs: EventHubs {
                max_event_batch_size: count(&section("eventHubs"), "maxEventBatchSize", 100, 1, 100_000)?,
            },
            service_bus: ServiceBus {
                max_concurrent_calls: count(&section("serviceBus"), "maxConcurrentCalls", 16, 1, 10_000)?,
                max_concurrent_sessions: count(
                    &section("serviceBus"),
                    "maxConcurrentSessions",
                    8,
                    1,
                    10_000,
                )?,
            },
            retry: retry.map(|retry| Retry::read(retry, "host.json")).transpose()?,
            has_bundle: bundle(value.get("extensionBundle"))?,
        })
    }

    /// The program's path, once the package is at `root`.
    #[must_use]
    pub fn executable_in(&self, root: &Path) -> PathBuf {
        root.join(&self.executable)
    }

    /// The folder that the program runs in, once the package is at `root`.
    #[must_use]
    pub fn folder_in(&self, root: &Path) -> PathBuf {
        self.working_directory
            .as_ref()
            .map_or_else(|| root.to_owned(), |folder| root.join(folder))
    }
}

/// The bundle of extensions: which, and which of its versions (`[4.*, 5.0.0)`).
fn bundle(section: Option<&Value>) -> Result<bool> {
    let Some(section) = section.filter(|section| !section.is_null()) else {
        return Ok(false);
    };
    let text = |name: &str| section.get(name).and_then(Value::as_str).map_or("", str::trim);
    if text("id") != "Microsoft.Azure.Functions.ExtensionBundle" {
        return Err(refused(format!(
            "host.json: extensionBundle.id is `{}`; it is `Microsoft.Azure.Functions.ExtensionBundle`",
            text("id")
        )));
    }
    let version = text("version");
    let is_range = version.starts_with(['[', '(']) && version.ends_with([']', ')']);
    let bounds = version.trim_matches(['[', '(', ']', ')']).split(',');
    let is_version = |bound: &str| bound.chars().all(|c| c.is_ascii_digit() || c == '.' || c == '*');
    if version.is_empty()
        || !bounds.clone().all(|bound| is_version(bound.trim()))
        || (bounds.count() > 1 && !is_range)
    {
        return Err(refused(format!(
            "host.json: extensionBundle.version is `{version}`, which is no range of versions (`[4.*, 5.0.0)`)"
        )));
    }
    Ok(true)
}

fn queues(section: &Value) -> Result<Queues> {
    let batch_size = count(section, "batchSize", 16, 1, 32)?;
    let encoding = match section.get("messageEncoding").and_then(Value::as_str) {
        None => Encoding::Base64,
        Some(name) if name.eq_ignore_ascii_case("base64") => Encoding::Base64,
        Some(name) if name.eq_ignore_ascii_case("none") => Encoding::None,
        Some(other) => {
            return Err(refused(format!(
                "host.json: extensions.queues.messageEncoding is `{other}`; it is `base64` or `none`"
            )));
        }
    };
    let place = "host.json: extensions.queues";
    let max_polling_interval = span(
        section.get("maxPollingInterval"),
        &format!("{place}.maxPollingInterval"),
    )?
    .unwrap_or(Duration::from_secs(60));
    if max_polling_interval < Duration::from_millis(100) {
        return Err(refused(format!(
            "{place}.maxPollingInterval must not be less than 00:00:00.1"
        )));
    }
    Ok(Queues {
        batch_size,
        new_batch_threshold: count(section, "newBatchThreshold", batch_size / 2, 0, 1000)?,
        max_dequeue_count: u32::try_from(count(section, "maxDequeueCount", 5, 1, 1_000_000)?)
            .unwrap_or(u32::MAX),
        visibility_timeout: span(
            section.get("visibilityTimeout"),
            &format!("{place}.visibilityTimeout"),
        )?
        .unwrap_or_default(),
        max_polling_interval,
        encoding,
    })
}

fn count(section: &Value, name: &str, default: usize, least: usize, most: usize) -> Result<usize> {
    let Some(value) = section.get(name).filter(|value| !value.is_null()) else {
        return Ok(default);
    };
    value
        .as_u64()
        .and_then(|value| usize::try_from(value).ok())
        .filter(|value| (least..=most).contains(value))
        .ok_or_else(|| {
            refused(format!(
                "host.json: `{name}` is {value}; it must be from {least} to {most}"
            ))
        })
}

/// The limit of an invocation: half an hour unless said, at least a second, and `-1` for none.
fn timeout(value: Option<&Value>) -> Result<Option<Duration>> {
    let text = match value.filter(|value| !value.is_null()) {
        None => return Ok(Some(Duration::from_secs(30 * 60))),
        Some(value) => value
            .as_str()
            .map_or_else(|| value.to_string(), ToOwned::to_owned),
    };
    if text == "-1" {
        return Ok(None);
    }
    let limit = duration(&text).ok_or_else(|| {
        refused(format!(
            "host.json: functionTimeout is `{text}`, which is no time span (`00:05:00`)"
        ))
    })?;
    if limit < Duration::from_secs(1) {
        return Err(refused(
            "host.json: functionTimeout must be greater than or equal to 00:00:01".to_owned(),
        ));
    }
    Ok(Some(limit))
}

pub(super) fn span(value: Option<&Value>, place: &str) -> Result<Option<Duration>> {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    value
        .as_str()
        .and_then(duration)
        .map(Some)
        .ok_or_else(|| refused(format!("{place} is {value}, which is no time span (`00:00:30`)")))
}

fn strings(value: Option<&Value>) -> Vec<String> {
    value
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|item| item.as_str().map(ToOwned::to_owned))
        .collect()
}

/// A .NET time span: `d`, `[d.]hh:mm`, `[d.]hh:mm:ss[.fffffff]`; a negative one is none here.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let (days, clock) = match text.split_once(':') {
        None => {
            return Some(Duration::from_secs(
                text.parse::<u64>().ok()?.checked_mul(86_400)?,
            ));
        }
        Some((first, _)) => match first.split_once('.') {
            Some((days, _)) => (days.parse::<u64>().ok()?, text.split_once('.')?.1),
            None => (0, text),
        },
    };
    let mut parts = clock.split(':');
    let hours: u64 = parts.next()?.parse().ok()?;
    let minutes: u64 = parts.next()?.parse().ok()?;
    let seconds: f64 = parts.next().unwrap_or("0").parse().ok()?;
    if parts.next().is_some() || minutes > 59 || !(0.0..60.0).contains(&seconds) {
        return None;
    }
    // More hours than a day has are days: `24:00:00` is read as 24 days.
    let whole = if hours > 23 && days == 0 {
        hours * 86_400 + minutes * 3600
    } else {
        days * 86_400 + hours * 3600 + minutes * 60
    };
    Duration::try_from_secs_f64(seconds)
        .ok()
        .map(|rest| Duration::from_secs(whole) + if hours > 23 { rest * 60 } else { rest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spans_are_those_of_dotnet() {
        let seconds = |text| duration(text).map(|span| span.as_secs_f64());
        assert_eq!(seconds("00:00:30"), Some(30.0));
        assert_eq!(seconds("00:00:00.5"), Some(0.5));
        assert_eq!(seconds("1.02:03:04"), Some(93_784.0));
        assert_eq!(seconds("10:05"), Some(36_300.0));
        assert_eq!(seconds("2"), Some(172_800.0));
        assert_eq!(seconds("24:00:00"), Some(24.0 * 86_400.0));
        assert_eq!(seconds("soon"), None);
        assert_eq!(seconds("00:61:00"), None);
        assert_eq!(seconds("-00:01:00"), None);
    }
}

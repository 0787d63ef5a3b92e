//! What calls a function's sites: the triggers of the Functions host, by name, each with what it is bound to.

use nephos_core::app::{App, FunctionSpec, Resource, Trigger};
use nephos_core::deploy::name::short_hash;
use nephos_core::event::{AuthStage, ChangeKind};
use nephos_core::{ErrorKind, Result};

use super::layout::{MAX_QUEUE, Site, queue_name};
use super::{name, schedule};
use crate::deploy::refused;
use crate::package::HTTP;

/// The longest name of a trigger of ours; the host takes 128.
const MAX_TRIGGER: usize = 60;
/// The longest name of a consumer group: <https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas>.
const MAX_GROUP: usize = 50;
/// What the Functions host keeps for itself.
const RESERVED_PATHS: [&str; 2] = ["/admin", "/runtime"];
/// What Entra can ask an extension: <https://learn.microsoft.com/entra/identity-platform/custom-extension-overview>.
pub(super) const AUTH_EVENTS: [&str; 4] = [
    "OnAttributeCollectionStart",
    "OnAttributeCollectionSubmit",
    "OnOtpSend",
    "OnTokenIssuanceStart",
];

/// One trigger of the Functions host.
#[derive(Debug)]
pub(in crate::deploy) struct HostTrigger<'a> {
    /// Its name: a folder of the package, and the path by which the host calls the process.
    pub(in crate::deploy) name: String,
    /// The trigger in the manifest; `None` for requests, of which there may be many.
    pub(in crate::deploy) spec: Option<&'a Trigger>,
    /// What it is bound to.
    pub(in crate::deploy) source: Source<'a>,
}

/// What a trigger of the host is bound to.
#[derive(Debug)]
pub(in crate::deploy) enum Source<'a> {
    /// Requests.
    Http,
    /// A queue of the storage account, by the manifest's name.
    Queue { queue: &'a str },
    /// A queue of Service Bus with sessions.
    Sessions { queue: &'a str },
    /// A queue of the function's own that Event Grid delivers to, by its name on Azure.
    Inbox { queue: String },
    /// An event hub.
    Hub {
        stream: &'a str,
        group: String,
        batch: u32,
    },
    /// The change feed of a table.
    Feed {
        table: &'a str,
        leases: String,
        batch: u32,
    },
    /// A timer.
    Timer { expression: String },
}

impl Source<'_> {
    /// The queue of the storage account that the host takes messages from.
    pub(in crate::deploy) fn storage_queue(&self) -> Option<String> {
        match self {
            Self::Queue { queue } => Some(queue_name(queue)),
            Self::Inbox { queue } => Some(queue.clone()),
            _ => None,
        }
    }
}

/// A function's sites: one, or that of requests and that of all else.
pub(super) fn sites<'a>(app: &'a App, function: &'a str, spec: &'a FunctionSpec) -> Result<Vec<Site<'a>>> {
    let site = |label: String| Site {
        function,
        label,
        triggers: Vec::new(),
        callers: Vec::new(),
    };
    let mut front = site(function.to_owned());
    let mut rest = site(second_label(app, function));
    let mut requests = false;
    for trigger in &spec.on {
        match trigger {
            Trigger::Http { path, .. } => {
                reserved(function, path)?;
                requests = true;
                continue;
            }
            Trigger::Email { .. } | Trigger::Voice { .. } => {}
            Trigger::Auth { stage } => {
                auth_event(function, stage)?;
            }
            _ => {
                if let Some(source) = source(app, function, trigger)? {
                    add(&mut rest, function, trigger, source)?;
                }
                continue;
            }
        }
        requests = true;
        front.callers.push(trigger);
    }
    rest.triggers.sort_by(|one, other| one.name.cmp(&other.name));
    if !requests {
        rest.label = front.label;
        return Ok(vec![rest]);
    }
    front.triggers.push(HostTrigger {
        name: HTTP.to_owned(),
        spec: None,
        source: Source::Http,
    });
    if rest.triggers.is_empty() {
        return Ok(vec![front]);
    }
    Ok(vec![front, rest])
}

/// The label of a function's second site, which no other function has.
fn second_label(app: &App, function: &str) -> String {
    let label = format!("{function}-events");
    if app.functions.contains_key(&label) {
        return format!("{label}-{}", short_hash(&[function]));
    }
    label
}

fn add<'a>(site: &mut Site<'a>, function: &str, trigger: &'a Trigger, source: Source<'a>) -> Result<()> {
    let name = trigger_name(trigger);
    let same = |other: &HostTrigger<'_>| match (&other.source, &source) {
        (Source::Queue { queue: one }, Source::Queue { queue: other })
        | (Source::Sessions { queue: one }, Source::Sessions { queue: other }) => one == other,
        _ => other.name == name,
    };
    if site.triggers.iter().any(same) {
        return Err(refused(
            ErrorKind::InvalidArgument,
            "the function has two triggers on the same source; make one of them, or give one to another function",
        )
        .with("function", function)
        .with("trigger", name));
    }
    site.triggers.push(HostTrigger {
        name,
        spec: Some(trigger),
        source,
    });
    Ok(())
}

/// What a trigger that is no request is bound to; `None` for a bucket that Azure is not told of.
fn source<'a>(app: &App, function: &str, trigger: &'a Trigger) -> Result<Option<Source<'a>>> {
    Ok(Some(match trigger {
        Trigger::Bucket { bucket, .. } => {
            if matches!(app.resources.get(bucket), Some(Resource::Bucket(spec)) if spec.url.is_some()) {
                return Ok(None);
            }
            inbox(function, trigger)
        }
        Trigger::Topic { .. } => inbox(function, trigger),
        Trigger::Queue { queue, .. } => match app.resources.get(queue) {
            Some(Resource::Queue(spec)) if spec.ordered => Source::Sessions { queue },
            _ => Source::Queue { queue },
        },
        Trigger::Stream { stream, batch } => Source::Hub {
            stream,
            group: name::physical(function, &short_hash(&[&trigger_name(trigger)]), MAX_GROUP),
            batch: *batch,
        },
        Trigger::Table { table, events, batch } => {
            if events.iter().all(|event| *event == ChangeKind::Removed) {
                return Err(refused(
                    ErrorKind::Unsupported,
                    "the change feed of Cosmos DB does not tell of removed items; mark an item as removed and let it expire, or leave this trigger out",
                )
                .with("function", function)
                .with("table", table)
                .with("events", "removed"));
            }
            Source::Feed {
                table,
                leases: short_hash(&[function, &trigger_name(trigger)]),
                batch: *batch,
            }
        }
        Trigger::Schedule {
            schedule,
            every,
            timezone,
        } => {
            let expression = schedule::expression(schedule, *every, timezone).map_err(|reason| {
                nephos_core::Error::new(ErrorKind::Unsupported, "deploy.render", reason)
                    .with("function", function)
                    .with("schedule", schedule)
            })?;
            Source::Timer { expression }
        }
        Trigger::Http { .. } | Trigger::Email { .. } | Trigger::Auth { .. } | Trigger::Voice { .. } => {
            return Ok(None);
        }
    }))
}

/// Event Grid calls a function only once its code is there, keeps what fails as a blob and does not count tries. A queue between them does all three as
/// for every other message.
fn inbox<'a>(function: &str, trigger: &Trigger) -> Source<'a> {
    let name = trigger_name(trigger);
    let queue = name::ours(&format!("{}in-{function}-{name}", name::OURS), MAX_QUEUE);
    Source::Inbox { queue }
}

/// `queue-jobs-0a1b2c3d`: the kind, what it watches, and what tells it from others. Letters, digits and hyphens.
pub(in crate::deploy) fn trigger_name(trigger: &Trigger) -> String {
    let text = match trigger {
        Trigger::Schedule { schedule, .. } => schedule,
        Trigger::Email { address } => address,
        Trigger::Auth { stage } => stage.name(),
        Trigger::Voice { skill } => skill,
        Trigger::Http { path, .. } => path,
        other => other.resource().unwrap_or_default(),
    };
    // A trigger's JSON is text of its own type: this cannot fail.
    let json = serde_json::to_string(trigger).unwrap_or_default();
    let hash = short_hash(&[&json]);
    let plain: String = text
        .chars()
        .map(|letter| {
            if letter.is_ascii_alphanumeric() {
                letter.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect();
    let kind = trigger.kind();
    let cut = name::words(&format!("{kind}-{plain}"), MAX_TRIGGER - hash.len() - 1);
    format!("{cut}-{hash}")
}

fn reserved(function: &str, path: &str) -> Result<()> {
    let below = |reserved: &str| {
        path.strip_prefix(reserved)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    match RESERVED_PATHS.into_iter().find(|reserved| below(reserved)) {
        None => Ok(()),
        Some(reserved) => Err(refused(
            ErrorKind::Unsupported,
            "the Functions host keeps these paths for itself; choose another path",
        )
        .with("function", function)
        .with("path", path)
        .with("reserved", reserved)),
    }
}

/// Entra's word for a step of sign-up or sign-in.
pub(in crate::deploy) fn auth_event<'s>(function: &str, stage: &'s AuthStage) -> Result<&'s str> {
    match stage {
        AuthStage::BeforeSignUp => Ok("OnAttributeCollectionSubmit"),
        AuthStage::BeforeToken => Ok("OnTokenIssuanceStart"),
        AuthStage::Other(event) if AUTH_EVENTS.contains(&event.as_str()) => Ok(event),
        other => Err(refused(
            ErrorKind::Unsupported,
            "Entra asks no extension at this step; it does before sign-up (before_sign_up), before a token (before_token), and by its own names OnAttributeCollectionStart and OnOtpSend",
        )
        .with("function", function)
        .with("stage", other.name())),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn names_of_triggers_are_short_plain_and_never_shared() {
        let schedule = |text: &str| Trigger::Schedule {
            schedule: text.to_owned(),
            every: None,
            timezone: "UTC".to_owned(),
        };
        let topic = |value: &str| Trigger::Topic {
            topic: "news".to_owned(),
            filter: BTreeMap::from([("kind".to_owned(), value.to_owned())]),
        };
        let long = Trigger::Email {
            address: format!("{}@example.net", "x".repeat(200)),
        };
        let triggers = [
            schedule("0 6 * * *"),
            schedule("0 6 * * 1"),
            topic("a"),
            topic("b"),
            long,
        ];
        let names: Vec<String> = triggers.iter().map(trigger_name).collect();
        assert!(names[0].starts_with("schedule-0-6-"), "{}", names[0]);
        for name in &names {
            assert!(
                name.len() <= MAX_TRIGGER && name.starts_with(|letter: char| letter.is_ascii_lowercase()),
                "{name}"
            );
            assert!(
                name.bytes()
                    .all(|letter| letter.is_ascii_alphanumeric() || letter == b'-'),
                "{name}"
            );
            assert_eq!(names.iter().filter(|other| *other == name).count(), 1);
        }
    }

    #[test]
    fn steps_of_sign_in_have_entras_names_or_are_refused() {
        assert_eq!(
            auth_event("f", &AuthStage::BeforeToken).unwrap(),
            "OnTokenIssuanceStart"
        );
        let own = AuthStage::Other("OnOtpSend".to_owned());
        assert_eq!(auth_event("f", &own).unwrap(), "OnOtpSend");
        for stage in [
            AuthStage::AfterSignUp,
            AuthStage::BeforeSignIn,
            AuthStage::Other("CustomMessage".to_owned()),
        ] {
            let error = auth_event("f", &stage).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.to_string().contains(stage.name()), "{error}");
        }
    }
}

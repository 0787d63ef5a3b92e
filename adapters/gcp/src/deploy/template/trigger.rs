//! What calls a function: requests, those who wait for an answer, and events, each by the name that its path ends with.

use nephos_core::app::{App, FunctionSpec, ObjectEventKind, Resource, Trigger};
use nephos_core::event::{AuthStage, ChangeKind};
use nephos_core::{Error, ErrorKind, Result};

use super::{name, schedule};
use crate::deploy::refused;
use crate::wiring::{Form, PREFIX};

/// The steps at which Identity Platform asks: <https://cloud.google.com/identity-platform/docs/blocking-functions>.
const OWN_STAGES: [&str; 2] = ["beforeSendEmail", "beforeSendSms"];

/// What calls a function.
#[derive(Debug, Default)]
pub(super) struct Called<'a> {
    /// Whether clients' requests do.
    pub(super) by_requests: bool,
    /// Triggers whose callers are no service of Google Cloud's, and wait: mail, sign-in, voice.
    pub(super) callers: Vec<&'a Trigger>,
    /// Triggers by which Google's services call.
    pub(super) events: Vec<Event<'a>>,
}

impl Called<'_> {
    /// Whether anything outside Google Cloud does, which has no role.
    pub(super) fn is_from_outside(&self) -> bool {
        self.by_requests || !self.callers.is_empty()
    }
}

/// A trigger by which one of Google's services calls.
#[derive(Debug)]
pub(super) struct Event<'a> {
    /// Its name, the last part of its path.
    pub(super) name: String,
    /// The trigger in the manifest.
    pub(super) trigger: &'a Trigger,
    /// Where its events come from.
    pub(super) source: Source<'a>,
}

/// Where events come from.
#[derive(Debug)]
pub(super) enum Source<'a> {
    /// A queue's one subscription.
    Queue { queue: &'a str },
    /// A subscription to a topic.
    Topic { topic: &'a str },
    /// A subscription to a stream's topic, in order.
    Stream { stream: &'a str },
    /// A bucket's notifications.
    Bucket {
        bucket: &'a str,
        event: ObjectEventKind,
        prefix: &'a str,
    },
    /// Eventarc's events of this type.
    Table { table: &'a str, change: &'static str },
    /// A job.
    Schedule { cron: String, timezone: &'a str },
}

impl Source<'_> {
    /// The form of its requests.
    pub(super) const fn form(&self) -> Form {
        match self {
            Self::Queue { .. } | Self::Topic { .. } | Self::Stream { .. } | Self::Bucket { .. } => Form::Push,
            Self::Table { .. } => Form::CloudEvent,
            Self::Schedule { .. } => Form::Scheduler,
        }
    }
}

impl Event<'_> {
    /// Its path: see [`crate::wiring::Source::path`].
    pub(super) fn path(&self) -> String {
        format!("{PREFIX}{}/{}", self.trigger.kind(), self.name)
    }
}

/// What calls a function.
///
/// # Errors
/// For triggers that Google Cloud does not have, and two of which one would be lost.
pub(super) fn of<'a>(app: &App, function: &'a str, spec: &'a FunctionSpec) -> Result<Called<'a>> {
    let mut called = Called::default();
    for trigger in &spec.on {
        match trigger {
            Trigger::Http { .. } => called.by_requests = true,
            Trigger::Email { .. } | Trigger::Voice { .. } => called.callers.push(trigger),
            Trigger::Auth { stage } => {
                step(function, stage)?;
                called.callers.push(trigger);
            }
            _ => {
                if let Some(source) = source(app, function, trigger)? {
                    add(&mut called, function, trigger, source)?;
                }
            }
        }
    }
    called.events.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(called)
}

fn add<'a>(called: &mut Called<'a>, function: &str, trigger: &'a Trigger, source: Source<'a>) -> Result<()> {
    let name = trigger_name(trigger);
    if called.events.iter().any(|other| other.name == name) {
        return Err(refused(
            ErrorKind::InvalidArgument,
            "the function has the same trigger twice; leave one of them out",
        )
        .with("function", function)
        .with("trigger", name));
    }
    called.events.push(Event {
        name,
        trigger,
        source,
    });
    Ok(())
}

/// Where a trigger's events come from; `None` for a bucket that Google is not told of.
fn source<'a>(app: &App, function: &str, trigger: &'a Trigger) -> Result<Option<Source<'a>>> {
    Ok(Some(match trigger {
        Trigger::Bucket {
            bucket,
            event,
            prefix,
            ..
        } => {
            if matches!(app.resources.get(bucket), Some(Resource::Bucket(spec)) if spec.url.is_some()) {
                return Ok(None);
            }
            Source::Bucket {
                bucket,
                event: *event,
                prefix,
            }
        }
        Trigger::Queue { queue, .. } => Source::Queue { queue },
        Trigger::Topic { topic, .. } => Source::Topic { topic },
        Trigger::Stream { stream, .. } => Source::Stream { stream },
        Trigger::Table { table, events, .. } => {
            let mut kinds = events.iter();
            // Eventarc filters by one type. What is not wanted of several the host leaves out.
            let change = match (kinds.next(), kinds.next()) {
                (Some(ChangeKind::Inserted), None) => "created",
                (Some(ChangeKind::Modified), None) => "updated",
                (Some(ChangeKind::Removed), None) => "deleted",
                _ => "written",
            };
            Source::Table { table, change }
        }
        Trigger::Schedule {
            schedule,
            every,
            timezone,
        } => {
            let cron = schedule::cron(schedule, *every).map_err(|reason| {
                Error::new(ErrorKind::Unsupported, "deploy.render", reason)
                    .with("function", function)
                    .with("schedule", schedule)
            })?;
            // An interval has no time zone.
            let timezone = if every.is_some() { "UTC" } else { timezone };
            Source::Schedule { cron, timezone }
        }
        Trigger::Http { .. } | Trigger::Email { .. } | Trigger::Auth { .. } | Trigger::Voice { .. } => {
            return Ok(None);
        }
    }))
}

/// The name of a trigger, the same each time.
pub(super) fn trigger_name(trigger: &Trigger) -> String {
    let about = match trigger {
        Trigger::Schedule { schedule, .. } => schedule,
        other => other.resource().unwrap_or_default(),
    };
    // A trigger's JSON is text of its own type: this cannot fail.
    let json = serde_json::to_string(trigger).unwrap_or_default();
    name::trigger(trigger.kind().name(), about, &name::short_hash(&[&json]))
}

fn step(function: &str, stage: &AuthStage) -> Result<()> {
    match stage {
        AuthStage::BeforeSignUp | AuthStage::BeforeSignIn => Ok(()),
        AuthStage::Other(name) if OWN_STAGES.contains(&name.as_str()) => Ok(()),
        other => Err(refused(
            ErrorKind::Unsupported,
            "Identity Platform asks nobody at this step; it does before sign-up (before_sign_up), before sign-in (before_sign_in, which may add claims to the token), and by its own names beforeSendEmail and beforeSendSms",
        )
        .with("function", function)
        .with("stage", other.name())),
    }
}

/// Identity Platform's word for a step, as [`crate::events::auth::name_of`] has it where that is built.
pub(super) fn blocking_event(stage: &AuthStage) -> &str {
    match stage {
        AuthStage::BeforeSignUp => "beforeCreate",
        AuthStage::BeforeSignIn => "beforeSignIn",
        other => other.name(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn names_of_triggers_are_never_shared() {
        let schedule = |text: &str| Trigger::Schedule {
            schedule: text.to_owned(),
            every: None,
            timezone: "UTC".to_owned(),
        };
        let topic = |value: &str| Trigger::Topic {
            topic: "news".to_owned(),
            filter: BTreeMap::from([("kind".to_owned(), value.to_owned())]),
        };
        let triggers = [
            schedule("0 6 * * *"),
            schedule("0 6 * * 1"),
            topic("a"),
            topic("b"),
        ];
        let names: Vec<String> = triggers.iter().map(trigger_name).collect();
        assert!(names[0].starts_with("schedule-0-6-"), "{}", names[0]);
        for name in &names {
            assert_eq!(names.iter().filter(|other| *other == name).count(), 1);
        }
    }

    #[test]
    fn steps_of_sign_in_are_identity_platforms_or_refused() {
        let own = AuthStage::Other("beforeSendSms".to_owned());
        for stage in [AuthStage::BeforeSignUp, AuthStage::BeforeSignIn, own] {
            step("f", &stage).unwrap();
        }
        for stage in [
            AuthStage::AfterSignUp,
            AuthStage::AfterSignIn,
            AuthStage::BeforeToken,
            AuthStage::Other("CustomMessage".to_owned()),
        ] {
            let error = step("f", &stage).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.to_string().contains(stage.name()), "{error}");
        }
    }
}

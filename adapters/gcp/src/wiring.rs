//! What deployment tells the process in [`WIRING`]: what every target tells, and beside it the triggers whose events come as requests of Google's services.
//! Pure. It is a variable of the service's revision, so that going back to an earlier revision takes it along.
//!
//! The path of a request names its trigger: `/.nephos/<kind>/<trigger>`, the name being a key of [`Service::triggers`]; everything else is a client's request. Deployment puts the path
//! into the push subscription, the Eventarc trigger, the job or the task.

use std::collections::BTreeMap;

use nephos_core::app::Trigger;
use nephos_core::env::{Environment, WIRING};
use nephos_core::wiring::Wiring;
use nephos_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// What the paths of all requests begin with that are no client's.
pub const PREFIX: &str = "/.nephos/";
/// Where a mail service posts what came in.
pub const MAIL_PATH: &str = "/.nephos/mail";
/// Where Identity Platform calls for a step of sign-in, whose name follows.
pub const AUTH_PATH: &str = "/.nephos/auth/";
/// Where a voice service calls for a skill, whose name follows.
pub const VOICE_PATH: &str = "/.nephos/voice/";

/// What the variable holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// What every target tells of a function, with Google's names.
    #[serde(flatten)]
    pub wiring: Wiring,
    /// The triggers whose events nobody waits for, by the names that their paths end with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub triggers: BTreeMap<String, Source>,
    /// By what those who call with an event, and wait for the answer, prove who they are.
    #[serde(default, skip_serializing_if = "Callers::is_empty")]
    pub callers: Callers,
}

/// A trigger, and how its events come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The trigger.
    pub trigger: Trigger,
    /// The form of its requests.
    pub by: Form,
    /// Who vouches for whoever sends them.
    pub caller: Caller,
}

/// The form of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// A message of Pub/Sub in JSON: <https://cloud.google.com/pubsub/docs/push#receive_push>.
    Push,
    /// A message of Pub/Sub whose body is the request's, and its attributes are headers: <https://cloud.google.com/pubsub/docs/payload-unwrapping>.
    Unwrapped,
    /// A CloudEvent of Eventarc: <https://cloud.google.com/eventarc/docs/cloudevents>.
    CloudEvent,
    /// A job of Cloud Scheduler: <https://cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs#HttpTarget>.
    Scheduler,
    /// A task of Cloud Tasks: <https://cloud.google.com/tasks/docs/creating-http-target-tasks#handler>.
    Task,
}

/// Who vouches for the sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Caller {
    /// Cloud Run itself: nobody may call the service but by a role. It
    /// [takes the signature away](https://cloud.google.com/run/docs/authenticating/service-to-service) from the token that it checked, so there is nothing left to verify.
    Platform,
    /// The token in the request's header `Authorization`: the service takes requests of anyone.
    Token {
        /// Whom the token must be for.
        audience: String,
        /// The service account that it must be of.
        email: String,
    },
}

/// See [`Service::callers`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callers {
    /// The mail service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<MailCaller>,
    /// Identity Platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<AuthCaller>,
    /// The addresses (`ann@example.net`, `*@example.net`, `*`) whose mail the function takes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// The skills that the function answers, by their names in the manifest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skills: Vec<String>,
}

impl Callers {
    /// Whether nobody does.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.mail.is_none() && self.auth.is_none() && self.addresses.is_empty() && self.skills.is_empty()
    }
}

/// The mail service proves itself by a secret: the password of HTTP's basic authentication, or `key` in the query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailCaller {
    /// The name of the secret in Secret Manager.
    pub secret: String,
}

/// Identity Platform proves itself by the signature of the event, which is a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthCaller {
    /// The project, whose name the token's issuer ends with.
    pub project: String,
    /// Whom the token is for: the URLs by which the step may be registered.
    pub audiences: Vec<String>,
    /// The steps that the function answers.
    pub stages: Vec<nephos_core::event::AuthStage>,
}

impl Service {
    /// What deployment told; nothing if the variable is unset.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if it is not what deployment writes.
    pub fn of(environment: &Environment) -> Result<Self> {
        environment
            .get(WIRING)
            .map_or_else(|| Ok(Self::default()), Self::read)
    }

    /// Reads the variable's text.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn read(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| {
            Error::new(
                ErrorKind::Decode,
                "host.start",
                "what deployment wrote of the function's resources and triggers cannot be read; deploy it again",
            )
            .with("variable", WIRING)
            .caused_by(error)
        })
    }

    /// Whether any requests come that are no client's: else all paths are the clients'.
    #[must_use]
    pub fn is_called(&self) -> bool {
        !self.triggers.is_empty() || !self.callers.is_empty()
    }
}

impl Source {
    /// The path of its requests, under this name.
    #[must_use]
    pub fn path(&self, name: &str) -> String {
        format!("{PREFIX}{}/{name}", self.trigger.kind())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_the_core_reads_its_own_part() {
        let source = Source {
            trigger: Trigger::Queue {
                queue: "jobs".to_owned(),
                batch: 1,
            },
            by: Form::Push,
            caller: Caller::Token {
                audience: "https://f.example".to_owned(),
                email: "push@p.iam.gserviceaccount.com".to_owned(),
            },
        };
        assert_eq!(source.path("jobs-1"), "/.nephos/queue/jobs-1");
        let service = Service {
            wiring: Wiring {
                timeout: Some(std::time::Duration::from_secs(30)),
                dead_letter: Some("projects/p/topics/d".to_owned()),
                ..Wiring::default()
            },
            triggers: [("jobs-1".to_owned(), source)].into(),
            callers: Callers {
                mail: Some(MailCaller {
                    secret: "projects/p/secrets/s".to_owned(),
                }),
                ..Callers::default()
            },
        };
        let text = serde_json::to_string(&service).unwrap();
        assert_eq!(Service::read(&text).unwrap(), service);
        let environment: Environment = [(WIRING, text)].into_iter().collect();
        assert_eq!(environment.wiring().unwrap(), service.wiring);
        assert_eq!(Service::of(&environment).unwrap(), service);
        assert!(service.is_called() && !Service::default().is_called());
    }

    #[test]
    fn a_trigger_that_nobody_vouches_for_is_refused() {
        let text = r#"{"triggers": {"t": {"trigger": {"kind": "queue", "queue": "jobs", "batch": 1}, "by": "push"}}}"#;
        let error = Service::read(text).unwrap_err();
        assert!(error.to_string().contains("deploy it again"), "{error}");
    }
}

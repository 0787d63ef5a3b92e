//! Those who call with an event and are no clients: Google's services, a mail service, Identity Platform, a voice service. Each proves who it is before its event reaches the handler.
//!
//! | path | who | proof |
//! |---|---|---|
//! | `/.nephos/<kind>/<trigger>` | Pub/Sub, Eventarc, Cloud Scheduler, Cloud Tasks | a role, which Cloud Run checks; or, where anyone may call the service, [a token of a service account](https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions) |
//! | `/.nephos/mail` | a mail service | a secret of its own: the password of basic authentication, or `key` in the query |
//! | `/.nephos/auth/<step>` | Identity Platform | the event is a token |
//! | `/.nephos/voice/<skill>` | Alexa | a [signature](https://developer.amazon.com/docs/alexa/custom-skills/host-a-custom-skill-as-a-web-service.html) over the body |

#[cfg(feature = "on-auth")]
mod auth;
#[cfg(feature = "on-email")]
mod mail;
#[cfg(feature = "on-voice")]
mod voice;

use std::sync::Arc;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, StatusCode};
use nephos_core::event::{BufferedRequest, Request, Response, buffered};
use nephos_core::outcome::problem;
use nephos_core::resource::Drivers;
use nephos_core::{Error, ErrorKind, Result};

use super::site::Site;
use crate::wiring::{AUTH_PATH, Caller, MAIL_PATH, PREFIX, Service, Source, VOICE_PATH};

/// The largest body of such a request: a message of Pub/Sub has 10 MB, and a mail service posts messages with all that is attached to them.
const MAX_BODY_BYTES: usize = 64 << 20;

/// Who may call.
#[derive(Debug, Default)]
pub(super) struct Callers {
    #[cfg(feature = "token")]
    keys: super::keys::KeyRing,
    #[cfg(feature = "on-email")]
    mail: mail::Verifier,
    #[cfg(feature = "on-voice")]
    voice: voice::Verifier,
}

impl Callers {
    #[cfg_attr(
        not(feature = "on-email"),
        expect(
            unused_variables,
            clippy::unnecessary_wraps,
            reason = "only mail has a secret"
        )
    )]
    pub(super) fn new(service: &Service, drivers: &Arc<dyn Drivers>) -> Result<Self> {
        Ok(Self {
            #[cfg(feature = "on-email")]
            mail: mail::Verifier::new(service, drivers)?,
            #[cfg(feature = "token")]
            keys: super::keys::KeyRing::default(),
            #[cfg(feature = "on-voice")]
            voice: voice::Verifier::default(),
        })
    }

    /// With these keys; without a secret of a mail service.
    #[cfg(test)]
    #[cfg(feature = "on-all")]
    pub(super) fn by(keys: super::keys::KeyRing) -> Self {
        Self {
            keys,
            ..Self::default()
        }
    }

    /// Holds that whoever the wiring names sent the request.
    async fn verify(&self, caller: &Caller, headers: &HeaderMap) -> Result<()> {
        match caller {
            Caller::Platform => Ok(()),
            Caller::Token { audience, email } => {
                let token = bearer(headers).ok_or_else(|| {
                    Error::new(
                        ErrorKind::Unauthenticated,
                        "token.verify",
                        "the request brings no token; only the service that deployment set up may call this path",
                    )
                })?;
                self.verify_token(token, audience, email).await
            }
        }
    }

    #[cfg(feature = "token")]
    async fn verify_token(&self, token: &str, audience: &str, email: &str) -> Result<()> {
        use crate::events::token::{CALLERS_KEYS, key_id, verify_caller};
        let keys = self.keys.with(CALLERS_KEYS, &key_id(token)?).await?;
        verify_caller(token, &*keys, audience, email)
    }

    #[cfg(not(feature = "token"))]
    async fn verify_token(&self, _token: &str, _audience: &str, _email: &str) -> Result<()> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "token.verify",
            "the function was built without what verifies who calls; turn on the feature of its kind of trigger (`on-queue`, …) of the crate `nephos`",
        ))
    }
}

/// The token of a request: <https://www.rfc-editor.org/rfc/rfc6750#section-2.1>.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

impl Site {
    /// The answer to a request whose path begins with [`PREFIX`]. What is not needed by most is in a box of its own: each request has room for all that this holds.
    pub(super) async fn call(self: Arc<Self>, mut request: Request) -> Response {
        let Some((name, source)) = self.source(request.uri().path()) else {
            let answered = Box::pin(self.answer(request)).await;
            return answered.unwrap_or_else(|error| refused(&error));
        };
        if !matches!(source.caller, Caller::Platform)
            // Before anything of a stranger's is read.
            && let Err(error) = Box::pin(self.callers.verify(&source.caller, request.headers())).await
        {
            return refused(&error);
        }
        match posted(&mut request).await {
            Ok(body) => self.event(name, source, request.headers(), &body).await,
            Err(answer) => *answer,
        }
    }

    /// The trigger that a path names.
    fn source(&self, path: &str) -> Option<(&str, &Source)> {
        let rest = path.strip_prefix(PREFIX)?;
        let slash = rest.bytes().position(|byte| byte == b'/')?;
        let (kind, name) = (&rest[..slash], &rest[slash + 1..]);
        let (name, source) = self.service.triggers.get_key_value(name)?;
        (source.trigger.kind().name() == kind).then_some((name, source))
    }

    /// Whether those who call by this path wait for the answer, and the function has such a trigger.
    fn waits(&self, path: &str) -> bool {
        let callers = &self.service.callers;
        let stage = |stage: &str| {
            let stages = callers.auth.iter().flat_map(|auth| &auth.stages);
            stages.into_iter().any(|known| known.name() == stage)
        };
        (path == MAIL_PATH && (callers.mail.is_some() || !callers.addresses.is_empty()))
            || path.strip_prefix(AUTH_PATH).is_some_and(stage)
            || (path.strip_prefix(VOICE_PATH))
                .is_some_and(|skill| callers.skills.iter().any(|known| known == skill))
    }

    /// The answer to those who wait for one.
    async fn answer(&self, mut request: Request) -> Result<Response> {
        let path = request.uri().path().to_owned();
        let path = path.as_str();
        if !self.waits(path) {
            return Err(unknown("path", path));
        }
        let body = match posted(&mut request).await {
            Ok(body) => body,
            Err(answer) => return Ok(*answer),
        };
        let (parts, _) = request.into_parts();
        let request = BufferedRequest { parts, body };
        #[cfg(feature = "on-email")]
        if path == MAIL_PATH {
            return self.mail(request).await;
        }
        #[cfg(feature = "on-auth")]
        if let Some(stage) = path.strip_prefix(AUTH_PATH) {
            return self.auth(stage, request).await;
        }
        #[cfg(feature = "on-voice")]
        if let Some(skill) = path.strip_prefix(VOICE_PATH) {
            return self.voice(skill, request).await;
        }
        // The handler may still take it as it is; without its codec nobody can say who sent it.
        drop(request);
        Err(Error::new(
            ErrorKind::Unsupported,
            "host.call",
            "the function was built without the codec of this trigger; turn on its feature (`on-email`, `on-auth`, `on-voice`) of the crate `nephos`",
        )
        .with("path", path))
    }
}

/// The body of a request that is posted; the error is the answer.
async fn posted(request: &mut Request) -> std::result::Result<Bytes, Box<Response>> {
    let refused = |status, why| Box::new(problem(status, Some(why)));
    if request.method() != Method::POST {
        return Err(refused(StatusCode::METHOD_NOT_ALLOWED, "events are posted here"));
    }
    let read = buffered(std::mem::take(request.body_mut()), MAX_BODY_BYTES).await;
    read.map_err(|error| match error.kind() {
        ErrorKind::ResourceExhausted => refused(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long"),
        _ => refused(StatusCode::BAD_REQUEST, "the body broke off"),
    })
}

/// There is no such trigger at this path.
fn unknown(what: &'static str, name: &str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        "host.call",
        "the function has no such trigger; the address in the service's settings is another one's",
    )
    .with(what, name)
}

/// What a caller is told of an error of its own; of all others only that there was one.
fn refused(error: &Error) -> Response {
    let status = match error.kind() {
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Decode | ErrorKind::InvalidArgument => StatusCode::BAD_REQUEST,
        _ => {
            tracing::error!(error = %error.chain(), "a request failed");
            return super::requests::failed(error);
        }
    };
    tracing::warn!(error = %error.chain(), status = status.as_u16(), "a request was refused");
    problem(status, Some(error.message()))
}

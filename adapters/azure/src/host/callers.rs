//! Those who call over HTTP with an event and are no clients: a mail service, Entra, a voice service. Each proves who it is before its event reaches the handler.
//!
//! | path | who | proof |
//! |---|---|---|
//! | `/.nephos/mail` | a mail service | a secret of its own: the password of basic authentication, or `key` in the query |
//! | `/.nephos/auth/<step>` | Entra | a token for the app registration; the site's [authentication](https://learn.microsoft.com/azure/app-service/configure-authentication-user-identities) checks it, and tells of it in a header that no client can set |
//! | `/.nephos/voice/<skill>` | Alexa | a [signature](https://developer.amazon.com/docs/alexa/custom-skills/host-a-custom-skill-as-a-web-service.html) over the body |

#[cfg(feature = "on-auth")]
mod auth;
#[cfg(feature = "on-email")]
mod mail;
#[cfg(feature = "on-voice")]
mod voice;

use std::sync::Arc;

use http::{Method, StatusCode};
use nephos_core::app::Trigger;
use nephos_core::event::{BufferedRequest, Request, Response};
use nephos_core::outcome::problem;
use nephos_core::resource::Drivers;
use nephos_core::{Error, ErrorKind, Result};

use super::site::Site;
use crate::package::{AUTH_PATH, MAIL_PATH, Package, VOICE_PATH};

/// The largest body of such a request: a mail service posts messages with all that is attached to them.
const MAX_BODY_BYTES: usize = 64 << 20;

/// Who may call.
#[derive(Debug)]
pub(super) struct Callers {
    /// Whether any may: else these paths are the clients' as all others.
    any: bool,
    #[cfg(feature = "on-email")]
    mail: mail::Verifier,
    #[cfg(feature = "on-auth")]
    auth: auth::Verifier,
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
    pub(super) fn new(package: &Package, drivers: &Arc<dyn Drivers>) -> Result<Self> {
        let any = (package.triggers.values()).any(|trigger| {
            matches!(
                trigger,
                Trigger::Email { .. } | Trigger::Auth { .. } | Trigger::Voice { .. }
            )
        });
        Ok(Self {
            any,
            #[cfg(feature = "on-email")]
            mail: mail::Verifier::new(package, drivers)?,
            #[cfg(feature = "on-auth")]
            auth: auth::Verifier::new(package),
            #[cfg(feature = "on-voice")]
            voice: voice::Verifier::default(),
        })
    }

    /// Whether a request to this path is of one of them.
    pub(super) fn is_called(&self, path: &str) -> bool {
        self.any && (path == MAIL_PATH || path.starts_with(AUTH_PATH) || path.starts_with(VOICE_PATH))
    }
}

impl Site {
    /// The answer to a request whose path [`is_called`](Callers::is_called).
    pub(super) async fn call(&self, request: Request) -> Response {
        if request.method() != Method::POST {
            return problem(StatusCode::METHOD_NOT_ALLOWED, Some("events are posted here"));
        }
        let request = match BufferedRequest::read(request, MAX_BODY_BYTES).await {
            Ok(request) => request,
            Err(error) if error.kind() == ErrorKind::ResourceExhausted => {
                return problem(StatusCode::PAYLOAD_TOO_LARGE, Some("the body is too long"));
            }
            Err(_) => return problem(StatusCode::BAD_REQUEST, Some("the body broke off")),
        };
        let path = request.parts.uri.path().to_owned();
        let answered = self.answer(&path, request).await;
        answered.unwrap_or_else(|error| refused(&error))
    }

    async fn answer(&self, path: &str, request: BufferedRequest) -> Result<Response> {
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

/// There is no such trigger at this path.
#[cfg(any(feature = "on-auth", feature = "on-voice"))]
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

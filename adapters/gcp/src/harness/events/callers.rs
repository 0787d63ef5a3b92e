//! Requests of those who call with an event, and wait for the answer: mail services, Identity Platform, Alexa.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use chrono::Utc;
use jsonwebtoken::jwk::JwkSet;
use nephos_conformance::alexa;
use nephos_conformance::gcs::PRIVATE_KEY;
use nephos_conformance::happening::{Happening, Native};
use nephos_core::event::{AuthEvent, AuthStage, Email, VoiceRequest};
use nephos_core::{Error, ErrorKind, Event, Result};
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, PublicKeyComponents};
use ring::signature::RSA_PKCS1_SHA256;
use serde_json::{Map, Value, json};

use super::{SKILL, posted, unsupported};
use crate::events::auth;
use crate::wiring::{AUTH_PATH, MAIL_PATH, VOICE_PATH};

const BOUNDARY: &str = "xYzZY";
/// Where the service is.
const SERVICE: &str = "https://nephos-probe-1x2y3z4a5b-ew.a.run.app";
/// The id of the key that signs the events of sign-in.
const KEY_ID: &str = "k-1";

/// The message itself, with its envelope in headers, and the forms of
/// [SendGrid](https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/setting-up-the-inbound-parse-webhook) and
/// [Mailgun](https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store).
pub(super) fn email(email: &Email) -> Result<Vec<Native>> {
    let envelope = &email.envelope;
    let recipients = envelope.to.join(", ");
    let headers = [
        ("content-type", "message/rfc822"),
        ("x-envelope-from", &envelope.from),
        ("x-envelope-to", &recipients),
    ];
    let message = posted(MAIL_PATH, &headers, email.source.clone())?;
    let json = json!({"to": envelope.to, "from": envelope.from}).to_string();
    let source = String::from_utf8_lossy(&email.source).into_owned();
    let sendgrid = form(&[
        ("headers", ""),
        ("email", &source),
        ("envelope", &json),
        ("spam_score", "0.1"),
    ])?;
    let mailgun = form(&[
        ("recipient", &recipients),
        ("sender", &envelope.from),
        ("body-mime", &source),
    ])?;
    let native = |form, message| Native {
        form,
        message,
        // Only the transport knows whether it is whole.
        is_document: false,
    };
    Ok(vec![
        native("the message", message),
        native("SendGrid", sendgrid),
        native("Mailgun", mailgun),
    ])
}

fn form(fields: &[(&str, &str)]) -> Result<http::Request<Bytes>> {
    let mut body = String::new();
    for (name, value) in fields {
        body +=
            &format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    body += &format!("--{BOUNDARY}--\r\n");
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    posted(MAIL_PATH, &[("content-type", &content_type)], body)
}

/// The request of a [blocking function](https://cloud.google.com/identity-platform/docs/blocking-functions), whose claims are those that
/// [Firebase's library](https://github.com/firebase/firebase-functions/blob/master/src/common/providers/identity.ts) reads (`DecodedPayload`). What an identity provider says of a user is in
/// `sign_in_attributes`, and everything else in the user's record.
pub(super) fn auth(happening: &Happening, step: &AuthEvent) -> Result<Native> {
    let event = match step.stage {
        AuthStage::BeforeSignUp => "beforeCreate",
        AuthStage::BeforeSignIn => "beforeSignIn",
        _ => {
            return Err(unsupported(
                "Identity Platform asks before a user is made and before a sign-in, and at no other of these steps",
            ));
        }
    };
    let (mut record, mut said) = (Map::new(), Map::new());
    for (name, value) in &step.attributes {
        let place = if name == "email" { &mut record } else { &mut said };
        place.insert(name.clone(), value.as_str().into());
    }
    for (name, value) in [
        ("uid", json!(step.user)),
        ("email", json!(step.email)),
        ("email_verified", false.into()),
        ("disabled", false.into()),
        (
            "metadata",
            json!({"creation_time": happening.at.timestamp_millis()}),
        ),
        (
            "provider_data",
            json!([{"provider_id": "oidc.work", "email": step.email, "uid": step.email}]),
        ),
    ] {
        record.insert(name.to_owned(), value);
    }
    let claims = json!({
        "iss": format!("https://securetoken.google.com/{}", step.directory), "aud": audience(step.stage.name()), "sub": step.user,
        "iat": happening.at.timestamp(), "exp": Utc::now().timestamp() + 600, "event_id": happening.id, "event_type": event,
        "ip_address": "203.0.113.7", "user_agent": "suite", "locale": "de", "sign_in_method": "oidc.work",
        "sign_in_attributes": said, "user_record": record,
    });
    let document = json!({"data": {"jwt": key()?.sign(&claims)?}});
    let headers = [("content-type", "application/json")];
    Ok(Native {
        form: "Identity Platform",
        message: posted(
            &format!("{AUTH_PATH}{}", step.stage.name()),
            &headers,
            document.to_string(),
        )?,
        is_document: true,
    })
}

fn audience(stage: &str) -> String {
    format!("{SERVICE}{AUTH_PATH}{stage}")
}

/// As our host reads the request for a step.
///
/// # Errors
/// The host's.
pub(super) fn step(stage: &str, body: &Bytes) -> Result<Event> {
    let token = auth::token(body)?;
    let claims = auth::verify(&token, &key()?.public, "eu-west-1_aBcD", &[audience(stage)])?;
    let stage = serde_json::from_value(stage.into()).unwrap_or(AuthStage::Other(stage.to_owned()));
    auth::decode(&stage, claims, body)
}

/// The key of the suite's service account, in the place of Google's.
struct Key {
    private: KeyPair,
    public: JwkSet,
}

fn key() -> Result<&'static Key> {
    static KEY: OnceLock<Key> = OnceLock::new();
    if let Some(key) = KEY.get() {
        return Ok(key);
    }
    let read = Key::read()?;
    Ok(KEY.get_or_init(|| read))
}

impl Key {
    fn read() -> Result<Self> {
        let failed = |message: &'static str, cause: String| {
            Error::new(ErrorKind::Internal, "harness.native", message).caused_by(cause)
        };
        // What stands before the first line of dashes explains the key.
        let text: String = (PRIVATE_KEY.lines().skip_while(|line| !line.starts_with('-')))
            .filter(|line| !line.starts_with('-'))
            .collect();
        let der = STANDARD
            .decode(text)
            .map_err(|error| failed("the suite's key cannot be read", error.to_string()))?;
        let private = KeyPair::from_pkcs8(&der)
            .map_err(|error| failed("the suite's key cannot be read", error.to_string()))?;
        let components: PublicKeyComponents<Vec<u8>> = private.public().into();
        let written = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let set = json!({"keys": [{
            "kid": KEY_ID, "kty": "RSA", "alg": "RS256", "use": "sig", "n": written(&components.n), "e": written(&components.e),
        }]});
        let public = serde_json::from_value(set)
            .map_err(|error| failed("the suite's key cannot be told", error.to_string()))?;
        Ok(Self { private, public })
    }

    /// A token: <https://www.rfc-editor.org/rfc/rfc7515#section-3.1>.
    fn sign(&self, claims: &Value) -> Result<String> {
        let header = json!({"alg": "RS256", "kid": KEY_ID, "typ": "JWT"});
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let mut signature = vec![0; self.private.public().modulus_len()];
        let random = SystemRandom::new();
        self.private
            .sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature)
            .map_err(|_| {
                Error::new(
                    ErrorKind::Internal,
                    "harness.native",
                    "the token cannot be signed",
                )
            })?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// The same as everywhere: <https://developer.amazon.com/docs/alexa/custom-skills/host-a-custom-skill-as-a-web-service.html>
pub(super) fn voice(happening: &Happening, request: &VoiceRequest) -> Result<Native> {
    let document = alexa::document(happening, request, SKILL)?;
    let headers = [("content-type", "application/json")];
    Ok(Native {
        form: "Alexa Skills Kit",
        message: posted(
            &format!("{VOICE_PATH}{}", request.skill),
            &headers,
            document.to_string(),
        )?,
        is_document: true,
    })
}

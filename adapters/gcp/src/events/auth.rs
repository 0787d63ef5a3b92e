//! Steps of Identity Platform's [blocking functions](https://cloud.google.com/identity-platform/docs/blocking-functions), which come as requests, and decisions on them.
//!
//! | event | stage |
//! |---|---|
//! | `beforeCreate` | before_sign_up |
//! | `beforeSignIn` | before_sign_in |
//! | all others | the event's own name (`beforeSendEmail`, `beforeSendSms`) |
//!
//! The request is `{"data": {"jwt": …}}`: the event is a token, so [`verify`] tells both who asks, and what.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::StatusCode;
use nephos_core::event::{Attributes, AuthDecision, AuthEvent, AuthStage, AuthVerdict, Data, Raw};
use nephos_core::{Error, ErrorKind, Event, Result};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::token::{self, Expected, Keys};
use super::{malformed, refused};

const ENCODE: &str = "outcome.encode";

#[derive(Deserialize)]
struct Document {
    data: Carried,
}

#[derive(Deserialize)]
struct Carried {
    jwt: String,
}

/// The token that a request's body holds.
///
/// # Errors
/// [`ErrorKind::Decode`] if it holds none.
pub fn token(body: &[u8]) -> Result<String> {
    let document: Document = serde_json::from_slice(body)
        .map_err(|error| malformed("the request is none of Identity Platform", error))?;
    Ok(document.data.jwt)
}

/// The claims of a token of this project, for one of these audiences.
///
/// # Errors
/// [`ErrorKind::Unauthenticated`] if it is none.
pub fn verify(token: &str, keys: &dyn Keys, project: &str, audiences: &[String]) -> Result<Value> {
    let issuer = format!("https://securetoken.google.com/{project}");
    let audiences: Vec<&str> = audiences.iter().map(String::as_str).collect();
    let expected = Expected {
        issuers: &[&issuer],
        audiences: &audiences,
    };
    token::verify(token, keys, expected)
}

/// The event's own name of a stage.
#[must_use]
pub fn name_of(stage: &AuthStage) -> &str {
    match stage {
        AuthStage::BeforeSignUp => "beforeCreate",
        AuthStage::BeforeSignIn => "beforeSignIn",
        other => other.name(),
    }
}

fn stage_of(name: &str) -> AuthStage {
    match name {
        "beforeCreate" => AuthStage::BeforeSignUp,
        "beforeSignIn" => AuthStage::BeforeSignIn,
        other => AuthStage::Other(other.to_owned()),
    }
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    event_type: String,
    #[serde(default)]
    event_id: Option<String>,
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    iat: Option<i64>,
    #[serde(default)]
    tenant_id: Option<String>,
    #[serde(default)]
    ip_address: Option<String>,
    #[serde(default)]
    user_agent: Option<String>,
    #[serde(default)]
    locale: Option<String>,
    #[serde(default)]
    sign_in_method: Option<String>,
    #[serde(default)]
    user_record: Map<String, Value>,
    /// What the identity provider says of the user, where one by SAML or OpenID Connect does.
    #[serde(default)]
    sign_in_attributes: Map<String, Value>,
}

/// The event of verified claims. `body` is the request's, which handlers have raw: it holds more, such as tokens of the provider that the user signs in by.
///
/// # Errors
/// [`ErrorKind::Decode`] if they are of another step than that of this URL, or are no event.
pub fn decode(stage: &AuthStage, claims: Value, body: &Bytes) -> Result<Event> {
    let claims: Claims = serde_json::from_value(claims)
        .map_err(|error| malformed("the token is no event of Identity Platform", error))?;
    // Types are told in full too: `providers/cloud.auth/eventTypes/user.beforeCreate`.
    let name = claims
        .event_type
        .rsplit(['/', '.', ':'])
        .next()
        .unwrap_or_default();
    if stage_of(name) != *stage {
        return Err(refused("the event is of another step than that of this URL").with("event", name));
    }
    let text = |name: &str| match claims.user_record.get(name) {
        Some(Value::String(text)) => Some(text.clone()),
        _ => None,
    };
    // The record is the directory's own, and comes last: no provider of others overrides it.
    let attributes: BTreeMap<String, String> = (claims.sign_in_attributes.iter())
        .chain(&claims.user_record)
        .filter(|(name, _)| *name != "uid")
        .filter_map(|(name, value)| Some((name.clone(), plain(value)?)))
        .collect();
    let project = claims.iss.rsplit('/').next().unwrap_or_default();
    let directory = match &claims.tenant_id {
        Some(tenant) => format!("{project}/{tenant}"),
        None => project.to_owned(),
    };
    let data = Data::Auth(Box::new(AuthEvent {
        stage: stage.clone(),
        directory,
        client: None,
        user: text("uid").or(claims.sub),
        email: text("email"),
        attributes,
        client_data: BTreeMap::new(),
    }));
    let time = claims.iat.and_then(|at| chrono::DateTime::from_timestamp(at, 0));
    let mut event = Event::new(Attributes::known(&data, claims.event_id, time), data);
    for (name, value) in [
        ("gcpevent", Some(claims.event_type.clone())),
        ("gcpaddress", claims.ip_address),
        ("gcpagent", claims.user_agent),
        ("gcplocale", claims.locale),
        ("gcpmethod", claims.sign_in_method),
    ] {
        if let Some(value) = value {
            event.attributes.extensions.insert(name.into(), value);
        }
    }
    Ok(event.with_raw(Raw::json(body.clone())))
}

/// An attribute as text; lists and objects as JSON.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Writes a decision: the status, and the answer in JSON. A user who is refused may read the reason.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for what the step cannot do.
pub fn encode(stage: &AuthStage, decision: &AuthDecision) -> Result<(StatusCode, Bytes)> {
    if let AuthVerdict::Deny { reason } = &decision.verdict {
        let answer = json!({"error": {"code": 403, "status": "PERMISSION_DENIED", "message": reason}});
        return Ok((StatusCode::FORBIDDEN, answer.to_string().into()));
    }
    let unsupported = |what: &'static str| Error::new(ErrorKind::Unsupported, ENCODE, what);
    let mut record = Map::new();
    let changes = decision.confirm || !decision.claims.is_empty() || !decision.attributes.is_empty();
    if changes && !matches!(stage, AuthStage::BeforeSignUp | AuthStage::BeforeSignIn) {
        return Err(
            unsupported("at this step Identity Platform can only be told to go on, or to stop")
                .with("stage", stage.name()),
        );
    }
    for (name, value) in &decision.attributes {
        let value = match name.as_str() {
            "displayName" | "photoURL" => json!(value),
            "disabled" | "emailVerified" => json!(value.parse::<bool>().map_err(|error| {
                unsupported("the attribute is `true` or `false`")
                    .with("attribute", name)
                    .caused_by(error)
            })?),
            _ => {
                return Err(unsupported(
                    "Identity Platform sets no such attribute; it has displayName, photoURL, disabled and emailVerified",
                )
                .with("attribute", name));
            }
        };
        record.insert(name.clone(), value);
    }
    if decision.confirm {
        record.insert("emailVerified".to_owned(), true.into());
    }
    if !decision.claims.is_empty() {
        // Those of a session are in its tokens alone; those of a user stay with the account.
        let name = match stage {
            AuthStage::BeforeSignIn => "sessionClaims",
            _ => "customClaims",
        };
        record.insert(name.to_owned(), json!(decision.claims));
    }
    if record.is_empty() {
        return Ok((StatusCode::OK, Bytes::from_static(b"{}")));
    }
    let mask: Vec<&str> = record.keys().map(String::as_str).collect();
    let mask = mask.join(",");
    record.insert("updateMask".to_owned(), mask.into());
    Ok((StatusCode::OK, json!({"userRecord": record}).to_string().into()))
}

#[cfg(test)]
mod tests;

//! Steps of Entra's custom authentication extensions, which come as requests, and decisions on them:
//! <https://learn.microsoft.com/entra/identity-platform/custom-extension-overview>.
//!
//! | event | stage |
//! |---|---|
//! | `attributeCollectionSubmit` | before_sign_up: what the user entered is there |
//! | `tokenIssuanceStart` | before_token |
//! | all others | the event's own name (`attributeCollectionStart`, `emailOtpSend`) |
//!
//! Who asked must be verified before: the request carries a token of Entra's in its header `Authorization`.

use std::collections::BTreeMap;

use bytes::Bytes;
use nephos_core::event::{Attributes, AuthDecision, AuthEvent, AuthStage, AuthVerdict, Data, Raw};
use nephos_core::{Error, ErrorKind, Event, Result};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::malformed;

const ENCODE: &str = "outcome.encode";

/// What the types of all events begin with.
const PREFIX: &str = "microsoft.graph.authenticationEvent.";
const SUBMIT: &str = "attributeCollectionSubmit";
const START: &str = "attributeCollectionStart";
const TOKEN: &str = "tokenIssuanceStart";

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "type")]
    ty: String,
    data: Callout,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Callout {
    tenant_id: String,
    #[serde(default)]
    authentication_event_listener_id: Option<String>,
    #[serde(default)]
    custom_authentication_extension_id: Option<String>,
    #[serde(default)]
    authentication_context: Surroundings,
    #[serde(default)]
    user_sign_up_info: Option<SignUp>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Surroundings {
    #[serde(default)]
    correlation_id: Option<String>,
    #[serde(default)]
    client: Client,
    #[serde(default)]
    protocol: Option<String>,
    #[serde(default)]
    client_service_principal: Principal,
    #[serde(default)]
    resource_service_principal: Principal,
    #[serde(default)]
    user: Option<BTreeMap<String, Value>>,
}

#[derive(Default, Deserialize)]
struct Client {
    #[serde(default)]
    ip: Option<String>,
    #[serde(default)]
    locale: Option<String>,
    #[serde(default)]
    market: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Principal {
    #[serde(default)]
    app_id: Option<String>,
}

#[derive(Deserialize)]
struct SignUp {
    #[serde(default)]
    attributes: BTreeMap<String, Attribute>,
    #[serde(default)]
    identities: Vec<Identity>,
}

#[derive(Deserialize)]
struct Attribute {
    #[serde(default)]
    value: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    #[serde(default)]
    sign_in_type: Option<String>,
    #[serde(default)]
    issuer_assigned_id: Option<String>,
}

/// Reads the body of a request to the path of `stage`.
///
/// # Errors
/// [`ErrorKind::Decode`] if it is no event of an extension, or of another stage: the extension was registered with another stage's URL.
pub fn decode(stage: &AuthStage, body: &Bytes) -> Result<Event> {
    let read: Document = serde_json::from_slice(body).map_err(|error| {
        malformed(
            "the request is not as Entra documents its extensions' events",
            error,
        )
    })?;
    let name = read.ty.strip_prefix(PREFIX).unwrap_or(&read.ty);
    let found = match name {
        SUBMIT => AuthStage::BeforeSignUp,
        TOKEN => AuthStage::BeforeToken,
        other => AuthStage::Other(other.to_owned()),
    };
    if found != *stage {
        return Err(Error::new(
            ErrorKind::Decode,
            super::DECODE,
            "the step is another than that of this URL; register the extension in Entra with the URL of its own stage",
        )
        .with("event", &read.ty)
        .with("stage", stage.name()));
    }
    let Callout {
        tenant_id,
        authentication_event_listener_id,
        custom_authentication_extension_id,
        authentication_context: context,
        user_sign_up_info: sign_up,
    } = read.data;
    let user = context.user.unwrap_or_default();
    let text = |name: &str| user.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut email = text("mail");
    let id = text("id");
    let mut attributes = texts(user.iter().map(|(name, value)| (name.clone(), value.clone())));
    if let Some(sign_up) = sign_up {
        let signs_in_by_mail = |identity: &&Identity| {
            let ty = identity.sign_in_type.as_deref().unwrap_or_default();
            ty.eq_ignore_ascii_case("email") || ty.eq_ignore_ascii_case("emailAddress")
        };
        let identity = sign_up.identities.iter().find(signs_in_by_mail);
        email = email.or_else(|| identity?.issuer_assigned_id.clone());
        let entered = sign_up.attributes.into_iter();
        attributes.extend(texts(entered.map(|(name, attribute)| (name, attribute.value))));
    }
    let data = Data::Auth(Box::new(AuthEvent {
        stage: found,
        directory: tenant_id,
        client: context.client_service_principal.app_id,
        user: id,
        email: email.or_else(|| attributes.get("email").cloned()),
        attributes,
        client_data: BTreeMap::new(),
    }));
    // One sign-in asks several times, at several stages.
    let event_id = context
        .correlation_id
        .as_deref()
        .map(|correlation| [correlation, ".", name].concat());
    let mut event = Event::new(Attributes::known(&data, event_id, None), data);
    let facts = [
        ("azurecorrelation", context.correlation_id),
        ("azureclientip", context.client.ip),
        ("azurelocale", context.client.locale),
        ("azuremarket", context.client.market),
        ("azureprotocol", context.protocol),
        ("azureresource", context.resource_service_principal.app_id),
        ("azurelistener", authentication_event_listener_id),
        ("azureextension", custom_authentication_extension_id),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            event.attributes.extensions.insert(name.into(), value);
        }
    }
    event.raw = Some(Raw::json(body.clone()));
    Ok(event)
}

/// Values as text: what is no text as its JSON, what is null not at all.
fn texts(values: impl Iterator<Item = (String, Value)>) -> BTreeMap<String, String> {
    values
        .filter_map(|(name, value)| match value {
            Value::Null => None,
            Value::String(text) => Some((name, text)),
            other => Some((name, other.to_string())),
        })
        .collect()
}

/// Writes a decision as the answer to the request that asked for it, JSON with status 200.
///
/// | event | allowed | refused | `attributes` | `claims` |
/// |---|---|---|---|---|
/// | `attributeCollectionSubmit` | goes on, also `confirmed`, which the account is by then | a page with the reason | overwrite what was entered | – |
/// | `attributeCollectionStart` | goes on | a page with the reason | stand in the form beforehand | – |
/// | `tokenIssuanceStart` | goes on | an error, which ends the sign-in | – | of the token; text and lists of text |
///
/// # Errors
/// [`ErrorKind::Rejected`] with the reason for a token that is refused: Entra has no word for it, and any status but 200 ends the sign-in.
/// [`ErrorKind::Unsupported`] for what the step cannot set, and for a step of another name, whose function answers itself, with JSON;
/// [`ErrorKind::Decode`] if `body` is no event.
pub fn encode(body: &[u8], decision: &AuthDecision) -> Result<Bytes> {
    let asked: Value = serde_json::from_slice(body).map_err(|error| {
        malformed(
            "the request is not as Entra documents its extensions' events",
            error,
        )
    })?;
    let ty = asked.get("type").and_then(Value::as_str).unwrap_or_default();
    let step = ty.strip_prefix(PREFIX).unwrap_or(ty);
    let unsupported =
        |what: &'static str| Error::new(ErrorKind::Unsupported, ENCODE, what).with("step", step);
    // Entra has verified the address before it asks for attributes, so a new account is confirmed as it is:
    // https://learn.microsoft.com/entra/external-id/customers/concept-user-attributes
    if decision.confirm && !matches!(step, SUBMIT | START) {
        return Err(unsupported("there is nothing to confirm in this step"));
    }
    let action = match step {
        TOKEN => {
            if let AuthVerdict::Deny { reason } = &decision.verdict {
                return Err(Error::reject(reason));
            }
            if !decision.attributes.is_empty() {
                return Err(unsupported("this step cannot set attributes"));
            }
            let claims: Map<String, Value> = decision
                .claims
                .iter()
                .map(|(name, value)| (name.clone(), claim(value)))
                .collect();
            action(step, "provideClaimsForToken", json!({"claims": claims}))
        }
        SUBMIT | START => {
            if !decision.claims.is_empty() {
                return Err(unsupported("this step issues no token to add claims to"));
            }
            match &decision.verdict {
                AuthVerdict::Deny { reason } => action(step, "showBlockPage", json!({"message": reason})),
                AuthVerdict::Allow if decision.attributes.is_empty() => {
                    action(step, "continueWithDefaultBehavior", json!({}))
                }
                AuthVerdict::Allow => {
                    let mut set = Map::new();
                    for (name, text) in &decision.attributes {
                        set.insert(name.clone(), typed(&asked, name, text)?);
                    }
                    if step == SUBMIT {
                        action(step, "modifyAttributeValues", json!({"attributes": set}))
                    } else {
                        action(step, "setPrefillValues", json!({"inputs": set}))
                    }
                }
            }
        }
        _ => {
            return Err(unsupported(
                "what this step expects is not known; let its function take `Raw` and answer with JSON",
            ));
        }
    };
    let mut name = step.to_owned();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let answer = json!({"data": {"@odata.type": format!("microsoft.graph.on{name}ResponseData"), "actions": [action]}});
    Ok(answer.to_string().into())
}

fn action(step: &str, name: &str, mut content: Value) -> Value {
    content["@odata.type"] = format!("microsoft.graph.{step}.{name}").into();
    content
}

/// A claim as Entra takes it: text, or a list of text.
fn claim(value: &Value) -> Value {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        other => text(other).into(),
    }
}

/// An attribute's value in the type that the request has it in.
fn typed(asked: &Value, name: &str, text: &str) -> Result<Value> {
    let attributes = asked.pointer("/data/userSignUpInfo/attributes");
    let ty = attributes
        .and_then(|attributes| {
            let attribute = attributes.get(name)?.as_object()?;
            // The documentation writes it in both ways.
            let mut types = attribute
                .iter()
                .filter(|(name, _)| name.eq_ignore_ascii_case("@odata.type"));
            types.next()?.1.as_str()
        })
        .unwrap_or_default();
    let read = if ty.contains("int64") {
        text.parse::<i64>().ok().map(Value::from)
    } else if ty.contains("boolean") {
        text.parse::<bool>().ok().map(Value::from)
    } else {
        Some(Value::from(text))
    };
    read.ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidArgument,
            ENCODE,
            "the attribute must have a value of the type that it has in the request",
        )
        .with("attribute", name)
        .with("type", ty)
    })
}

#[cfg(test)]
mod tests;

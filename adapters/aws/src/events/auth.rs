//! Triggers of a Cognito user pool, and decisions on them, which go back in the same document:
//! <https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-working-with-lambda-triggers.html>.
//!
//! | `triggerSource` | stage |
//! |---|---|
//! | `PreSignUp_…` | before_sign_up |
//! | `PostConfirmation_ConfirmSignUp` | after_sign_up |
//! | `PreAuthentication_…` | before_sign_in; Cognito asks before it looks at the password |
//! | `PostAuthentication_…` | after_sign_in |
//! | `TokenGeneration_…` | before_token |
//! | all others | the name up to the underscore (`CustomMessage`), of a confirmed password the whole name |
//!
//! What a step of Cognito's own expects beyond the decision, its function returns itself: it takes `Raw`, and returns the document.

use std::collections::BTreeMap;
use std::fmt;

use nephos_core::event::{AuthDecision, AuthEvent, AuthStage, AuthVerdict, Data};
use nephos_core::{Error, ErrorKind, Event, Result};
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, json};

use super::malformed;
use super::text::{self, Text};

const ENCODE: &str = "outcome.encode";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    trigger_source: String,
    user_pool_id: String,
    #[serde(default, borrow)]
    region: Text<'a>,
    #[serde(default)]
    user_name: Option<String>,
    #[serde(default)]
    caller_context: CallerContext,
    #[serde(default, borrow)]
    request: Request<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CallerContext {
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    aws_sdk_version: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(default)]
    user_attributes: Option<Texts>,
    #[serde(default)]
    client_metadata: Option<Texts>,
    #[serde(default)]
    validation_data: Option<Texts>,
    #[serde(default, borrow)]
    challenge_name: Text<'a>,
}

pub(super) fn decode(document: &str) -> Result<Event> {
    let read: Document<'_> = serde_json::from_str(document)
        .map_err(|error| malformed("the step is not as Cognito documents it", error))?;
    let request = read.request;
    let attributes = request
        .user_attributes
        .map_or_else(BTreeMap::new, |Texts(attributes)| attributes);
    let mut client_data = request
        .validation_data
        .map_or_else(BTreeMap::new, |Texts(data)| data);
    if let Some(Texts(metadata)) = request.client_metadata {
        client_data.extend(metadata);
    }
    let mut event = Event::of(Data::Auth(Box::new(AuthEvent {
        stage: stage(&read.trigger_source),
        directory: read.user_pool_id,
        client: read.caller_context.client_id,
        user: read.user_name.filter(|name| !name.is_empty()),
        email: attributes.get("email").cloned(),
        attributes,
        client_data,
    })));
    let facts = [
        ("awstriggersource", Some(read.trigger_source)),
        ("awsregion", read.region.as_deref().map(str::to_owned)),
        ("awssdk", read.caller_context.aws_sdk_version),
        (
            "awschallenge",
            request.challenge_name.as_deref().map(str::to_owned),
        ),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            event.attributes.extensions.insert(name.into(), value);
        }
    }
    Ok(event)
}

fn stage(source: &str) -> AuthStage {
    let (step, _) = source.split_once('_').unwrap_or((source, ""));
    match (step, source) {
        ("PreSignUp", _) => AuthStage::BeforeSignUp,
        ("PostConfirmation", "PostConfirmation_ConfirmSignUp") => AuthStage::AfterSignUp,
        // A new password was confirmed: nobody has signed up.
        ("PostConfirmation", _) => AuthStage::Other(source.to_owned()),
        ("PreAuthentication", _) => AuthStage::BeforeSignIn,
        ("PostAuthentication", _) => AuthStage::AfterSignIn,
        ("TokenGeneration", _) => AuthStage::BeforeToken,
        _ => AuthStage::Other(step.to_owned()),
    }
}

/// Texts by name.
#[derive(Deserialize)]
struct Texts(#[serde(deserialize_with = "text::attributes::<_, Told>")] BTreeMap<String, String>);

/// A value that is text in Cognito; but examples of its own have some that are not, which are taken as their JSON.
struct Told(String);

impl<'de> Deserialize<'de> for Told {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrJson).map(Self)
    }
}

impl From<Told> for Option<String> {
    fn from(Told(text): Told) -> Self {
        Some(text)
    }
}

struct TextOrJson;

impl<'de> Visitor<'de> for TextOrJson {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<String, E> {
        Ok(Value::from(value).to_string())
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<String, E> {
        Ok(Value::from(value).to_string())
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<String, E> {
        Ok(Value::from(value).to_string())
    }

    fn visit_f64<E>(self, value: f64) -> std::result::Result<String, E> {
        Ok(Value::from(value).to_string())
    }

    fn visit_unit<E>(self) -> std::result::Result<String, E> {
        Ok(Value::Null.to_string())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> std::result::Result<String, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(items)).map(|value| value.to_string())
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> std::result::Result<String, A::Error> {
        Value::deserialize(MapAccessDeserializer::new(fields)).map(|value| value.to_string())
    }
}

/// Writes a decision into the document that asked for it. An allowed step leaves it as it is, save for what the decision sets:
///
/// | step | `confirm` | `attributes` | `claims` |
/// |---|---|---|---|
/// | before_sign_up | confirms the account | `email_verified`, `phone_number_verified` | – |
/// | before_token | – | – | of the identity token, from version 2 on also of the access token |
/// | `DefineAuthChallenge` | issues the tokens | – | – |
/// | `VerifyAuthChallengeResponse` | the answer was right | – | – |
/// | `UserMigration` | the account is confirmed, no message is sent | of the new account | – |
///
/// # Errors
/// [`ErrorKind::Rejected`] with the reason of a refusal, which Cognito passes on to the client; a refused challenge is no error, but says so in the
/// document. [`ErrorKind::Unsupported`] for what the step cannot set, [`ErrorKind::Decode`] if the document is none.
pub(super) fn encode(document: &[u8], decision: &AuthDecision) -> Result<Value> {
    let mut value: Value = serde_json::from_slice(document)
        .map_err(|error| malformed("the step is not as Cognito documents it", error))?;
    let source = value
        .get("triggerSource")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let step = source.split('_').next().unwrap_or_default().to_owned();
    // https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-lambda-pre-token-generation.html
    let first_version = value.get("version").and_then(Value::as_str) == Some("1");
    let Some(document) = value.as_object_mut() else {
        return Err(Error::new(ErrorKind::Decode, ENCODE, "the step is no object"));
    };
    let response = object(document, "response");
    if let AuthVerdict::Deny { reason } = &decision.verdict {
        match step.as_str() {
            "DefineAuthChallenge" => {
                response.insert("issueTokens".to_owned(), false.into());
                response.insert("failAuthentication".to_owned(), true.into());
            }
            "VerifyAuthChallengeResponse" => {
                response.insert("answerCorrect".to_owned(), false.into());
            }
            _ => return Err(Error::reject(reason)),
        }
        return Ok(value);
    }
    let unsupported =
        |what: &'static str| Err(Error::new(ErrorKind::Unsupported, ENCODE, what).with("step", &step));
    if decision.confirm {
        match step.as_str() {
            "PreSignUp" => response.insert("autoConfirmUser".to_owned(), true.into()),
            "DefineAuthChallenge" => {
                response.insert("failAuthentication".to_owned(), false.into());
                response.insert("issueTokens".to_owned(), true.into())
            }
            "VerifyAuthChallengeResponse" => response.insert("answerCorrect".to_owned(), true.into()),
            "UserMigration" => {
                response.insert("messageAction".to_owned(), "SUPPRESS".into());
                response.insert("finalUserStatus".to_owned(), "CONFIRMED".into())
            }
            _ => return unsupported("there is nothing to confirm in this step"),
        };
    }
    match step.as_str() {
        "UserMigration" if !decision.attributes.is_empty() => {
            response.insert("userAttributes".to_owned(), json!(decision.attributes));
        }
        "PreSignUp" => {
            for (name, text) in &decision.attributes {
                let field = match name.as_str() {
                    "email_verified" => "autoVerifyEmail",
                    "phone_number_verified" => "autoVerifyPhone",
                    _ => {
                        return unsupported(
                            "this step can only mark e-mail address and telephone number as verified",
                        );
                    }
                };
                response.insert(field.to_owned(), (text == "true").into());
            }
        }
        _ if !decision.attributes.is_empty() => return unsupported("this step cannot set attributes"),
        _ => {}
    }
    if !decision.claims.is_empty() {
        if step != "TokenGeneration" {
            return unsupported("this step issues no token to add claims to");
        }
        add_claims(response, &decision.claims, first_version);
    }
    Ok(value)
}

/// Adds to what stands there already.
fn add_claims(response: &mut Map<String, Value>, claims: &BTreeMap<String, Value>, first_version: bool) {
    const ADD: &str = "claimsToAddOrOverride";
    if first_version {
        let to = object(object(response, "claimsOverrideDetails"), ADD);
        for (name, value) in claims {
            // This version takes text only.
            let text = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            to.insert(name.clone(), text.into());
        }
        return;
    }
    for token in ["idTokenGeneration", "accessTokenGeneration"] {
        let to = object(
            object(object(response, "claimsAndScopeOverrideDetails"), token),
            ADD,
        );
        to.extend(claims.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
}

/// The object of this name, made if there is none.
fn object<'a>(parent: &'a mut Map<String, Value>, name: &str) -> &'a mut Map<String, Value> {
    let value = parent.entry(name).or_insert(Value::Null);
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("it was just made one"),
    }
}

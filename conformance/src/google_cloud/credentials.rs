//! Credentials of service accounts, for whoever may act as them: <https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts>.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use chrono::{DateTime, Duration, SecondsFormat, Utc};
use nephos_core::Error;
use serde_json::{Value, json};

use super::error::{Code, Outcome, Refusal};
use super::kinds::ACCOUNT;
use super::request::Asked;
use super::state::{Shared, State};
use super::tokens::{self, KEY_ID, Token};

/// The longest that a token lasts where an organization does not allow more, in seconds.
const LONGEST: i64 = 3600;

/// The methods of accounts.
pub(super) fn ask(shared: &Shared, asked: &Asked<'_>) -> Outcome<Value> {
    let given = asked
        .call
        .path_parameters()
        .get("name")
        .map_or("", String::as_str);
    if !given.starts_with("projects/-/serviceAccounts/") {
        let what = "the project of an account is the wildcard `-` here";
        return Err(Refusal::field("name", what));
    }
    let mut state = shared.lock();
    let account = account(&state, shared, given)?;
    for delegate in asked.body["delegates"].as_array().into_iter().flatten() {
        self::account(&state, shared, delegate.as_str().unwrap_or_default())?;
    }
    match asked.verb() {
        "generateIdToken" => {
            let audience = asked
                .text("/audience")
                .ok_or_else(|| Refusal::field("audience", "it is required"))?;
            let has_email = asked.body["includeEmail"] == true;
            let token = tokens::identity(&account, audience, has_email).map_err(|error| broken(&error))?;
            Ok(json!({"token": token}))
        }
        "generateAccessToken" => access(&mut state, asked, &account),
        "signBlob" => {
            let payload = asked.text("/payload").unwrap_or_default();
            let bytes = STANDARD
                .decode(payload)
                .or_else(|_| URL_SAFE.decode(payload))
                .map_err(|_| Refusal::field("payload", "it is no Base64"))?;
            let signature = tokens::sign(&bytes).map_err(|error| broken(&error))?;
            Ok(json!({"keyId": KEY_ID, "signedBlob": STANDARD.encode(signature)}))
        }
        _ => Err(super::route::unimplemented(asked)),
    }
}

fn broken(error: &Error) -> Refusal {
    Refusal::new(Code::Internal, error.to_string())
}

/// An account by its e-mail address or its number.
pub(super) fn account(state: &State, shared: &Shared, name: &str) -> Outcome<Value> {
    let id = name.rsplit('/').next().unwrap_or_default();
    let below = format!("projects/{}/serviceAccounts/", shared.options.project);
    let found = state
        .resources
        .values()
        .filter(|one| one.kind == &ACCOUNT)
        .find(|one| one.body["uniqueId"] == id || one.body["name"] == format!("{below}{id}"));
    match found {
        Some(found) if found.body["disabled"] == true => {
            let message = format!("Service account {id} is disabled.");
            Err(Refusal::new(Code::FailedPrecondition, message))
        }
        Some(found) => Ok(found.body.clone()),
        None => {
            let message = format!("Not found; Gaia id not found for email {id}");
            Err(Refusal::new(Code::NotFound, message))
        }
    }
}

fn access(state: &mut State, asked: &Asked<'_>, account: &Value) -> Outcome<Value> {
    let scopes = asked.body["scope"].as_array().map_or(0, Vec::len);
    if scopes == 0 {
        return Err(Refusal::field("scope", "there is at least one"));
    }
    let lifetime = asked
        .text("/lifetime")
        .map(|text| text.trim_end_matches('s').parse::<f64>());
    let seconds = match lifetime {
        None => LONGEST,
        Some(Ok(seconds)) if seconds > 0.0 && seconds <= LONGEST as f64 => seconds.ceil() as i64,
        Some(_) => {
            let what = format!("it is above 0, and {LONGEST} seconds at most");
            return Err(Refusal::field("lifetime", &what));
        }
    };
    let until = Utc::now() + Duration::seconds(seconds);
    let token = give_as(state, Some(until), account["email"].as_str().unwrap_or_default());
    Ok(json!({"accessToken": token, "expireTime": until.to_rfc3339_opts(SecondsFormat::Secs, true)}))
}

/// A new token that counts.
pub(super) fn give(state: &mut State, until: Option<DateTime<Utc>>) -> String {
    kept(state, until, None)
}

/// The same of a service account, which may do what policies let it.
pub(super) fn give_as(state: &mut State, until: Option<DateTime<Utc>>, account: &str) -> String {
    kept(state, until, Some(account.to_owned()))
}

fn kept(state: &mut State, until: Option<DateTime<Utc>>, account: Option<String>) -> String {
    let token = format!("ya29.{}", uuid::Uuid::new_v4().simple());
    let what = Token {
        counts: true,
        until,
        account,
    };
    state.tokens.insert(token.clone(), what);
    token
}

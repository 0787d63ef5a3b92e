//! Who asks a registry: <https://distribution.github.io/distribution/spec/auth/token/>, with Google's access tokens as they are, as the password of `oauth2accesstoken`, or in exchange for the
//! registry's own (<https://cloud.google.com/artifact-registry/docs/docker/authentication#token>).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Duration, Utc};
use http::{Method, StatusCode};
use serde_json::json;

use super::problem::{Attempt, Problem};
use super::{Asked, Name};
use crate::google_cloud::state::State;
use crate::google_cloud::tokens::Token;
use crate::server::{self, Answer};

/// The name that goes with an access token as a password.
const USER: &str = "oauth2accesstoken";
/// How long the registry's own tokens last, in seconds.
const LASTS: i64 = 3600;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Pull,
    Push,
    Delete,
}

impl Action {
    /// As a scope has it.
    const fn scope(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
        }
    }

    pub(super) const fn permission(self) -> &'static str {
        match self {
            Self::Pull => "artifactregistry.repositories.downloadArtifacts",
            Self::Push => "artifactregistry.repositories.uploadArtifacts",
            Self::Delete => "artifactregistry.repositories.deleteArtifacts",
        }
    }
}

/// What one of the registry's own tokens is for.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    /// `repository:project/repository/image:pull,push`
    scopes: Vec<String>,
    until: DateTime<Utc>,
}

impl Grant {
    fn allows(&self, name: &Name, action: Action) -> bool {
        let start = format!("repository:{}:", name.whole);
        Utc::now() < self.until
            && self
                .scopes
                .iter()
                .filter_map(|scope| scope.strip_prefix(&start))
                .any(|actions| actions.split(',').any(|one| one == action.scope() || one == "*"))
    }
}

/// Whether the request says who it is from, for what is to be done.
pub(super) fn check(state: &State, asked: &Asked<'_>, wanted: Option<(&Name, Action)>) -> Attempt<()> {
    let header = asked.header("authorization").unwrap_or_default();
    let is_known = match header.split_once(' ') {
        Some(("Bearer", token)) => {
            let is_access = state.tokens.get(token).is_some_and(Token::counts);
            let grant = state.registry.grants.get(token);
            is_access
                || grant.is_some_and(|grant| match wanted {
                    Some((name, action)) => grant.allows(name, action),
                    None => Utc::now() < grant.until,
                })
        }
        Some(("Basic", text)) => is_account(state, text),
        _ => false,
    };
    if is_known {
        return Ok(());
    }
    let host = asked.host;
    let mut challenge = format!("Bearer realm=\"https://{host}/v2/token\",service=\"{host}\"");
    if let Some((name, action)) = wanted {
        let actions = match action {
            // Whoever pushes looks what is there.
            Action::Push => "pull,push",
            other => other.scope(),
        };
        challenge.push_str(&format!(",scope=\"repository:{}:{actions}\"", name.whole));
    }
    let what = match header {
        "" => "authentication required",
        _ => "the credentials do not count, or not for this",
    };
    Err(Problem::new(401, "UNAUTHORIZED", what).challenge(challenge))
}

/// Whether a name and a password are those of an access token.
fn is_account(state: &State, text: &str) -> bool {
    let decoded = STANDARD.decode(text.trim()).unwrap_or_default();
    let text = String::from_utf8_lossy(&decoded);
    text.split_once(':')
        .is_some_and(|(user, token)| user == USER && state.tokens.get(token).is_some_and(Token::counts))
}

/// One of the registry's own tokens, for an access token.
pub(super) fn token(state: &mut State, asked: &Asked<'_>) -> Attempt<Answer> {
    if *asked.method != Method::GET {
        return Err(Problem::method());
    }
    let header = asked.header("authorization").unwrap_or_default();
    let is_known = match header.split_once(' ') {
        Some(("Basic", text)) => is_account(state, text),
        Some(("Bearer", token)) => state.tokens.get(token).is_some_and(Token::counts),
        _ => false,
    };
    if !is_known {
        let what = "Unauthenticated request. Unauthenticated requests have no token.";
        return Err(Problem::new(401, "UNAUTHORIZED", what));
    }
    if asked.parameter("service") != Some(asked.host) {
        return Err(Problem::new(400, "UNSUPPORTED", "the service is not this host"));
    }
    let scopes = asked.query.iter().filter(|(name, _)| name == "scope");
    let grant = Grant {
        scopes: scopes
            .flat_map(|(_, scopes)| scopes.split(' '))
            .map(str::to_owned)
            .collect(),
        until: Utc::now() + Duration::seconds(LASTS),
    };
    let token = format!("nephos-registry.{}", uuid::Uuid::new_v4().simple());
    state.registry.grants.insert(token.clone(), grant);
    Ok(server::json(
        StatusCode::OK,
        &json!({"token": token, "expires_in": LASTS}),
    ))
}

//! Auth events: a step in a user's sign-up or sign-in, which the function may allow, change or refuse.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Which step it is. Targets know more steps than these; the ones that most share are named.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AuthStage {
    /// A user signs up; the account does not exist yet.
    BeforeSignUp,
    /// The account was created and confirmed.
    AfterSignUp,
    /// A user signs in; the credentials were right.
    BeforeSignIn,
    /// The user has signed in.
    AfterSignIn,
    /// A token is about to be issued: claims can be added.
    BeforeToken,
    /// A step that only this provider has, by its own name.
    #[serde(untagged)]
    Other(String),
}

impl AuthStage {
    /// The name, as in the manifest (`before_sign_up`).
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::BeforeSignUp => "before_sign_up",
            Self::AfterSignUp => "after_sign_up",
            Self::BeforeSignIn => "before_sign_in",
            Self::AfterSignIn => "after_sign_in",
            Self::BeforeToken => "before_token",
            Self::Other(name) => name,
        }
    }
}

/// A step in a user's sign-up or sign-in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuthEvent {
    /// Which step.
    pub stage: AuthStage,
    /// The user directory (user pool, tenant, project).
    #[serde(default)]
    pub directory: String,
    /// The client application that asks.
    #[serde(default)]
    pub client: Option<String>,
    /// The user's id or name in the directory, where there is one yet.
    #[serde(default)]
    pub user: Option<String>,
    /// The user's e-mail address.
    #[serde(default)]
    pub email: Option<String>,
    /// The user's attributes, by the provider's names.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// What the client application passed along for the function.
    #[serde(default)]
    pub client_data: BTreeMap<String, String>,
}

/// Whether the step may go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthVerdict {
    /// Go on.
    Allow,
    /// Stop, with a reason that the user may read.
    Deny {
        /// The reason.
        reason: String,
    },
}

/// A function's answer to an [`AuthEvent`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuthDecision {
    /// Whether the step may go on.
    pub verdict: AuthVerdict,
    /// Whether a new account counts as confirmed without the provider's own check.
    #[serde(default)]
    pub confirm: bool,
    /// Claims to add to the token, or to replace in it.
    #[serde(default)]
    pub claims: BTreeMap<String, serde_json::Value>,
    /// User attributes to set, where the step can.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

impl AuthDecision {
    /// Go on, nothing changed.
    #[must_use]
    pub fn allow() -> Self {
        Self {
            verdict: AuthVerdict::Allow,
            confirm: false,
            claims: BTreeMap::new(),
            attributes: BTreeMap::new(),
        }
    }

    /// Stop. The user may read the reason.
    #[must_use]
    pub fn deny(reason: impl Into<String>) -> Self {
        Self {
            verdict: AuthVerdict::Deny {
                reason: reason.into(),
            },
            ..Self::allow()
        }
    }

    /// Counts a new account as confirmed.
    #[must_use]
    pub fn confirmed(mut self) -> Self {
        self.confirm = true;
        self
    }

    /// Adds a claim to the token.
    #[must_use]
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<serde_json::Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }

    /// Sets a user attribute.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }
}

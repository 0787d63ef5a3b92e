//! Voice events: a user spoke to an assistant, and hears the function's answer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What the user wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum VoiceRequestKind {
    /// The user opened the skill without asking for anything.
    Launch,
    /// The user asked for something.
    Intent {
        /// The intent's name in the interaction model.
        name: String,
        /// What was heard for each slot; a slot that was not filled is left out.
        #[serde(default)]
        slots: BTreeMap<String, String>,
    },
    /// The session ended; the answer is not heard.
    SessionEnded {
        /// Why, in the provider's words.
        reason: String,
    },
    /// A request that only this provider has, by its own name.
    Other {
        /// The provider's name for it.
        name: String,
    },
}

/// A request of a voice assistant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VoiceRequest {
    /// The request's id.
    pub id: String,
    /// The skill or action that was addressed.
    pub skill: String,
    /// What the user wants.
    pub request: VoiceRequestKind,
    /// The user's language (`en-GB`).
    #[serde(default)]
    pub locale: String,
    /// The user's id, the same in every session.
    #[serde(default)]
    pub user: Option<String>,
    /// The session's id.
    #[serde(default)]
    pub session: Option<String>,
    /// Whether the session began with this request.
    #[serde(default)]
    pub new_session: bool,
    /// What the last answer left in the session.
    #[serde(default)]
    pub attributes: BTreeMap<String, serde_json::Value>,
}

/// What the user hears.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct VoiceResponse {
    /// What is said, plain text.
    #[serde(default)]
    pub speech: Option<String>,
    /// What is said again if the user does not answer.
    #[serde(default)]
    pub reprompt: Option<String>,
    /// The title of a card on the user's screen.
    #[serde(default)]
    pub card_title: Option<String>,
    /// The text of that card.
    #[serde(default)]
    pub card_text: Option<String>,
    /// Whether the session ends here.
    #[serde(default)]
    pub end_session: bool,
    /// What the next request of the session brings along.
    #[serde(default)]
    pub attributes: BTreeMap<String, serde_json::Value>,
}

impl VoiceResponse {
    /// Says `speech` and ends the session.
    #[must_use]
    pub fn tell(speech: impl Into<String>) -> Self {
        Self {
            speech: Some(speech.into()),
            end_session: true,
            ..Self::default()
        }
    }

    /// Says `speech` and listens; says `reprompt` if nothing is heard.
    #[must_use]
    pub fn ask(speech: impl Into<String>, reprompt: impl Into<String>) -> Self {
        Self {
            speech: Some(speech.into()),
            reprompt: Some(reprompt.into()),
            ..Self::default()
        }
    }
}

//! Requests of the Alexa Skills Kit, and what the user hears:
//! <https://developer.amazon.com/en-US/docs/alexa/custom-skills/request-and-response-json-reference.html>. The document is the same wherever the function runs;
//! where it comes over HTTPS, the module `signature` tells whether Alexa sent it.

#[cfg(feature = "signature")]
pub mod signature;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use nephos_core::event::{Data, VoiceRequest, VoiceRequestKind, VoiceResponse};
use nephos_core::{Error, ErrorKind, Event, Result};
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    session: Option<Session>,
    #[serde(default)]
    context: Option<Surroundings>,
    request: Request,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Session {
    #[serde(default)]
    new: bool,
    #[serde(default)]
    session_id: Option<String>,
    #[serde(default)]
    application: Option<Application>,
    #[serde(default)]
    user: Option<User>,
    #[serde(default)]
    attributes: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
struct Surroundings {
    #[serde(default, rename = "System")]
    system: Option<System>,
}

#[derive(Deserialize)]
struct System {
    #[serde(default)]
    application: Option<Application>,
    #[serde(default)]
    user: Option<User>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Application {
    application_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct User {
    user_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    #[serde(rename = "type")]
    ty: String,
    request_id: String,
    #[serde(default)]
    timestamp: Option<DateTime<Utc>>,
    #[serde(default)]
    locale: Option<String>,
    #[serde(default)]
    intent: Option<Intent>,
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Intent {
    name: String,
    #[serde(default)]
    slots: Option<BTreeMap<String, Slot>>,
}

#[derive(Deserialize)]
struct Slot {
    #[serde(default)]
    value: Option<String>,
}

/// Reads a request. `name` tells the manifest's name of the skill that has this id.
///
/// # Errors
/// [`ErrorKind::Decode`] if it is none, and what `name` refuses: whoever may call the function's URL may send another skill's requests to it.
pub fn decode(document: &[u8], name: impl FnOnce(&str) -> Result<String>) -> Result<Event> {
    let read: Document = serde_json::from_slice(document).map_err(|error| {
        Error::new(
            ErrorKind::Decode,
            "event.decode",
            "the request is not as the Alexa Skills Kit documents it",
        )
        .caused_by(error)
    })?;
    // Requests outside a session, as those of an audio player, have only the context.
    let (session, system) = (read.session, read.context.and_then(|context| context.system));
    let (application, user) = system.map_or((None, None), |system| (system.application, system.user));
    let (new_session, session, in_session, session_user, attributes) = match session {
        Some(session) => (
            session.new,
            session.session_id,
            session.application,
            session.user,
            session.attributes,
        ),
        None => (false, None, None, None, None),
    };
    let skill = in_session
        .or(application)
        .map(|application| application.application_id);
    let request = read.request;
    let kind = match (request.ty.as_str(), request.intent) {
        ("LaunchRequest", _) => VoiceRequestKind::Launch,
        ("IntentRequest", Some(intent)) => VoiceRequestKind::Intent {
            name: intent.name,
            slots: intent
                .slots
                .unwrap_or_default()
                .into_iter()
                .filter_map(|(name, slot)| Some((name, slot.value?)))
                .collect(),
        },
        ("SessionEndedRequest", _) => VoiceRequestKind::SessionEnded {
            reason: request.reason.unwrap_or_default(),
        },
        _ => VoiceRequestKind::Other { name: request.ty },
    };
    let mut event = Event::of(Data::Voice(Box::new(VoiceRequest {
        id: request.request_id.clone(),
        skill: name(skill.as_deref().unwrap_or_default())?,
        request: kind,
        locale: request.locale.unwrap_or_default(),
        user: session_user.or(user).map(|user| user.user_id),
        session,
        new_session,
        attributes: attributes.unwrap_or_default(),
    })));
    event.attributes.id = request.request_id;
    event.attributes.time = request.timestamp.or(event.attributes.time);
    Ok(event)
}

/// The answer. Alexa ignores what is said once a session has ended.
#[must_use]
pub fn encode(response: &VoiceResponse) -> Value {
    let speech = |text: &str| json!({"type": "PlainText", "text": text});
    let mut body = Map::new();
    let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
    if let Some(text) = &response.speech {
        set("outputSpeech", speech(text));
    }
    if let Some(text) = &response.reprompt {
        set("reprompt", json!({"outputSpeech": speech(text)}));
    }
    if response.card_title.is_some() || response.card_text.is_some() {
        let mut card = json!({"type": "Simple"});
        if let Some(title) = &response.card_title {
            card["title"] = title.as_str().into();
        }
        if let Some(text) = &response.card_text {
            card["content"] = text.as_str().into();
        }
        set("card", card);
    }
    set("shouldEndSession", response.end_session.into());
    json!({"version": "1.0", "sessionAttributes": response.attributes, "response": body})
}

/// The answer of a handler that says nothing.
#[must_use]
pub fn silence() -> Value {
    json!({"version": "1.0", "response": {}})
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    #[test]
    fn the_skill_has_its_name_in_the_manifest_or_is_refused() {
        let request =
            json!({"session": {"application": {"applicationId": "skill-1"}, "user": {"userId": "ann"}},
            "request": {"type": "IntentRequest", "requestId": "r", "timestamp": "2026-12-01T12:00:00Z",
                "intent": {"name": "Cook", "slots": {"dish": {"value": "soup"}, "time": {}}}}})
            .to_string();
        let event = decode(request.as_bytes(), |id| Ok(id.replace("skill-1", "kitchen"))).unwrap();
        let Data::Voice(voice) = event.data else {
            panic!("another kind")
        };
        assert_eq!(
            (voice.skill.as_str(), voice.user.as_deref()),
            ("kitchen", Some("ann"))
        );
        let VoiceRequestKind::Intent { name, slots } = voice.request else {
            panic!("another request")
        };
        assert_eq!((name.as_str(), slots.len()), ("Cook", 1));
        assert!(decode(request.as_bytes(), |_| Err(Error::reject("no"))).is_err());
        assert_eq!(
            decode(b"{}", |id| Ok(id.to_owned())).unwrap_err().kind(),
            ErrorKind::Decode
        );
    }

    #[test]
    fn an_answer_has_only_what_was_said() {
        let answer = encode(&VoiceResponse::tell("done"));
        assert_eq!(
            answer["response"]["outputSpeech"],
            json!({"type": "PlainText", "text": "done"})
        );
        assert_eq!(answer["response"]["shouldEndSession"], true);
        assert_eq!(answer["response"].get("card"), None);
        assert_eq!(silence()["response"], json!({}));
    }

    proptest! {
        #[test]
        fn no_bytes_are_a_panic(bytes in any::<Vec<u8>>()) {
            let _ = decode(&bytes, |id| Ok(id.to_owned()));
        }
    }
}

//! Requests of the Alexa Skills Kit, which every provider hands over as Alexa makes them.

use chrono::SecondsFormat;
use nephos_core::event::{VoiceRequest, VoiceRequestKind};
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Map, Value, json};

use crate::happening::Happening;

/// The document of a request to the skill with this id: <https://developer.amazon.com/en-US/docs/alexa/custom-skills/request-and-response-json-reference.html>
///
/// # Errors
/// [`ErrorKind::Unsupported`] for a request of a kind that is not known here.
pub fn document(happening: &Happening, asked: &VoiceRequest, skill: &str) -> Result<Value> {
    let mut request = json!({"requestId": asked.id, "timestamp": happening.at.to_rfc3339_opts(SecondsFormat::Secs, true), "locale": asked.locale});
    request["type"] = match &asked.request {
        VoiceRequestKind::Launch => "LaunchRequest",
        VoiceRequestKind::Intent { name, slots } => {
            let mut filled: Map<String, Value> = slots
                .iter()
                .map(|(name, value)| {
                    (
                        name.clone(),
                        json!({"name": name, "value": value, "confirmationStatus": "NONE"}),
                    )
                })
                .collect();
            // One that the user has not said yet is there without a value.
            filled.insert(
                "milk".to_owned(),
                json!({"name": "milk", "confirmationStatus": "NONE"}),
            );
            request["intent"] = json!({"name": name, "confirmationStatus": "NONE", "slots": filled});
            request["dialogState"] = "COMPLETED".into();
            "IntentRequest"
        }
        VoiceRequestKind::SessionEnded { reason } => {
            request["reason"] = reason.as_str().into();
            "SessionEndedRequest"
        }
        VoiceRequestKind::Other { name } => {
            let unknown = Error::new(
                ErrorKind::Unsupported,
                "alexa.document",
                "there is no document of it",
            );
            return Err(unknown.with("request", name));
        }
    }
    .into();
    let application = json!({"applicationId": skill});
    let user = json!({"userId": asked.user});
    Ok(json!({
        "version": "1.0",
        "session": {
            "new": asked.new_session, "sessionId": asked.session, "application": application, "attributes": asked.attributes, "user": user,
        },
        "context": {"System": {"application": application, "user": user, "device": {"deviceId": "device-1"}, "apiEndpoint": "https://api.eu.amazonalexa.com"}},
        "request": request,
    }))
}

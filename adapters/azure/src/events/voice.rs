//! Requests of the Alexa Skills Kit over HTTPS, and what the user hears. The document is the same as everywhere; that Alexa sent it, [`signature`] must tell first.

use bytes::Bytes;
use nephos_core::event::{Raw, VoiceResponse};
use nephos_core::wiring::Wiring;
use nephos_core::{Error, ErrorKind, Event, Result};

pub use nephos_alexa::signature;

/// Reads the body of a request to the path of `skill`, whose id deployment put into [`Wiring::sources`]. Where it did not, a request of any skill is taken.
///
/// # Errors
/// [`ErrorKind::Decode`] if it is no request; [`ErrorKind::Unauthenticated`] for one of another skill: anyone may make one that calls this URL, and Alexa signs
/// its requests too.
pub fn decode(skill: &str, wiring: &Wiring, body: &Bytes) -> Result<Event> {
    let named = |id: &str| {
        let is_known = wiring.sources.values().any(|name| name == skill);
        if is_known && wiring.sources.get(id).map(String::as_str) != Some(skill) {
            return Err(Error::new(
                ErrorKind::Unauthenticated,
                super::DECODE,
                "the request is of another skill than that of this URL",
            )
            .with("skill", skill));
        }
        Ok(skill.to_owned())
    };
    let event = nephos_alexa::decode(body, named)?;
    Ok(event.with_raw(Raw::json(body.clone())))
}

/// The answer, JSON with status 200; of a handler that says nothing, `None`.
#[must_use]
pub fn encode(response: Option<&VoiceResponse>) -> Bytes {
    let answer = response.map_or_else(nephos_alexa::silence, nephos_alexa::encode);
    answer.to_string().into()
}

#[cfg(test)]
mod tests {
    use nephos_core::event::Data;

    use super::*;

    const REQUEST: &str = r#"{"session":{"application":{"applicationId":"skill-1"}},"request":{"type":"LaunchRequest","requestId":"r"}}"#;

    #[test]
    fn a_request_of_another_skill_is_refused_where_the_skills_id_is_known() {
        let body = Bytes::from_static(REQUEST.as_bytes());
        let with = |sources: &[(&str, &str)]| {
            let sources = sources
                .iter()
                .map(|(id, name)| ((*id).to_owned(), (*name).to_owned()));
            let wiring = Wiring {
                sources: sources.collect(),
                ..Wiring::default()
            };
            decode("kitchen", &wiring, &body)
        };
        let event = with(&[("skill-1", "kitchen")]).unwrap();
        assert_eq!(event.raw.as_ref().unwrap().bytes, body);
        let Data::Voice(voice) = event.data else {
            panic!("another kind")
        };
        assert_eq!(voice.skill, "kitchen");
        assert!(with(&[]).is_ok());
        let error = with(&[("skill-2", "kitchen"), ("skill-1", "garden")]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated);
        assert_eq!(encode(None), r#"{"response":{},"version":"1.0"}"#);
        assert!(encode(Some(&VoiceResponse::tell("hi"))).starts_with(b"{"));
    }
}

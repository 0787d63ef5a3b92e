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

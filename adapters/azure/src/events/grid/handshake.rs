//! How a webhook shows that it wants events: Event Grid asks once, before it delivers any.
//!
//! In [its own schema](https://learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema) it posts an event with a code, and wants the code
//! back; of [CloudEvents](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md#4-abuse-protection) it asks with `OPTIONS`. Deployment lets events come
//! through queues, which need neither; these are for endpoints that an app itself subscribes.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use nephos_core::Result;
use serde_json::{Value, json};

/// Who asks for Event Grid.
pub const ORIGIN: &str = "eventgrid.azure.net";

/// The type of the event that asks.
const VALIDATION: &str = "Microsoft.EventGrid.SubscriptionValidationEvent";

const REQUEST_ORIGIN: &str = "webhook-request-origin";
const REQUEST_RATE: &str = "webhook-request-rate";
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");

/// The answer to a post that asks whether its events are wanted, JSON with status 200; `None` if it brings events.
///
/// # Errors
/// [`ErrorKind::Decode`](nephos_core::ErrorKind::Decode) if the body is no event at all, or asks without a code.
pub fn answer_post(body: &[u8]) -> Result<Option<Bytes>> {
    let text = std::str::from_utf8(body)
        .map_err(|error| super::refused("the event is not UTF-8 text").caused_by(error))?;
    for event in super::events(text)? {
        if event.ty != VALIDATION {
            continue;
        }
        let data: Option<Value> = event.json().and_then(|json| serde_json::from_str(json).ok());
        let code = data
            .as_ref()
            .and_then(|data| data.get("validationCode")?.as_str());
        let code = code.ok_or_else(|| super::refused("the subscription's validation has no code"))?;
        return Ok(Some(json!({"validationResponse": code}).to_string().into()));
    }
    Ok(None)
}

/// The headers of the answer to an `OPTIONS` request that asks whether events are wanted from one of `origins`, at any rate that it names; `None` for one that
/// does not ask this, or is of another origin: it is answered without them, which is a no.
#[must_use]
pub fn answer_options(headers: &HeaderMap, origins: &[&str]) -> Option<HeaderMap> {
    let asked = headers.get(REQUEST_ORIGIN)?;
    let origin = asked.to_str().ok()?;
    if !origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)) {
        return None;
    }
    let mut answer = HeaderMap::new();
    answer.insert(ALLOWED_ORIGIN, asked.clone());
    let rate = headers
        .get(REQUEST_RATE)
        .filter(|rate| {
            let number = rate.to_str().ok().and_then(|rate| rate.parse::<u32>().ok());
            number.is_some_and(|number| number > 0)
        })
        .cloned();
    answer.insert(ALLOWED_RATE, rate.unwrap_or(HeaderValue::from_static("*")));
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_comes_back_and_events_are_left_alone() {
        let ask = json!([{"id": "1", "topic": "/t", "subject": "", "eventType": VALIDATION, "eventTime": "2026-02-03T12:00:00Z",
            "data": {"validationCode": "512d38b6", "validationUrl": "https://example.com/"}, "dataVersion": "1", "metadataVersion": "1"}]);
        let answer = answer_post(ask.to_string().as_bytes()).unwrap().unwrap();
        assert_eq!(answer, r#"{"validationResponse":"512d38b6"}"#);
        let event = json!([{"id": "1", "eventType": "x", "data": {}}]);
        assert_eq!(answer_post(event.to_string().as_bytes()).unwrap(), None);
        let mut without = ask;
        without[0]["data"] = json!({});
        assert!(answer_post(without.to_string().as_bytes()).is_err());
        assert!(answer_post(b"\xff").is_err());
    }

    #[test]
    fn only_a_known_origin_is_answered() {
        let asked = |origin: &'static str, rate: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ORIGIN, HeaderValue::from_static(origin));
            if let Some(rate) = rate {
                headers.insert(REQUEST_RATE, HeaderValue::from_static(rate));
            }
            answer_options(&headers, &[ORIGIN])
        };
        let answer = asked(ORIGIN, Some("120")).unwrap();
        assert_eq!(answer[ALLOWED_ORIGIN], ORIGIN);
        assert_eq!(answer[ALLOWED_RATE], "120");
        assert_eq!(asked(ORIGIN, None).unwrap()[ALLOWED_RATE], "*");
        assert_eq!(asked(ORIGIN, Some("-1")).unwrap()[ALLOWED_RATE], "*");
        assert_eq!(asked("evil.example", None), None);
        assert_eq!(answer_options(&HeaderMap::new(), &[ORIGIN]), None);
    }
}

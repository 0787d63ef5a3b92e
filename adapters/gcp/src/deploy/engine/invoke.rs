//! Calls a function by hand: with the body that its trigger's source would send, to the place where that sends it, as the account by which it is sent.
//!
//! <https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateIdToken>

use http::Method;
use nephos_core::deploy::{Invoked, InvokedResult};
use nephos_core::event::Payload;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::api::escaped;
use super::status::Running;
use super::{GcpDeployer, Place};
use crate::deploy::graph::{Graph, Kind, full_name};
use crate::error::unsent;
use crate::wiring::{PREFIX, Service, Source};

const OPERATION: &str = "deploy.invoke";
const HOST: &str = "iamcredentials.googleapis.com";
/// The type of a body that says none: of what Google's services push it is this.
const JSON: &str = "application/json";

impl GcpDeployer {
    pub(super) async fn call(&self, function: &str, payload: Payload) -> Result<Invoked> {
        let place = self.place(OPERATION).await?;
        let names = [function.to_owned()];
        let running = self.chosen(&place, &names).await?;
        let one = running.first().ok_or_else(|| nothing(function))?;
        let graph = self.graph(&place, None)?;
        let (path, source) = trigger(one)?;
        let url = one.thing.text("uri").unwrap_or_default();
        let audience = match &source.caller {
            crate::wiring::Caller::Token { audience, .. } => audience.clone(),
            crate::wiring::Caller::Platform => url.to_owned(),
        };
        let caller = match &source.caller {
            crate::wiring::Caller::Token { email, .. } => Some(email.clone()),
            crate::wiring::Caller::Platform => place.invoker(&graph, one),
        };
        let caller = caller.ok_or_else(|| nothing(function))?;
        let token = place.token(&caller, &audience).await?;
        place.send(one, &format!("{url}{path}"), &token, payload).await
    }
}

fn nothing(function: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        OPERATION,
        "nothing calls the function on Google Cloud with an event; give it a trigger",
    )
    .with("function", function)
}

/// The path of the service's one trigger, and what it is.
fn trigger(one: &Running) -> Result<(String, Source)> {
    let refused = |message: &'static str| {
        Err(Error::new(ErrorKind::Unsupported, OPERATION, message).with("function", &one.function))
    };
    let wiring = variable(&one.thing.body, nephos_core::env::WIRING);
    let service = wiring.map_or_else(|| Ok(Service::default()), Service::read)?;
    let mut triggers = service.triggers.into_iter();
    match (triggers.next(), triggers.next()) {
        (Some((name, source)), None) => {
            let kind = source.trigger.kind();
            Ok((format!("{PREFIX}{kind}/{name}"), source))
        }
        (Some(_), Some(_)) => refused(
            "the function has several triggers, and an event is of one of them; send it to its source instead",
        ),
        (None, _) => refused(
            "the function answers requests, and is called by one; send it to the address that `nephos status` tells",
        ),
    }
}

/// A variable of a service's container.
fn variable<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    let variables = body.pointer("/template/containers/0/env")?.as_array()?;
    let found = variables
        .iter()
        .find(|one| one.get("name").and_then(Value::as_str) == Some(name))?;
    found.get("value")?.as_str()
}

impl Place {
    /// The account that may call the service.
    fn invoker(&self, graph: &Graph, one: &Running) -> Option<String> {
        let full = full_name(Kind::Service, &one.thing.name);
        let grants = graph.grants.iter().filter(|grant| grant.on == full);
        let found = grants.filter_map(|grant| grant.member.strip_prefix("serviceAccount:"));
        found.map(str::to_owned).next()
    }

    /// A token of that account for that audience.
    async fn token(&self, email: &str, audience: &str) -> Result<String> {
        let path = format!(
            "/v1/projects/-/serviceAccounts/{}:generateIdToken",
            escaped(email)
        );
        let body = json!({"audience": audience, "includeEmail": true});
        let answer = self.api.call(HOST, Method::POST, &path, Some(&body)).await;
        let answer = answer.map_err(|error| {
            if error.kind() != ErrorKind::PermissionDenied {
                return error;
            }
            Error::new(
                ErrorKind::PermissionDenied,
                OPERATION,
                "a function is called as the account that its events come by, and who asks may not have a token of it; have the role Service Account OpenID Connect Identity Token Creator (roles/iam.serviceAccountOpenIdTokenCreator) given on it, and enable iamcredentials.googleapis.com",
            )
            .with("account", email)
            .caused_by(error.chain())
        })?;
        let token = answer.get("token").and_then(Value::as_str);
        token.map(str::to_owned).ok_or_else(|| {
            Error::new(
                ErrorKind::Unavailable,
                OPERATION,
                "the answer has no token; try again",
            )
        })
    }

    async fn send(&self, one: &Running, url: &str, token: &str, payload: Payload) -> Result<Invoked> {
        let url = self.api.config().address(url)?;
        let media = payload.content_type.unwrap_or_else(|| JSON.to_owned());
        // JSON that was typed at a prompt comes as text.
        let media = if media.starts_with("text/") && serde_json::from_slice::<Value>(&payload.bytes).is_ok() {
            JSON.to_owned()
        } else {
            media
        };
        let answer = (self.api.config().https().client()?)
            .post(url)
            .bearer_auth(token)
            .header(http::header::CONTENT_TYPE, media)
            .body(payload.bytes)
            .send()
            .await
            .map_err(|error| unsent(OPERATION, &error.without_url()))?;
        let status = answer.status();
        let body = answer.bytes().await;
        let result = if status.is_success() {
            InvokedResult::Ok
        } else {
            InvokedResult::Failed(format!("status {}", status.as_u16()))
        };
        Ok(Invoked {
            result,
            payload: body.map_err(|error| unsent(OPERATION, &error.without_url()))?,
            log: vec![format!(
                "what it printed is in its log: nephos logs {}",
                one.function
            )],
            version: one.serving().map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::engine::state::Thing;

    fn running(wiring: &Value) -> Running {
        let variables = json!([{"name": "OTHER", "value": "x"}, {"name": nephos_core::env::WIRING, "value": wiring.to_string()}]);
        Running {
            function: "f".to_owned(),
            thing: Thing {
                kind: Kind::Service,
                name: "projects/p/locations/r/services/f".to_owned(),
                mark: None,
                body: json!({"template": {"containers": [{"env": variables}]}}),
            },
        }
    }

    #[test]
    fn an_event_goes_where_the_triggers_source_sends_it() {
        let source = |queue: &str| json!({"trigger": {"kind": "queue", "queue": queue, "batch": 1}, "by": "push", "caller": "platform"});
        let one = running(&json!({"triggers": {"jobs": source("jobs")}}));
        assert_eq!(trigger(&one).unwrap().0, "/.nephos/queue/jobs");
        let several = running(&json!({"triggers": {"a": source("a"), "b": source("b")}}));
        assert!(
            trigger(&several)
                .unwrap_err()
                .message()
                .contains("several triggers")
        );
        let none = running(&json!({}));
        assert!(trigger(&none).unwrap_err().message().contains("nephos status"));
    }
}

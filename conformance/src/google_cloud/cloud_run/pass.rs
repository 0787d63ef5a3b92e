//! Messages and documents: requests that are held against Google's documents here, and then go on to Google's emulators.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HOST};
use http::request::Parts;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};

use super::World;
use crate::google_cloud::checked::documented;
use crate::google_cloud::error::{Code, Outcome, Refusal};
use crate::google_cloud::kinds::DATABASE;
use crate::google_cloud::rights;
use crate::google_cloud::route::authenticate;
use crate::server::{self, Answer};

/// What of Pub/Sub is about messages, and not about what is set up.
const MESSAGES: &[&str] = &[
    "pubsub.projects.topics.publish",
    "pubsub.projects.subscriptions.pull",
    "pubsub.projects.subscriptions.acknowledge",
    "pubsub.projects.subscriptions.modifyAckDeadline",
    "pubsub.projects.subscriptions.seek",
];

/// How the emulator of Firestore knows who may do everything: <https://cloud.google.com/firestore/docs/emulator>.
const OWNER: HeaderValue = HeaderValue::from_static("Bearer owner");

impl World {
    /// The answer to a request that is none of the control plane's.
    pub(in crate::google_cloud) async fn pass_on(
        self: &Arc<Self>,
        parts: &Parts,
        host: &str,
        body: &Bytes,
    ) -> Option<Answer> {
        let base = match host {
            "pubsub.googleapis.com" => self.options.pubsub.as_deref()?,
            "firestore.googleapis.com" => self.options.firestore.as_deref()?,
            _ => return None,
        };
        let path = parts.uri.path();
        let found = self
            .shared
            .documents
            .find(host, parts.method.as_str(), &documented(path));
        let call = found.ok()?;
        let id = call.id();
        if !MESSAGES.contains(&id) && !id.starts_with("firestore.projects.databases.documents.") {
            return None;
        }
        if let Err(refusal) = authenticate(&self.shared, &parts.headers) {
            return Some(refusal.answer());
        }
        let sent = match serde_json::from_slice::<Value>(body) {
            Ok(sent) => Some(sent),
            Err(_) if body.is_empty() => None,
            Err(error) => {
                let message = format!("Invalid JSON payload received. {error}");
                return Some(Refusal::new(Code::InvalidArgument, message).answer());
            }
        };
        let findings = call.check(parts.uri.query().unwrap_or_default(), sent.as_ref(), None);
        if let Some(refusal) = Refusal::found(&findings) {
            self.shared.lock().findings.extend(findings);
            return Some(refusal.answer());
        }
        let name = call
            .path_parameters()
            .values()
            .next()
            .cloned()
            .unwrap_or_default();
        if let Err(refusal) = self.permitted(id, &self.shared.key(&name), parts) {
            return Some(refusal.answer());
        }
        let request = || self.to_emulator(base, parts, host, body);
        if host == "pubsub.googleapis.com" {
            return Some(self.pushes.published(sent.as_ref(), request()).await);
        }
        let database = path
            .trim_start_matches("/v1/")
            .split("/documents")
            .next()
            .unwrap_or_default();
        if self.shared.lock().get(&DATABASE, database).is_err() {
            let id = database.rsplit('/').next().unwrap_or_default();
            let message = format!(
                "The database {id} does not exist for project {}.",
                self.shared.options.project
            );
            return Some(Refusal::new(Code::NotFound, message).answer());
        }
        Some(self.document(base, id, path, sent.as_ref(), request()).await)
    }

    /// Whether who asks may do this with what is named so.
    fn permitted(&self, method: &str, name: &str, parts: &Parts) -> Outcome<()> {
        let permission = rights::permission(method);
        let state = self.shared.lock();
        if state.knobs.is_denied(&permission, name) {
            return Err(Refusal::denied(&permission, name));
        }
        rights::check(&state, &self.shared, &parts.headers, &permission, name)
    }

    async fn to_emulator(&self, base: &str, parts: &Parts, host: &str, body: &Bytes) -> Answer {
        let whole = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = parts.method.clone();
        *request.headers_mut() = parts.headers.clone();
        for name in [HOST, AUTHORIZATION, CONTENT_LENGTH] {
            request.headers_mut().remove(name);
        }
        if host == "firestore.googleapis.com" {
            request.headers_mut().insert(AUTHORIZATION, OWNER);
        }
        match format!("{base}{whole}").parse() {
            Ok(uri) => *request.uri_mut() = uri,
            Err(_) => return broken("the emulator's address is no URL"),
        }
        let Ok(answer) = self.client.request(request).await else {
            return broken("the emulator does not answer");
        };
        let (parts, body) = answer.into_parts();
        match body.collect().await {
            Ok(body) => Answer::from_parts(parts, Full::new(body.to_bytes())),
            Err(_) => broken("the emulator broke off"),
        }
    }

    /// What the emulator of a service answers to a request of our own; null for what is no JSON.
    pub(super) async fn ask_emulator(
        &self,
        method: &str,
        url: &str,
        body: &Value,
    ) -> Result<(StatusCode, Value), String> {
        let bytes = if body.is_null() {
            Bytes::new()
        } else {
            body.to_string().into()
        };
        let request = Request::builder()
            .method(method)
            .uri(url)
            .header("content-type", "application/json")
            .header(AUTHORIZATION, OWNER)
            .body(Full::new(bytes))
            .map_err(|error| error.to_string())?;
        let answer = self.client.request(request).await;
        let (parts, body) = answer.map_err(|error| error.to_string())?.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?;
        let told = serde_json::from_slice(&body.to_bytes()).unwrap_or(Value::Null);
        Ok((parts.status, told))
    }
}

fn broken(message: &str) -> Answer {
    let body = json!({"error": {"code": 502, "message": message, "status": "UNAVAILABLE"}});
    server::json(StatusCode::BAD_GATEWAY, &body)
}

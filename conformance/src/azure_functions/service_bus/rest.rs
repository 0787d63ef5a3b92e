//! The REST interface: send one or many, receive with and without a lock, complete, give back, renew.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;
use serde_json::Value;

use super::queue::{Message, broker_properties};
use super::{LOOK, State};
use crate::azure_functions::event_hub::sent;
use crate::server::{Answer, answer, is_authorized, read};

/// The most that one request may hold.
const LIMIT: usize = 1024 * 1024;

/// How long a receiver waits unless it says so.
const WAIT: Duration = Duration::from_secs(60);

/// What a receiver wants.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    PeekLock,
    Delete,
}

impl State {
    pub(super) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Answer, Answer> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().trim_matches('/').to_lowercase();
        let (queue, rest) = path
            .split_once("/messages")
            .map(|(queue, rest)| (queue.to_owned(), rest.trim_matches('/').to_owned()))
            .ok_or_else(|| answer(StatusCode::NOT_FOUND, ""))?;
        if !is_authorized(&parts.headers) {
            return Err(answer(StatusCode::UNAUTHORIZED, ""));
        }
        if !self.queues().contains_key(&queue) {
            // A queue without dead letters so far has none to give.
            if queue.ends_with(super::DEAD_LETTERS) && rest == "head" {
                return Ok(answer(StatusCode::NO_CONTENT, ""));
            }
            return Err(answer(StatusCode::NOT_FOUND, ""));
        }
        let wait = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
            .find(|(name, _)| name == "timeout")
            .and_then(|(_, seconds)| seconds.parse().ok())
            .map_or(WAIT, Duration::from_secs);
        let segments: Vec<&str> = rest.split('/').filter(|segment| !segment.is_empty()).collect();
        match (&parts.method, segments.as_slice()) {
            (&Method::POST, []) => {
                let body = read(body, LIMIT).await?;
                let refuse = |reason: String| answer(StatusCode::BAD_REQUEST, reason);
                let messages = sent(&parts.headers, &body).map_err(refuse)?;
                let mut queues = self.queues();
                if let Some(queue) = queues.get_mut(&queue) {
                    for message in messages {
                        queue.send(message).map_err(refuse)?;
                    }
                }
                drop(queues);
                self.changed();
                Ok(answer(StatusCode::CREATED, ""))
            }
            (&Method::POST, ["head"]) => self.receive(&queue, Mode::PeekLock, wait).await,
            (&Method::DELETE, ["head"]) => self.receive(&queue, Mode::Delete, wait).await,
            (&Method::DELETE, [_, lock]) => {
                let done = self
                    .queues()
                    .get_mut(&queue)
                    .is_some_and(|queue| queue.complete(lock));
                self.changed();
                Ok(settled(done))
            }
            (&Method::PUT, [_, lock]) => Ok(settled(self.abandon(&queue, lock))),
            (&Method::POST, [_, lock]) => {
                let done = self
                    .queues()
                    .get_mut(&queue)
                    .is_some_and(|queue| queue.renew(lock));
                Ok(settled(done))
            }
            _ => Err(answer(StatusCode::METHOD_NOT_ALLOWED, "")),
        }
    }

    async fn receive(&self, queue: &str, mode: Mode, wait: Duration) -> Result<Answer, Answer> {
        let deadline = tokio::time::Instant::now() + wait;
        let mut changes = self.changes.subscribe();
        loop {
            changes.borrow_and_update();
            let received = {
                let mut queues = self.queues();
                let found = queues
                    .get_mut(queue)
                    .ok_or_else(|| answer(StatusCode::GONE, ""))?;
                if found.options.sessions {
                    return Err(answer(
                        StatusCode::BAD_REQUEST,
                        "the queue requires sessions, which this interface cannot accept",
                    ));
                }
                let received = found.receive(None);
                if let Some(message) = received.as_ref().filter(|_| mode == Mode::Delete) {
                    found.complete(&message.lock_token);
                }
                received
            };
            if let Some(message) = received {
                return Ok(told(queue, &message, mode));
            }
            if tokio::time::Instant::now() >= deadline {
                return Ok(answer(StatusCode::NO_CONTENT, ""));
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }
}

fn settled(done: bool) -> Answer {
    answer(
        if done {
            StatusCode::OK
        } else {
            StatusCode::NOT_FOUND
        },
        "",
    )
}

fn told(queue: &str, message: &Message, mode: Mode) -> Answer {
    let status = match mode {
        Mode::PeekLock => StatusCode::CREATED,
        Mode::Delete => StatusCode::OK,
    };
    let mut answer = answer(status, message.body.clone());
    let headers = answer.headers_mut();
    let mut set = |name: &str, value: String| {
        if let (Ok(name), Ok(value)) = (
            http::HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(&value),
        ) {
            headers.insert(name, value);
        }
    };
    set("brokerproperties", broker_properties(message).to_string());
    if let Some(kind) = message.broker.get("ContentType").and_then(Value::as_str) {
        set("content-type", kind.to_owned());
    }
    if mode == Mode::PeekLock {
        set(
            "location",
            format!(
                "/{queue}/messages/{}/{}",
                message.sequence_number, message.lock_token
            ),
        );
    }
    for (name, value) in &message.properties {
        set(name, value.to_string());
    }
    answer
}

//! A single resource, asked by its id: `GET`, `PUT`, `PATCH` and `DELETE`.

use std::collections::BTreeSet;

use http::{Method, StatusCode};
use serde_json::Value;

use super::error::{Outcome, Refusal};
use super::id::{self, Id};
use super::kinds;
use super::knobs::Deed;
use super::request::Asked;
use super::resource;
use super::route::no_method;
use super::stack::check_deny;
use super::state::{Shared, Taken};
use super::token;
use crate::server::{self, Answer};

pub(super) fn ask(shared: &Shared, asked: &Asked, id: &Id) -> Outcome<Answer> {
    let version = asked.api_version()?;
    let kind = kinds::find(&id.kind)?;
    kind.check_version(version, "")?;
    let mut state = shared.lock();
    if !id.group.is_empty() {
        state.group(&id.subscription, &id.group)?;
    }
    let verb = match asked.method {
        Method::GET | Method::HEAD => "read",
        Method::PUT | Method::PATCH => "write",
        Method::DELETE => "delete",
        _ => return Err(no_method(asked)),
    };
    let action = format!("{}/{verb}", kind.name);
    if state.knobs.is_denied(&action, &id.text) {
        return Err(token::unauthorized(shared, &action, &id.text));
    }
    if verb != "read" {
        check_deny(&state, &shared.options, id, kind.name, verb == "delete", None)?;
    }
    let existing = state.resources.get(&id.key()).cloned();
    let missing = || Refusal::no_resource(kind.name, &id.name(), &id.group);
    match asked.method {
        Method::GET => {
            let found = existing.ok_or_else(missing)?;
            Ok(server::json(StatusCode::OK, &found.view(&state)))
        }
        Method::HEAD => {
            let status = if existing.is_some() {
                StatusCode::NO_CONTENT
            } else {
                StatusCode::NOT_FOUND
            };
            Ok(server::answer(status, ""))
        }
        Method::DELETE => {
            if let Some(failure) = state.knobs.failed(id, Deed::Delete) {
                return Err(failure);
            }
            let was = resource::delete(&mut state, &id.key())?;
            if was {
                // A stack goes on to have in its list what somebody else deleted; nothing tells it.
                shared.tell();
            }
            Ok(server::answer(
                if was {
                    StatusCode::OK
                } else {
                    StatusCode::NO_CONTENT
                },
                "",
            ))
        }
        _ => {
            let body = asked.json()?;
            if !body.is_object() {
                return Err(Refusal::content("the body is no JSON object"));
            }
            let body = if asked.method == Method::PATCH {
                patched(existing.ok_or_else(missing)?.body, &body)
            } else {
                without_envelope(body)
            };
            for deed in [Deed::Check, Deed::Write] {
                if let Some(failure) = state.knobs.failed(id, deed) {
                    return Err(failure);
                }
            }
            resource::check(&state, &shared.options, id, version, &body)?;
            state.taken.push(Taken {
                id: id.text.clone(),
                by: "resource",
                sent: body.clone(),
                evaluated: body.clone(),
            });
            let created = resource::write(&mut state, &shared.options, id, version, body, &BTreeSet::new())?;
            let view = state
                .resources
                .get(&id::key(&id.text))
                .map(|one| one.view(&state))
                .unwrap_or_default();
            drop(state);
            shared.tell();
            Ok(server::json(
                if created {
                    StatusCode::CREATED
                } else {
                    StatusCode::OK
                },
                &view,
            ))
        }
    }
}

/// What the path says already may be in the body, as a `GET` gave it.
fn without_envelope(mut body: Value) -> Value {
    if let Some(fields) = body.as_object_mut() {
        for name in ["id", "name", "type"] {
            fields.remove(name);
        }
    }
    body
}

/// A body with what a patch says otherwise; `null` removes.
fn patched(mut body: Value, patch: &Value) -> Value {
    let (Some(fields), Some(changes)) = (body.as_object_mut(), patch.as_object()) else {
        return patch.clone();
    };
    for (name, change) in changes {
        if change.is_null() {
            fields.remove(name);
        } else {
            let old = fields.remove(name).unwrap_or_default();
            fields.insert(name.clone(), patched(old, change));
        }
    }
    body
}

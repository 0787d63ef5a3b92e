//! The JSON API: <https://cloud.google.com/storage/docs/json_api/v1>.

pub(super) mod buckets;
mod copy;
mod fields;
pub(super) mod notifications;
mod objects;
mod policies;
pub(super) mod resource;
pub(super) mod resumable;
mod soft;
mod upload;

use http::{Method, StatusCode};
use serde_json::Value;

use super::error::{Outcome, Refusal};
use super::request::{Asked, decode};
use super::state::Shared;
use crate::server::{self, Answer};

/// Answers a request whose sender is known.
pub(super) fn answer(shared: &Shared, asked: &Asked) -> Outcome<Answer> {
    let parts = asked
        .path
        .split('/')
        .skip(1)
        .map(decode)
        .collect::<Outcome<Vec<_>>>()?;
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match parts.as_slice() {
        ["storage", "v1", rest @ ..] => metadata(shared, asked, rest),
        ["upload", "storage", "v1", "b", bucket, "o"] => upload::answer(shared, asked, bucket),
        ["download", "storage", "v1", "b", bucket, "o", name] => {
            if asked.query.get("alt") != Some("media") {
                return Err(Refusal::parameter("alt", "a download has alt=media"));
            }
            objects::get(shared, asked, bucket, name)
        }
        ["batch", ..] => Err(Refusal::not_built("batches")),
        _ => Err(Refusal::not_found()),
    }
}

fn metadata(shared: &Shared, asked: &Asked, parts: &[&str]) -> Outcome<Answer> {
    match parts {
        ["b"] => buckets::all(shared, asked),
        ["b", bucket] => buckets::one(shared, asked, bucket),
        ["b", bucket, "restore"] => {
            posted(asked)?;
            soft::restore_bucket(shared, asked, bucket)
        }
        ["b", bucket, "iam"] => policies::policy(shared, asked, bucket),
        ["b", bucket, "iam", "testPermissions"] => policies::test(shared, asked, bucket),
        ["projects", project, "serviceAccount"] => policies::agent(shared, asked, project),
        ["b", bucket, "o", name, "restore"] => {
            posted(asked)?;
            soft::restore(shared, asked, bucket, name)
        }
        ["b", bucket, "notificationConfigs"] => notifications::all(shared, asked, bucket),
        ["b", bucket, "notificationConfigs", id] => notifications::one(shared, asked, bucket, id),
        ["b", bucket, "o"] => match asked.method {
            Method::GET => objects::list(shared, asked, bucket),
            Method::POST => Err(Refusal::not_built(
                "inserts without content; the address is /upload",
            )),
            _ => Err(Refusal::method()),
        },
        ["b", bucket, "o", name] => match asked.method {
            Method::GET => objects::get(shared, asked, bucket, name),
            Method::PATCH => objects::change(shared, asked, bucket, name, false),
            Method::PUT => objects::change(shared, asked, bucket, name, true),
            Method::DELETE => objects::delete(shared, asked, bucket, name),
            _ => Err(Refusal::method()),
        },
        ["b", bucket, "o", name, "compose"] => {
            posted(asked)?;
            copy::compose(shared, asked, bucket, name)
        }
        ["b", from, "o", source, "copyTo", "b", to, "o", target] => {
            posted(asked)?;
            copy::copy(shared, asked, (from, source), (to, target), false)
        }
        ["b", from, "o", source, "rewriteTo", "b", to, "o", target] => {
            posted(asked)?;
            copy::copy(shared, asked, (from, source), (to, target), true)
        }
        ["b", _, rest @ ..] => Err(Refusal::not_built(format!("'{}' of a bucket", rest.join("/")))),
        _ => Err(Refusal::not_built(format!("'{}'", parts.join("/")))),
    }
}

fn posted(asked: &Asked) -> Outcome<()> {
    if asked.method == Method::POST {
        Ok(())
    } else {
        Err(Refusal::method())
    }
}

/// A document, with the fields that are asked for, and for people to read unless told otherwise.
fn reply(asked: &Asked, mut document: Value) -> Outcome<Answer> {
    if let Some(fields) = asked.query.get("fields") {
        document = fields::select(fields, &document)?;
    }
    let is_pretty = match asked.query.get("prettyPrint") {
        None => true,
        Some(_) => asked.query.flag("prettyPrint")?,
    };
    if !is_pretty {
        return Ok(server::json(StatusCode::OK, &document));
    }
    let mut answer = server::json(StatusCode::OK, &Value::Null);
    *answer.body_mut() = http_body_util::Full::new(format!("{document:#}\n").into());
    Ok(answer)
}

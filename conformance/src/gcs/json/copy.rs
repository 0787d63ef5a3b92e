//! Copies, rewrites and compositions. <https://cloud.google.com/storage/docs/json_api/v1/objects/rewrite>, <https://cloud.google.com/storage/docs/json_api/v1/objects/compose>

use bytes::BytesMut;
use serde_json::{Map, Value, json};

use super::reply;
use super::resource::{self, Purpose};
use crate::gcs::error::{Interface, Outcome, Refusal};
use crate::gcs::object::{Metadata, New};
use crate::gcs::preconditions::{Preconditions, SOURCE, TARGET};
use crate::gcs::request::Asked;
use crate::gcs::state::{Shared, State};
use crate::server::Answer;

/// The most that one composition has.
const MOST: usize = 32;
const MEBIBYTE: u64 = 1024 * 1024;

/// A copy; without a body with the source's metadata, else with the body's.
pub(super) fn copy(
    shared: &Shared,
    asked: &Asked,
    (from, source): (&str, &str),
    (to, target): (&str, &str),
    is_rewrite: bool,
) -> Outcome<Answer> {
    let mut known = vec!["projection", "sourceGeneration"];
    known.extend(TARGET);
    known.extend(SOURCE);
    if is_rewrite {
        known.extend(["maxBytesRewrittenPerCall", "rewriteToken"]);
    }
    asked.query.only_json(&known)?;
    asked.only_headers(&[])?;
    if asked.query.has("rewriteToken") {
        return Err(Refusal::parameter(
            "rewriteToken",
            "it is none that was given: rewrites within one location are done at once",
        ));
    }
    if let Some(bytes) = asked.query.number("maxBytesRewrittenPerCall")?
        && (bytes == 0 || !bytes.is_multiple_of(MEBIBYTE))
    {
        return Err(Refusal::parameter(
            "maxBytesRewrittenPerCall",
            "it is a multiple of 1 MiB",
        ));
    }
    let on_source = Preconditions::query(&asked.query, SOURCE)?;
    let on_target = Preconditions::query(&asked.query, TARGET)?;
    let generation = asked.query.number("sourceGeneration")?;
    let body = asked.object()?;
    let mut state = shared.lock();
    let object = state
        .read(from, source, generation, &on_source, Interface::Json)?
        .clone();
    let metadata = if is_empty(&body) {
        object.metadata.clone()
    } else {
        // Clients send the whole resource that they read; what of it cannot be written must be the source's.
        let mut is = resource::view(&state.url, from, &object);
        is["bucket"] = to.into();
        is["name"] = target.into();
        resource::metadata(&body, Metadata::default(), &is, Purpose::Copy)?
    };
    let new = New {
        content: object.content.clone(),
        metadata,
        has_md5: object.md5.is_some(),
        components: object.components,
    };
    let made = state.write(to, target, new, &on_target)?;
    let view = resource::view(&state.url, to, &made);
    drop(state);
    if !is_rewrite {
        return reply(asked, view);
    }
    let size = made.size().to_string();
    reply(
        asked,
        json!({
            "kind": "storage#rewriteResponse",
            "totalBytesRewritten": size,
            "objectSize": size,
            "done": true,
            "resource": view,
        }),
    )
}

/// Whether a body says nothing but what the address says.
fn is_empty(body: &Map<String, Value>) -> bool {
    body.keys()
        .all(|name| ["kind", "bucket", "name"].contains(&name.as_str()))
}

/// One object of others.
pub(super) fn compose(shared: &Shared, asked: &Asked, bucket: &str, name: &str) -> Outcome<Answer> {
    asked
        .query
        .only_json(&["ifGenerationMatch", "ifMetagenerationMatch"])?;
    asked.only_headers(&[])?;
    let conditions = Preconditions::query(&asked.query, TARGET)?;
    let body = asked.object()?;
    for (field, value) in &body {
        let is_known = match field.as_str() {
            "sourceObjects" | "destination" => true,
            "kind" => value == "storage#composeRequest",
            _ => false,
        };
        if !is_known {
            return Err(Refusal::not_built(format!("the field '{field}' here")));
        }
    }
    let sources = body
        .get("sourceObjects")
        .and_then(Value::as_array)
        .ok_or_else(|| Refusal::required("sourceObjects"))?;
    if sources.is_empty() || sources.len() > MOST {
        return Err(Refusal::invalid(format!(
            "The number of source components provided ({}) is not between 1 and {MOST}.",
            sources.len()
        )));
    }
    let metadata = match body.get("destination") {
        None => Metadata::default(),
        Some(Value::Object(destination)) => {
            let is = json!({"kind": "storage#object", "bucket": bucket, "name": name});
            resource::metadata(destination, Metadata::default(), &is, Purpose::Copy)?
        }
        Some(_) => return Err(Refusal::invalid("The field 'destination' is an object.")),
    };
    let mut state = shared.lock();
    let mut content = BytesMut::new();
    let mut components = 0;
    for one in sources {
        let (bytes, count) = source(&state, bucket, one)?;
        content.extend_from_slice(&bytes);
        components += count;
    }
    let new = New {
        content: content.freeze(),
        metadata,
        has_md5: false,
        components: Some(components),
    };
    let made = state.write(bucket, name, new, &conditions)?;
    let view = resource::view(&state.url, bucket, &made);
    drop(state);
    reply(asked, view)
}

/// What a source brings: its content, and of how many components it is.
fn source(state: &State, bucket: &str, one: &Value) -> Outcome<(bytes::Bytes, u32)> {
    let one = one
        .as_object()
        .ok_or_else(|| Refusal::invalid("A source is an object."))?;
    if let Some(field) = one
        .keys()
        .find(|field| !["name", "generation", "objectPreconditions"].contains(&field.as_str()))
    {
        return Err(Refusal::not_built(format!("the field '{field}' of a source")));
    }
    let name = one
        .get("name")
        .and_then(Value::as_str)
        .ok_or_else(|| Refusal::required("sourceObjects.name"))?;
    let generation = number(one.get("generation"))?;
    let conditions = match one.get("objectPreconditions") {
        None => Preconditions::default(),
        Some(Value::Object(map)) if map.keys().all(|key| key == "ifGenerationMatch") => {
            Preconditions::on_generation(number(map.get("ifGenerationMatch"))?)
        }
        Some(other) => return Err(Refusal::not_built(format!("the conditions {other}"))),
    };
    let object = state.read(bucket, name, generation, &conditions, Interface::Json)?;
    Ok((object.content.clone(), object.components.unwrap_or(1)))
}

/// Numbers of 64 bits are text in JSON; a number is taken too.
fn number(value: Option<&Value>) -> Outcome<Option<u64>> {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    value
        .as_u64()
        .or_else(|| value.as_str()?.parse().ok())
        .map(Some)
        .ok_or_else(|| Refusal::invalid(format!("{value} is no generation.")))
}

//! Objects: get, list, patch, update, delete. <https://cloud.google.com/storage/docs/json_api/v1/objects>

use http::StatusCode;
use serde_json::{Value, json};

use super::resource::{self, Purpose};
use super::{reply, soft};
use crate::gcs::error::{Interface, Outcome, Refusal};
use crate::gcs::listing::{self, Wanted};
use crate::gcs::object::Metadata;
use crate::gcs::preconditions::{Preconditions, TARGET};
use crate::gcs::request::Asked;
use crate::gcs::state::Shared;
use crate::gcs::xml;
use crate::server::{self, Answer};

/// What most methods have.
const COMMON: [&str; 6] = [
    "generation",
    "projection",
    TARGET[0],
    TARGET[1],
    TARGET[2],
    TARGET[3],
];

/// An object's resource, or its content.
pub(super) fn get(shared: &Shared, asked: &Asked, bucket: &str, name: &str) -> Outcome<Answer> {
    if asked.method != http::Method::GET {
        return Err(Refusal::method());
    }
    asked.no_body()?;
    let is_media = asked.query.get("alt") == Some("media");
    if asked.query.flag("softDeleted")? {
        return soft::get(shared, asked, bucket, name);
    }
    let mut known = COMMON.to_vec();
    known.push("alt");
    asked.query.only_json(&known)?;
    let headers: &[&str] = if is_media {
        &["if-match", "if-none-match", "range"]
    } else {
        &["if-match", "if-none-match"]
    };
    asked.only_headers(headers)?;
    let conditions = Preconditions::query(&asked.query, TARGET)?.with_etags(asked, "")?;
    let generation = asked.query.number("generation")?;
    let state = shared.lock();
    let object = state.read(bucket, name, generation, &conditions, Interface::Json)?;
    if is_media {
        return xml::object::content(asked, object, Interface::Json);
    }
    let view = resource::view(&state.url, bucket, object);
    drop(state);
    reply(asked, view)
}

/// A page of a bucket's objects.
pub(super) fn list(shared: &Shared, asked: &Asked, bucket: &str) -> Outcome<Answer> {
    asked.no_body()?;
    asked.only_headers(&[])?;
    if asked.query.flag("softDeleted")? {
        return soft::list(shared, asked, bucket);
    }
    asked.query.only_json(&[
        "delimiter",
        "endOffset",
        "includeTrailingDelimiter",
        "maxResults",
        "pageToken",
        "prefix",
        "projection",
        "softDeleted",
        "startOffset",
        "versions",
    ])?;
    // Without versions the live objects are all that there are.
    asked.query.flag("versions")?;
    let owned = |name: &str| {
        asked
            .query
            .get(name)
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
    };
    let most = usize::try_from(asked.query.number("maxResults")?.unwrap_or(1000)).unwrap_or(1000);
    if most == 0 {
        return Err(Refusal::parameter("maxResults", "it is at least 1"));
    }
    let wanted = Wanted {
        prefix: owned("prefix").unwrap_or_default(),
        delimiter: owned("delimiter"),
        trailing: asked.query.flag("includeTrailingDelimiter")?,
        start: owned("startOffset"),
        after: None,
        end: owned("endOffset"),
        token: owned("pageToken"),
        most: most.min(shared.options.page),
    };
    let state = shared.lock();
    let page = listing::list(state.bucket(bucket)?, &wanted)?;
    let mut document = json!({"kind": "storage#objects"});
    // Lists that are empty are left out.
    if !page.items.is_empty() {
        document["items"] = page
            .items
            .iter()
            .map(|object| resource::view(&state.url, bucket, object))
            .collect::<Vec<Value>>()
            .into();
    }
    drop(state);
    if !page.prefixes.is_empty() {
        document["prefixes"] = page.prefixes.into();
    }
    if let Some(next) = page.next {
        document["nextPageToken"] = next.into();
    }
    reply(asked, document)
}

/// Patch changes what it names, update replaces all that can be written.
pub(super) fn change(
    shared: &Shared,
    asked: &Asked,
    bucket: &str,
    name: &str,
    is_whole: bool,
) -> Outcome<Answer> {
    asked.query.only_json(&COMMON)?;
    asked.only_headers(&[])?;
    let conditions = Preconditions::query(&asked.query, TARGET)?;
    let generation = asked.query.number("generation")?;
    let body = asked.object()?;
    let mut state = shared.lock();
    let changed = state.change(bucket, name, generation, &conditions, |object, state| {
        let is = resource::view(&state.url, bucket, object);
        let base = if is_whole {
            Metadata {
                storage_class: object.metadata.storage_class.clone(),
                ..Metadata::default()
            }
        } else {
            object.metadata.clone()
        };
        resource::metadata(&body, base, &is, Purpose::Change)
    })?;
    let view = resource::view(&state.url, bucket, &changed);
    drop(state);
    reply(asked, view)
}

pub(super) fn delete(shared: &Shared, asked: &Asked, bucket: &str, name: &str) -> Outcome<Answer> {
    asked.no_body()?;
    asked.query.only_json(&COMMON)?;
    asked.only_headers(&[])?;
    let conditions = Preconditions::query(&asked.query, TARGET)?;
    let generation = asked.query.number("generation")?;
    shared.lock().delete(bucket, name, generation, &conditions)?;
    Ok(server::answer(StatusCode::NO_CONTENT, ""))
}

//! The list of a bucket's objects: <https://cloud.google.com/storage/docs/xml-api/get-bucket-list>, version 2.

use chrono::SecondsFormat;
use http::StatusCode;
use serde::Serialize;

use super::only;
use super::write::{Document, NAMESPACE, is_sayable};
use crate::gcs::error::{Interface, Outcome, Refusal};
use crate::gcs::listing::{self, Wanted};
use crate::gcs::object::Object;
use crate::gcs::request::Asked;
use crate::gcs::state::Shared;
use crate::server::Answer;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    #[serde(rename = "@xmlns")]
    namespace: &'static str,
    name: String,
    prefix: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    delimiter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_after: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    continuation_token: Option<String>,
    key_count: usize,
    max_keys: usize,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_continuation_token: Option<String>,
    contents: Vec<Contents>,
    common_prefixes: Vec<CommonPrefix>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Contents {
    key: String,
    generation: u64,
    meta_generation: u64,
    last_modified: String,
    #[serde(rename = "ETag")]
    etag: String,
    size: usize,
    storage_class: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CommonPrefix {
    prefix: String,
}

impl Contents {
    fn of(object: &Object) -> Self {
        Self {
            key: object.name.clone(),
            generation: object.generation,
            meta_generation: object.metageneration,
            last_modified: object.updated.to_rfc3339_opts(SecondsFormat::Millis, true),
            etag: object.etag(Interface::Xml),
            size: object.size(),
            storage_class: object.storage_class().to_owned(),
        }
    }
}

pub(super) fn list(shared: &Shared, asked: &Asked, bucket: &str) -> Outcome<Answer> {
    asked.no_body()?;
    asked.only_headers(&[])?;
    only(
        asked,
        &[
            "continuation-token",
            "delimiter",
            "list-type",
            "max-keys",
            "prefix",
            "start-after",
        ],
    )?;
    if asked.query.get("list-type") != Some("2") {
        return Err(Refusal::not_built("lists of another version than list-type=2"));
    }
    let owned = |name: &str| {
        asked
            .query
            .get(name)
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
    };
    let most = usize::try_from(asked.query.number("max-keys")?.unwrap_or(1000)).unwrap_or(1000);
    if most == 0 {
        return Err(Refusal::parameter("max-keys", "it is at least 1"));
    }
    let most = most.min(shared.options.page);
    let wanted = Wanted {
        prefix: owned("prefix").unwrap_or_default(),
        delimiter: owned("delimiter"),
        after: owned("start-after"),
        token: owned("continuation-token"),
        most,
        ..Wanted::default()
    };
    let state = shared.lock();
    let page = listing::list(state.bucket(bucket)?, &wanted)?;
    drop(state);
    let names = page.items.iter().map(|object| &object.name);
    if let Some(name) = names.chain(&page.prefixes).find(|name| !is_sayable(name)) {
        return Err(Refusal::not_built(format!(
            "lists of names that XML cannot say, as {name:?}"
        )));
    }
    let listed = Listed {
        namespace: NAMESPACE,
        name: bucket.to_owned(),
        prefix: wanted.prefix,
        delimiter: wanted.delimiter,
        start_after: wanted.after,
        continuation_token: wanted.token,
        key_count: page.items.len() + page.prefixes.len(),
        max_keys: most,
        is_truncated: page.next.is_some(),
        next_continuation_token: page.next,
        contents: page.items.iter().map(Contents::of).collect(),
        common_prefixes: page
            .prefixes
            .into_iter()
            .map(|prefix| CommonPrefix { prefix })
            .collect(),
    };
    Ok(Document::of("ListBucketResult", &listed).answer(StatusCode::OK))
}

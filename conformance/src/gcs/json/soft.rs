//! Soft-deleted buckets and objects: what there is, and how they come back. <https://cloud.google.com/storage/docs/use-soft-deleted-objects>

use serde_json::{Value, json};

use super::buckets::{self, full_name};
use super::{reply, resource};
use crate::gcs::error::{Outcome, Refusal};
use crate::gcs::object::New;
use crate::gcs::preconditions::{Preconditions, TARGET};
use crate::gcs::request::Asked;
use crate::gcs::state::Shared;
use crate::server::Answer;

/// The generation that is meant, which cannot be left out here.
fn generation(asked: &Asked) -> Outcome<u64> {
    let given = asked.query.number("generation")?;
    given.ok_or_else(|| Refusal::required("generation"))
}

/// A bucket that was deleted.
pub(super) fn bucket(shared: &Shared, asked: &Asked, name: &str) -> Outcome<Answer> {
    asked.no_body()?;
    asked.only_headers(&[])?;
    asked
        .query
        .only_json(&["generation", "projection", "softDeleted"])?;
    let (wanted, number) = (generation(asked)?, shared.number());
    let state = shared.lock();
    let mut all = state.gone.iter();
    let found = all.find(|gone| gone.what.name == name && gone.what.generation == wanted);
    let view = found.ok_or_else(Refusal::no_bucket)?.view(&state.url, &number);
    drop(state);
    reply(asked, view)
}

/// Brings a bucket back, with what was deleted in it.
pub(super) fn restore_bucket(shared: &Shared, asked: &Asked, name: &str) -> Outcome<Answer> {
    asked.only_headers(&[])?;
    asked.query.only_json(&["generation", "projection"])?;
    let wanted = generation(asked)?;
    let number = shared.number();
    shared.permit(buckets::KIND, &full_name(name), &asked.method, 0)?;
    let mut state = shared.lock();
    if state.buckets.contains_key(name) {
        let what = "The bucket cannot be restored: its name is taken by another one.";
        return Err(Refusal::status(409, what));
    }
    let at = state
        .gone
        .iter()
        .position(|gone| gone.what.name == name && gone.what.generation == wanted)
        .ok_or_else(Refusal::no_bucket)?;
    let mut bucket = state.gone.remove(at).what;
    let (_, now) = state.tick();
    bucket.changed(now);
    let view = buckets::view(&state.url, &number, &bucket);
    state.buckets.insert(name.to_owned(), bucket);
    drop(state);
    reply(asked, view)
}

/// An object that was deleted.
pub(super) fn get(shared: &Shared, asked: &Asked, bucket: &str, name: &str) -> Outcome<Answer> {
    asked.only_headers(&[])?;
    asked
        .query
        .only_json(&["generation", "projection", "softDeleted"])?;
    let wanted = generation(asked)?;
    let state = shared.lock();
    let mut all = state.bucket(bucket)?.gone.iter();
    let found = all.find(|gone| gone.what.name == name && gone.what.generation == wanted);
    let missing = || Refusal::no_object(bucket, &format!("{name}#{wanted}"));
    let view = found.ok_or_else(missing)?.view(&state.url, bucket);
    drop(state);
    reply(asked, view)
}

/// A page of the objects that were deleted, by name and generation.
pub(super) fn list(shared: &Shared, asked: &Asked, bucket: &str) -> Outcome<Answer> {
    asked
        .query
        .only_json(&["maxResults", "pageToken", "prefix", "projection", "softDeleted"])?;
    let most = usize::try_from(asked.query.number("maxResults")?.unwrap_or(1000)).unwrap_or(1000);
    let most = most.clamp(1, shared.options.page);
    let after = asked.query.get("pageToken");
    let prefix = asked.query.get("prefix").unwrap_or_default();
    let state = shared.lock();
    let mut all: Vec<(String, Value)> = state
        .bucket(bucket)?
        .gone
        .iter()
        .filter(|gone| gone.what.name.starts_with(prefix))
        .map(|gone| {
            // Names have no line feeds.
            let key = format!("{}\n{:020}", gone.what.name, gone.what.generation);
            (key, gone.view(&state.url, bucket))
        })
        .collect();
    drop(state);
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut left = all
        .into_iter()
        .filter(|(key, _)| after.is_none_or(|after| key.as_str() > after));
    let page: Vec<(String, Value)> = left.by_ref().take(most).collect();
    let mut document = json!({"kind": "storage#objects"});
    if let (Some((last, _)), Some(_)) = (page.last(), left.next()) {
        document["nextPageToken"] = last.as_str().into();
    }
    if !page.is_empty() {
        document["items"] = page.into_iter().map(|(_, view)| view).collect();
    }
    reply(asked, document)
}

/// Brings an object back, as a new generation.
pub(super) fn restore(shared: &Shared, asked: &Asked, bucket: &str, name: &str) -> Outcome<Answer> {
    asked.only_headers(&[])?;
    let mut known = vec!["generation", "projection"];
    known.extend(TARGET);
    asked.query.only_json(&known)?;
    let wanted = generation(asked)?;
    let conditions = Preconditions::query(&asked.query, TARGET)?;
    let mut state = shared.lock();
    let mut all = state.bucket(bucket)?.gone.iter();
    let found = all.find(|gone| gone.what.name == name && gone.what.generation == wanted);
    let old = found
        .ok_or_else(|| Refusal::no_object(bucket, &format!("{name}#{wanted}")))?
        .what
        .clone();
    let new = New {
        content: old.content.clone(),
        metadata: old.metadata.clone(),
        has_md5: old.md5.is_some(),
        components: old.components,
    };
    let made = state.write(bucket, name, new, &conditions)?;
    let view = resource::view(&state.url, bucket, &made);
    drop(state);
    reply(asked, view)
}

//! Buckets: <https://cloud.google.com/storage/docs/json_api/v1/buckets>. Ours have uniform access, no versions and no soft deletion.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::reply;
use super::resource::{moment, texts};
use crate::gcs::error::{Outcome, Refusal};
use crate::gcs::names;
use crate::gcs::preconditions::{Preconditions, TARGET};
use crate::gcs::request::Asked;
use crate::gcs::state::{Bucket, Shared, State};
use crate::server::{self, Answer};

/// Makes one of its resource.
pub(in crate::gcs) fn create(state: &mut State, body: &Map<String, Value>) -> Outcome<Bucket> {
    let name = body
        .get("name")
        .and_then(Value::as_str)
        .ok_or_else(|| Refusal::required("name"))?;
    names::bucket(name)?;
    if state.buckets.contains_key(name) {
        return Err(Refusal::new(
            409,
            "conflict",
            "BucketAlreadyOwnedByYou",
            "Your previous request to create the named bucket succeeded and you already own it.",
        ));
    }
    let (generation, now) = state.tick();
    let mut bucket = Bucket {
        name: name.to_owned(),
        location: "US".to_owned(),
        storage_class: "STANDARD".to_owned(),
        labels: BTreeMap::new(),
        is_public_access_prevented: false,
        generation,
        metageneration: 1,
        created: now,
        updated: now,
        objects: BTreeMap::new(),
        notifications: BTreeMap::new(),
        last_notification: 0,
    };
    if let Some(location) = body.get("location") {
        bucket.location = location
            .as_str()
            .filter(|text| !text.is_empty())
            .ok_or_else(|| Refusal::invalid("The field 'location' is text."))?
            .to_ascii_uppercase();
    }
    let is = json!({"kind": "storage#bucket", "name": name});
    describe(&mut bucket, body, &is)?;
    state.buckets.insert(name.to_owned(), bucket.clone());
    Ok(bucket)
}

/// What can be written; the rest may be sent only as it is.
fn describe(bucket: &mut Bucket, body: &Map<String, Value>, is: &Value) -> Outcome<()> {
    for (name, value) in body {
        match name.as_str() {
            "storageClass" => {
                let class = value.as_str().unwrap_or_default();
                if !["STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"].contains(&class) {
                    return Err(Refusal::invalid(format!("Invalid storage class: {value}.")));
                }
                class.clone_into(&mut bucket.storage_class);
            }
            "labels" => label(&mut bucket.labels, value)?,
            "location"
                if value
                    .as_str()
                    .is_some_and(|one| one.eq_ignore_ascii_case(&bucket.location)) => {}
            "iamConfiguration" => iam(bucket, value)?,
            "versioning" if value["enabled"] == json!(false) || value.is_null() => {}
            "softDeletePolicy"
                if ["0", "null"].contains(&text(&value["retentionDurationSeconds"]).as_str()) => {}
            _ if is.get(name) == Some(value) => {}
            _ => {
                return Err(Refusal::not_built(format!(
                    "the field '{name}' with the value {value} here"
                )));
            }
        }
    }
    Ok(())
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn label(labels: &mut BTreeMap<String, String>, value: &Value) -> Outcome<()> {
    let Some(map) = value.as_object() else {
        labels.clear();
        return Ok(());
    };
    for (key, value) in map {
        if value.is_null() {
            labels.remove(key);
        } else {
            labels.extend(texts(Some(&json!({key: value})), "labels")?);
        }
    }
    Ok(())
}

fn iam(bucket: &mut Bucket, value: &Value) -> Outcome<()> {
    let map = value
        .as_object()
        .ok_or_else(|| Refusal::invalid("The field 'iamConfiguration' is an object."))?;
    for (name, value) in map {
        match (name.as_str(), value.as_str()) {
            ("uniformBucketLevelAccess" | "bucketPolicyOnly", _) if value["enabled"] == json!(true) => {}
            ("publicAccessPrevention", Some("enforced")) => bucket.is_public_access_prevented = true,
            ("publicAccessPrevention", Some("inherited")) => bucket.is_public_access_prevented = false,
            _ => {
                return Err(Refusal::not_built(format!(
                    "'iamConfiguration.{name}' with the value {value}: access is uniform"
                )));
            }
        }
    }
    Ok(())
}

fn view(url: &str, project: &str, bucket: &Bucket) -> Value {
    let multi = ["US", "EU", "ASIA"].contains(&bucket.location.as_str());
    let mut view = json!({
        "kind": "storage#bucket",
        "id": bucket.name,
        "selfLink": format!("{url}/storage/v1/b/{}", bucket.name),
        "name": bucket.name,
        "projectNumber": number_of(project).to_string(),
        "generation": bucket.generation.to_string(),
        "metageneration": bucket.metageneration.to_string(),
        "location": bucket.location,
        "locationType": if multi { "multi-region" } else { "region" },
        "storageClass": bucket.storage_class,
        "etag": bucket.etag(),
        "timeCreated": moment(bucket.created),
        "updated": moment(bucket.updated),
        "iamConfiguration": {
            "uniformBucketLevelAccess": {"enabled": true},
            "publicAccessPrevention": if bucket.is_public_access_prevented { "enforced" } else { "inherited" },
        },
        "softDeletePolicy": {"retentionDurationSeconds": "0"},
    });
    if !bucket.labels.is_empty() {
        view["labels"] = json!(bucket.labels);
    }
    view
}

/// A project's number, made of its id.
fn number_of(project: &str) -> u64 {
    u64::from(crate::gcs::hash::crc32c(project.as_bytes()))
}

pub(super) fn all(shared: &Shared, asked: &Asked) -> Outcome<Answer> {
    let project = &shared.options.project;
    let mut state = shared.lock();
    let document = match asked.method {
        Method::POST => {
            asked.query.only_json(&["project", "projection"])?;
            asked.only_headers(&[])?;
            mine(asked, project)?;
            let bucket = create(&mut state, &asked.object()?)?;
            view(&state.url, project, &bucket)
        }
        Method::GET => {
            asked.no_body()?;
            asked
                .query
                .only_json(&["maxResults", "pageToken", "prefix", "project", "projection"])?;
            asked.only_headers(&[])?;
            mine(asked, project)?;
            let most = usize::try_from(asked.query.number("maxResults")?.unwrap_or(1000)).unwrap_or(1000);
            if most == 0 {
                return Err(Refusal::parameter("maxResults", "it is at least 1"));
            }
            let most = most.min(shared.options.page);
            let prefix = asked.query.get("prefix").unwrap_or_default();
            let after = asked.query.get("pageToken");
            let mut left = state
                .buckets
                .values()
                .filter(|bucket| bucket.name.starts_with(prefix))
                .filter(|bucket| after.is_none_or(|after| bucket.name.as_str() > after));
            let page: Vec<&Bucket> = left.by_ref().take(most).collect();
            let mut document = json!({"kind": "storage#buckets"});
            if let (Some(last), Some(_)) = (page.last(), left.next()) {
                document["nextPageToken"] = last.name.as_str().into();
            }
            if !page.is_empty() {
                document["items"] = page
                    .iter()
                    .map(|bucket| view(&state.url, project, bucket))
                    .collect::<Vec<_>>()
                    .into();
            }
            document
        }
        _ => return Err(Refusal::method()),
    };
    drop(state);
    reply(asked, document)
}

fn mine(asked: &Asked, project: &str) -> Outcome<()> {
    match asked.query.get("project") {
        Some(one) if one == project => Ok(()),
        Some(one) => Err(Refusal::new(
            403,
            "forbidden",
            "AccessDenied",
            format!("The caller does not have access to the project '{one}'."),
        )),
        None => Err(Refusal::required("project")),
    }
}

pub(super) fn one(shared: &Shared, asked: &Asked, name: &str) -> Outcome<Answer> {
    let project = &shared.options.project;
    asked
        .query
        .only_json(&["projection", "ifMetagenerationMatch", "ifMetagenerationNotMatch"])?;
    let mut conditions = Preconditions::query(&asked.query, TARGET)?;
    if asked.method == Method::GET {
        asked.only_headers(&["if-match", "if-none-match"])?;
        conditions = conditions.with_etags(asked, "")?;
    } else {
        asked.only_headers(&[])?;
    }
    let mut state = shared.lock();
    let (_, now) = state.tick();
    let bucket = state.bucket(name)?;
    conditions.check(Some(&bucket.found()))?;
    match asked.method {
        Method::GET => asked.no_body()?,
        Method::PATCH | Method::PUT => {
            let body = asked.object()?;
            let mut changed = bucket.clone();
            if asked.method == Method::PUT {
                changed.labels.clear();
            }
            let is = view(&state.url, project, bucket);
            describe(&mut changed, &body, &is)?;
            changed.changed(now);
            state.buckets.insert(name.to_owned(), changed);
        }
        Method::DELETE => {
            asked.no_body()?;
            if !bucket.objects.is_empty() {
                return Err(Refusal::new(
                    409,
                    "conflict",
                    "BucketNotEmpty",
                    "The bucket you tried to delete is not empty.",
                ));
            }
            state.buckets.remove(name);
            return Ok(server::answer(StatusCode::NO_CONTENT, ""));
        }
        _ => return Err(Refusal::method()),
    }
    let view = view(&state.url, project, state.bucket(name)?);
    drop(state);
    reply(asked, view)
}

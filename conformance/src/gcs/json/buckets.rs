//! Buckets: <https://cloud.google.com/storage/docs/json_api/v1/buckets>. Ours have uniform access and no versions.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::resource::{moment, texts};
use super::{reply, soft};
use crate::gcs::error::{Outcome, Refusal};
use crate::gcs::names;
use crate::gcs::policy::Policy;
use crate::gcs::preconditions::{Preconditions, TARGET};
use crate::gcs::project::Project;
use crate::gcs::request::Asked;
use crate::gcs::state::{Bucket, Shared};
use crate::server::{self, Answer};

/// As permissions begin.
pub(super) const KIND: &str = "storage.buckets";
/// The seconds for which what is deleted can be restored, at first and at most.
const RETENTION: i64 = 604_800;
const LONGEST: i64 = 7_776_000;

/// Makes one of its resource.
pub(in crate::gcs) fn create(shared: &Shared, body: &Map<String, Value>) -> Outcome<Bucket> {
    let name = body
        .get("name")
        .and_then(Value::as_str)
        .ok_or_else(|| Refusal::required("name"))?;
    names::bucket(name)?;
    let count = shared.lock().buckets.len();
    shared.permit(KIND, &full_name(name), &Method::POST, count)?;
    let mut state = shared.lock();
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
        policy: Policy::default(),
        retention: RETENTION,
        retained_since: now,
        gone: Vec::new(),
    };
    if let Some(location) = body.get("location") {
        bucket.location = location
            .as_str()
            .filter(|text| !text.is_empty())
            .ok_or_else(|| Refusal::invalid("The field 'location' is text."))?
            .to_ascii_uppercase();
    }
    let is_there = |project: &std::sync::Arc<dyn Project>| project.has_location(&bucket.location);
    if shared.project.as_ref().is_some_and(|project| !is_there(project)) {
        return Err(Refusal::invalid(
            "The specified location constraint is not valid.",
        ));
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
            "softDeletePolicy" => retain(bucket, value)?,
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

/// How long what is deleted can be restored: <https://cloud.google.com/storage/docs/soft-delete>.
fn retain(bucket: &mut Bucket, value: &Value) -> Outcome<()> {
    let known = ["retentionDurationSeconds", "effectiveTime"];
    let other = value
        .as_object()
        .and_then(|map| map.keys().find(|name| !known.contains(&name.as_str())));
    if let Some(name) = other {
        return Err(Refusal::not_built(format!("'softDeletePolicy.{name}'")));
    }
    let seconds = match &value["retentionDurationSeconds"] {
        // Whoever takes the policy away has the one that buckets begin with.
        Value::Null => Some(RETENTION),
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    };
    let seconds = seconds
        .filter(|seconds| *seconds == 0 || (RETENTION..=LONGEST).contains(seconds))
        .ok_or_else(|| {
            Refusal::invalid("The soft delete retention is 0, or from 604800 to 7776000 seconds.")
        })?;
    if seconds != bucket.retention {
        bucket.retention = seconds;
        bucket.retained_since = chrono::Utc::now();
    }
    Ok(())
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
    names::labels(labels)
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

pub(in crate::gcs) fn view(url: &str, number: &str, bucket: &Bucket) -> Value {
    let multi = ["US", "EU", "ASIA"].contains(&bucket.location.as_str());
    let mut view = json!({
        "kind": "storage#bucket",
        "id": bucket.name,
        "selfLink": format!("{url}/storage/v1/b/{}", bucket.name),
        "name": bucket.name,
        "projectNumber": number,
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
        "softDeletePolicy": {"retentionDurationSeconds": bucket.retention.to_string()},
    });
    if bucket.retention > 0 {
        view["softDeletePolicy"]["effectiveTime"] = moment(bucket.retained_since).into();
    }
    if !bucket.labels.is_empty() {
        view["labels"] = json!(bucket.labels);
    }
    view
}

/// The name that policies and permissions have of a bucket.
pub(in crate::gcs) fn full_name(bucket: &str) -> String {
    format!("projects/_/buckets/{bucket}")
}

pub(super) fn all(shared: &Shared, asked: &Asked) -> Outcome<Answer> {
    let number = shared.number();
    let document = match asked.method {
        Method::POST => {
            asked.query.only_json(&["project", "projection"])?;
            asked.only_headers(&[])?;
            mine(asked, shared)?;
            let bucket = create(shared, &asked.object()?)?;
            view(&shared.lock().url, &number, &bucket)
        }
        Method::GET => {
            asked.no_body()?;
            asked.query.only_json(&[
                "maxResults",
                "pageToken",
                "prefix",
                "project",
                "projection",
                "softDeleted",
            ])?;
            asked.only_headers(&[])?;
            mine(asked, shared)?;
            let state = shared.lock();
            let all: Vec<Value> = if asked.query.flag("softDeleted")? {
                state
                    .gone
                    .iter()
                    .map(|gone| gone.view(&state.url, &number))
                    .collect()
            } else {
                let live = state.buckets.values();
                live.map(|bucket| view(&state.url, &number, bucket)).collect()
            };
            drop(state);
            let most = usize::try_from(asked.query.number("maxResults")?.unwrap_or(1000)).unwrap_or(1000);
            if most == 0 {
                return Err(Refusal::parameter("maxResults", "it is at least 1"));
            }
            let most = most.min(shared.options.page);
            let prefix = asked.query.get("prefix").unwrap_or_default();
            let after = asked.query.get("pageToken");
            let name = |view: &Value| view["name"].as_str().unwrap_or_default().to_owned();
            let mut left = all
                .into_iter()
                .filter(|view| name(view).starts_with(prefix))
                .filter(|view| after.is_none_or(|after| name(view).as_str() > after));
            let page: Vec<Value> = left.by_ref().take(most).collect();
            let mut document = json!({"kind": "storage#buckets"});
            if let (Some(last), Some(_)) = (page.last(), left.next()) {
                document["nextPageToken"] = name(last).into();
            }
            if !page.is_empty() {
                document["items"] = page.into();
            }
            document
        }
        _ => return Err(Refusal::method()),
    };
    reply(asked, document)
}

fn mine(asked: &Asked, shared: &Shared) -> Outcome<()> {
    match asked.query.get("project") {
        Some(one) if one == shared.options.project || one == shared.number() => Ok(()),
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
    let number = shared.number();
    if asked.method == Method::GET && asked.query.flag("softDeleted")? {
        return soft::bucket(shared, asked, name);
    }
    asked
        .query
        .only_json(&["projection", "ifMetagenerationMatch", "ifMetagenerationNotMatch"])?;
    let mut conditions = Preconditions::query(&asked.query, TARGET)?;
    if asked.method == Method::GET {
        asked.only_headers(&["if-match", "if-none-match"])?;
        conditions = conditions.with_etags(asked, "")?;
    } else {
        asked.only_headers(&[])?;
        shared.lock().bucket(name)?;
        shared.permit(KIND, &full_name(name), &asked.method, 0)?;
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
            let is = view(&state.url, &number, bucket);
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
            if let Some(bucket) = state.buckets.remove(name) {
                state.retain(bucket, now);
            }
            return Ok(server::answer(StatusCode::NO_CONTENT, ""));
        }
        _ => return Err(Refusal::method()),
    }
    let view = view(&state.url, &number, state.bucket(name)?);
    drop(state);
    reply(asked, view)
}

//! The methods that every kind has in the same way: create, get, list, patch, delete (<https://google.aip.dev/130>).

use serde_json::{Map, Value, json};

use super::error::{Code, Outcome, Refusal};
use super::kinds::{self, Kind};
use super::knobs::{Deed, When};
use super::operation::{Operation, typed};
use super::request::Asked;
use super::state::{Resource, Shared, State, fields, nothing};
use super::{accounts, firestore, jobs, list, mask, pubsub, repositories, run, secrets, triggers};

/// One of the five.
pub(super) fn ask(shared: &Shared, asked: &Asked<'_>, kind: &'static Kind) -> Outcome<Value> {
    let name = asked.name(shared);
    match asked.verb() {
        "get" => {
            let mut state = shared.lock();
            state.look(&name);
            state.get(kind, &name).map(|resource| resource.body.clone())
        }
        "list" => {
            let state = shared.lock();
            if kind.key == "run.revisions" || kind.key == "secretmanager.versions" {
                parent_of(&state, kind, &name)?;
            }
            list::page(shared, &state, asked, kind)
        }
        "create" => {
            let (name, body) = match kind.key {
                "pubsub.topics" | "pubsub.subscriptions" => (name, fields(&asked.body)),
                "cloudscheduler.jobs" => (jobs::name(shared, asked)?, fields(&asked.body)),
                "iam.serviceAccounts" => accounts::named(shared, asked)?,
                _ => {
                    let parameter = kind.id.unwrap_or_default();
                    let id = asked
                        .parameter(parameter)
                        .ok_or_else(|| Refusal::field(parameter, "it is required"))?;
                    (format!("{name}/{}/{id}", kind.collection), fields(&asked.body))
                }
            };
            create(shared, asked, kind, &name, body)
        }
        "patch" => patch(shared, asked, kind, &name),
        "delete" => delete(shared, asked, kind, &name),
        _ => Err(super::route::unimplemented(asked)),
    }
}

fn parent_of(state: &State, kind: &Kind, parent: &str) -> Outcome<()> {
    let of = if kind.key == "run.revisions" {
        &kinds::SERVICE
    } else {
        &kinds::SECRET
    };
    // All revisions of a region are listed below the service `-`.
    if parent.ends_with("/-") {
        return Ok(());
    }
    state.get(of, parent).map(|_| ())
}

/// Makes one, now or by an operation.
pub(super) fn create(
    shared: &Shared,
    asked: &Asked<'_>,
    kind: &'static Kind,
    name: &str,
    mut body: Map<String, Value>,
) -> Outcome<Value> {
    let id = name.rsplit('/').next().unwrap_or_default();
    let bare = id.split('@').next().unwrap_or_default();
    if !kind.allows(bare) {
        let field = kind.id.unwrap_or("name");
        return Err(Refusal::field(
            field,
            &format!("`{bare}` is no name: {}", kind.rule),
        ));
    }
    labels(&body)?;
    let mut state = shared.lock();
    let failure = refuse(&mut state, kind, name, Deed::Create)?;
    if state.resources.contains_key(name) {
        return Err(exists(kind, name));
    }
    within_limit(&state, shared, kind)?;
    body.insert("name".to_owned(), told(shared, kind, name).into());
    prepare(&mut state, shared, asked, kind, name, &mut body, None)?;
    state.birth(kind, &mut body);
    let body = Value::Object(body);
    if asked.is_set("validateOnly") {
        let response = typed(kind, &body);
        state
            .resources
            .retain(|other, _| !other.starts_with(&format!("{name}/")));
        return Ok(state.begin(Operation::ended(kind, name, Deed::Create, response)));
    }
    let resource = Resource { kind, body };
    state.resources.insert(name.to_owned(), resource.clone());
    Ok(later(&mut state, shared, kind, name, Deed::Create, None, failure).unwrap_or(resource.body))
}

fn patch(shared: &Shared, asked: &Asked<'_>, kind: &'static Kind, name: &str) -> Outcome<Value> {
    // Some requests have the resource and the mask in fields of their own.
    let wrapped = match kind.key {
        "pubsub.topics" => Some("topic"),
        "pubsub.subscriptions" => Some("subscription"),
        "iam.serviceAccounts" => Some("serviceAccount"),
        _ => None,
    };
    let (mut sent, mask) = match wrapped {
        Some(field) => (fields(&asked.body[field]), asked.text("/updateMask")),
        None => (fields(&asked.body), asked.parameter("updateMask")),
    };
    let mut state = shared.lock();
    let Some(former) = state.resources.get(name).cloned() else {
        if asked.is_set("allowMissing") {
            drop(state);
            return create(shared, asked, kind, name, sent);
        }
        return state.get(kind, name).map(|resource| resource.body.clone());
    };
    same_etag(kind, name, &former.body, sent.get("etag").and_then(Value::as_str))?;
    if kind == &kinds::TRIGGER && state.is_busy(name) {
        return Err(Refusal::new(Code::Aborted, "unable to queue the operation"));
    }
    let failure = refuse(&mut state, kind, name, Deed::Update)?;
    for field in asked.call.set_by_service() {
        sent.remove(field);
    }
    let mut body = match (mask::paths(mask), kind.key) {
        (Some(paths), _) => {
            let mut body = fields(&former.body);
            mask::apply(&mut body, &sent, &paths);
            body
        }
        (None, "run.services") => run::replaced(&former.body, sent),
        (None, _) => {
            let mut body = fields(&former.body);
            body.extend(sent);
            body
        }
    };
    labels(&body)?;
    body.insert("name".to_owned(), told(shared, kind, name).into());
    let before = state.resources.clone();
    prepare(
        &mut state,
        shared,
        asked,
        kind,
        name,
        &mut body,
        Some(&former.body),
    )?;
    let has_changed = former.body != Value::Object(body.clone());
    if has_changed {
        state.touch(kind, &mut body);
    }
    let body = Value::Object(body);
    if asked.is_set("validateOnly") {
        state.resources = before;
        return Ok(state.begin(Operation::ended(kind, name, Deed::Update, typed(kind, &body))));
    }
    state.resources.insert(
        name.to_owned(),
        Resource {
            kind,
            body: body.clone(),
        },
    );
    Ok(later(
        &mut state,
        shared,
        kind,
        name,
        Deed::Update,
        Some(former),
        failure,
    )
    .unwrap_or(body))
}

fn delete(shared: &Shared, asked: &Asked<'_>, kind: &'static Kind, name: &str) -> Outcome<Value> {
    let mut state = shared.lock();
    if kind == &kinds::TRIGGER && !state.resources.contains_key(name) && asked.is_set("allowMissing") {
        return Ok(state.begin(Operation::ended(
            kind,
            name,
            Deed::Delete,
            typed(kind, &Value::Null),
        )));
    }
    let former = state.get(kind, name)?.clone();
    same_etag(kind, name, &former.body, asked.parameter("etag"))?;
    if kind == &kinds::TRIGGER && state.is_busy(name) {
        return Err(Refusal::new(Code::Aborted, "unable to queue the operation"));
    }
    if kind == &kinds::REVISION {
        run::may_go(&state, name)?;
    }
    if kind == &kinds::DATABASE {
        firestore::may_go(name, &former.body)?;
    }
    let failure = refuse(&mut state, kind, name, Deed::Delete)?;
    if asked.is_set("validateOnly") {
        return Ok(state.begin(Operation::ended(
            kind,
            name,
            Deed::Delete,
            typed(kind, &former.body),
        )));
    }
    if let Some(operation) = later(
        &mut state,
        shared,
        kind,
        name,
        Deed::Delete,
        Some(former),
        failure,
    ) {
        return Ok(operation);
    }
    state.remove(name);
    if kind == &kinds::TOPIC {
        pubsub::forget_topic(&mut state, name);
    }
    Ok(nothing())
}

/// The operation, for kinds that have one.
fn later(
    state: &mut State,
    shared: &Shared,
    kind: &'static Kind,
    name: &str,
    deed: Deed,
    former: Option<Resource>,
    failure: Option<(Refusal, When)>,
) -> Option<Value> {
    // A repository is changed at once.
    let is_quick = kind == &kinds::REPOSITORY && deed == Deed::Update;
    (!kind.type_url.is_empty() && !is_quick).then(|| {
        let mut operation = Operation::new(kind, name, deed, shared.options.looks);
        operation.former = former;
        operation.failure = failure;
        state.begin(operation)
    })
}

/// The failure that a test set: now, or one for the operation.
pub(super) fn refuse(
    state: &mut State,
    kind: &Kind,
    name: &str,
    deed: Deed,
) -> Outcome<Option<(Refusal, When)>> {
    match state.knobs.failed(kind, name, deed) {
        Some((refusal, When::AtOnce)) => Err(refusal),
        Some((refusal, _)) if kind.type_url.is_empty() => Err(refusal),
        other => Ok(other),
    }
}

fn prepare(
    state: &mut State,
    shared: &Shared,
    asked: &Asked<'_>,
    kind: &Kind,
    name: &str,
    body: &mut Map<String, Value>,
    former: Option<&Value>,
) -> Outcome<()> {
    match kind.key {
        "run.services" => run::prepare(state, shared, asked, name, body, former),
        "eventarc.triggers" => triggers::prepare(state, shared, body),
        "pubsub.topics" => pubsub::prepare_topic(body),
        "pubsub.subscriptions" => pubsub::prepare_subscription(state, shared, body, former),
        "secretmanager.secrets" => secrets::prepare(shared, body),
        "cloudscheduler.jobs" => jobs::prepare(state, shared, body),
        "firestore.databases" => firestore::prepare(shared, body, former),
        "artifactregistry.repositories" => repositories::prepare(name, body, former),
        _ => Ok(()),
    }
}

/// The name as answers have it.
fn told(shared: &Shared, kind: &Kind, name: &str) -> String {
    if kind.host == "secretmanager.googleapis.com" {
        shared.numbered(name)
    } else {
        name.to_owned()
    }
}

fn exists(kind: &Kind, name: &str) -> Refusal {
    let id = name.rsplit('/').next().unwrap_or_default();
    let message = match kind.host {
        "pubsub.googleapis.com" => format!("Resource already exists in the project (resource={id})."),
        "iam.googleapis.com" => {
            let id = id.split('@').next().unwrap_or_default();
            format!("Service account {id} already exists within project.")
        }
        "secretmanager.googleapis.com" => format!("Secret [{name}] already exists."),
        _ => format!("Resource '{name}' already exists."),
    };
    Refusal::new(Code::AlreadyExists, message)
}

/// Whether what was sent along as etag is the present one.
pub(super) fn same_etag(kind: &Kind, name: &str, stored: &Value, sent: Option<&str>) -> Outcome<()> {
    match sent.filter(|sent| !sent.is_empty()) {
        Some(sent) if kind.etag && stored["etag"] != sent => Err(Refusal::new(
            // Firestore's document says so of deletions.
            if kind == &kinds::DATABASE {
                Code::FailedPrecondition
            } else {
                Code::Aborted
            },
            format!(
                "Conflict for resource '{name}': etag {sent} was specified but the current one is another."
            ),
        )),
        _ => Ok(()),
    }
}

fn within_limit(state: &State, shared: &Shared, kind: &Kind) -> Outcome<()> {
    let all = state.resources.values();
    let count = all.filter(|resource| resource.kind == kind).count();
    within(state, shared, kind, count)
}

/// Whether there may be one more of a kind than so many.
pub(super) fn within(state: &State, shared: &Shared, kind: &Kind, count: usize) -> Outcome<()> {
    match state.knobs.limits.get(kind.key) {
        Some(limit) if count >= *limit => Err(Refusal::new(
            Code::ResourceExhausted,
            format!("Quota limit '{}' has been exceeded. Limit: {limit}.", kind.key),
        )
        .detail(json!({
            "@type": "type.googleapis.com/google.rpc.QuotaFailure",
            "violations": [{
                "subject": format!("projects/{}", shared.options.number),
                "description": format!("{} may be {limit} at most", kind.collection),
            }],
        }))),
        _ => Ok(()),
    }
}

/// Labels as all of Google's services have them: <https://cloud.google.com/resource-manager/docs/labels-overview#requirements>.
fn labels(body: &Map<String, Value>) -> Outcome<()> {
    let labels = body.get("labels").and_then(Value::as_object);
    if labels.is_some_and(|labels| labels.len() > 64) {
        return Err(Refusal::field("labels", "there are more than 64"));
    }
    let letters = |text: &str| {
        text.chars().count() <= 63
            && text
                .chars()
                .all(|c| c.is_numeric() || matches!(c, '-' | '_') || (c.is_alphabetic() && !c.is_uppercase()))
    };
    for (key, value) in labels.into_iter().flatten() {
        let begins = key.starts_with(|c: char| c.is_alphabetic());
        if !begins || !letters(key) || !value.as_str().is_some_and(letters) {
            let what = "keys and values have at most 63 lower-case letters, digits, - and _, and keys begin with a letter";
            return Err(Refusal::field(&format!("labels.{key}"), what));
        }
    }
    Ok(())
}

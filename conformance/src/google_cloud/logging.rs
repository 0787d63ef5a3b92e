//! Entries of Cloud Logging: what was logged, and who asks for it. <https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries>

mod filter;
mod lines;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use self::filter::Filter;
pub use self::lines::{Logs, Origin, Stream};
use super::error::{Code, Outcome, Refusal};
use super::request::Asked;
use super::state::{Shared, State, fields, nothing, now};

/// The most that an entry has: <https://cloud.google.com/logging/quotas>.
const LARGEST: usize = 256 * 1024;
/// The most characters of a filter.
const LONGEST: usize = 20_000;
/// How long entries are kept in the bucket of logs `_Default`, and how far ahead of time one may be.
const KEPT: Duration = Duration::days(30);
const AHEAD: Duration = Duration::days(1);
const PAYLOADS: [&str; 3] = ["textPayload", "jsonPayload", "protoPayload"];

/// The methods of entries.
pub(super) fn ask(shared: &Shared, asked: &Asked<'_>) -> Outcome<Value> {
    match asked.call.id() {
        "logging.entries.list" => list(shared, asked),
        "logging.entries.write" => write(shared, asked),
        _ => Err(super::route::unimplemented(asked)),
    }
}

/// The moment of an entry, by which it is put in order; those of one moment are in the order of their insert ids.
fn order(entry: &Value) -> (DateTime<Utc>, String) {
    let text = |field: &str| entry[field].as_str().unwrap_or_default();
    (
        moment(text("timestamp")).unwrap_or_default(),
        text("insertId").to_owned(),
    )
}

fn moment(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|time| time.with_timezone(&Utc))
}

fn list(shared: &Shared, asked: &Asked<'_>) -> Outcome<Value> {
    let body = &asked.body;
    sources(shared, body)?;
    let text = |field: &str| body[field].as_str().unwrap_or_default();
    let (filter, by) = (text("filter"), text("orderBy"));
    if filter.chars().count() > LONGEST {
        let what = format!("it has at most {LONGEST} characters");
        return Err(Refusal::field("filter", &what));
    }
    let parsed = Filter::read(filter)?;
    let is_newest_first = match by {
        "" | "timestamp asc" | "timestamp" => false,
        "timestamp desc" => true,
        _ => {
            let what = "it is `timestamp asc` or `timestamp desc`";
            return Err(Refusal::field("order_by", what));
        }
    };
    let size = match body["pageSize"].as_i64().unwrap_or(0) {
        0 => 50,
        size => usize::try_from(size)
            .map_err(|_| Refusal::field("page_size", "it must not be negative"))?
            .min(1000),
    };
    let sum = URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{filter}\n{by}")));
    let after = match text("pageToken") {
        "" => None,
        token => Some(open(token, &sum)?),
    };
    let state = shared.lock();
    let mut all: Vec<((DateTime<Utc>, String), &Value)> = state
        .logs
        .iter()
        .filter(|entry| parsed.fits(entry))
        .map(|entry| (order(entry), entry))
        .collect();
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    // Entries of the same moment and insert id are told once.
    all.dedup_by(|(one, _), (other, _)| one == other);
    if is_newest_first {
        all.reverse();
    }
    let mut left = all.into_iter().filter(|(at, _)| {
        after
            .as_ref()
            .is_none_or(|after| if is_newest_first { at < after } else { at > after })
    });
    let page: Vec<_> = left.by_ref().take(size).collect();
    let mut answer = nothing();
    if let (Some((last, _)), Some(_)) = (page.last(), left.next()) {
        answer["nextPageToken"] = close(last, &sum).into();
    }
    if !page.is_empty() {
        answer["entries"] = page.into_iter().map(|(_, entry)| entry.clone()).collect();
    }
    Ok(answer)
}

/// Whether the places that are asked are the project, and there are any.
fn sources(shared: &Shared, body: &Value) -> Outcome<()> {
    let names = body["resourceNames"].as_array().into_iter().flatten();
    let ids = body["projectIds"].as_array().into_iter().flatten();
    let all: Vec<String> = names
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .chain(ids.filter_map(Value::as_str).map(|id| format!("projects/{id}")))
        .collect();
    if all.is_empty() || all.len() > 100 {
        return Err(Refusal::field("resource_names", "there are 1 to 100"));
    }
    let own = format!("projects/{}", shared.options.project);
    for name in all {
        if name.contains("/views/") {
            let message = "The stand-in does not have views of logs: ask the project.";
            return Err(Refusal::new(Code::Unimplemented, message));
        }
        if shared.key(&name) != own {
            return Err(Refusal::denied("logging.logEntries.list", &name));
        }
    }
    Ok(())
}

/// A token says where a page ended, and of which list.
fn close((moment, id): &(DateTime<Utc>, String), sum: &str) -> String {
    URL_SAFE_NO_PAD.encode(json!([moment.to_rfc3339(), id, sum]).to_string())
}

fn open(token: &str, sum: &str) -> Outcome<(DateTime<Utc>, String)> {
    let refused = || Refusal::field("page_token", "it is not one that this list gave");
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| refused())?;
    let (at, id, of): (String, String, String) = serde_json::from_slice(&bytes).map_err(|_| refused())?;
    match moment(&at) {
        Some(at) if of == sum => Ok((at, id)),
        _ => Err(refused()),
    }
}

fn write(shared: &Shared, asked: &Asked<'_>) -> Outcome<Value> {
    let is_partial = asked.body["partialSuccess"] == true;
    let mut state = shared.lock();
    let mut refused = None;
    let mut good = Vec::new();
    for entry in asked.body["entries"].as_array().into_iter().flatten() {
        match ready(&mut state, shared, fields(entry)) {
            Ok(entry) => good.push(entry),
            Err(refusal) => refused = refused.or(Some(refusal)),
        }
    }
    if asked.body["dryRun"] != true && (refused.is_none() || is_partial) {
        state.logs.extend(good);
    }
    refused.map_or_else(|| Ok(nothing()), Err)
}

/// What a request to write says of all entries becomes each one's that does not say it: its document wants it there.
pub(super) fn complete(id: &str, body: &mut Value) {
    if id != "logging.entries.write" {
        return;
    }
    let defaults = fields(body);
    for entry in body["entries"].as_array_mut().into_iter().flatten() {
        let Some(entry) = entry.as_object_mut() else {
            continue;
        };
        for field in ["logName", "resource"] {
            if let (false, Some(value)) = (entry.contains_key(field), defaults.get(field)) {
                entry.insert(field.to_owned(), value.clone());
            }
        }
        if let Some(Value::Object(labels)) = defaults.get("labels") {
            let mut all = labels.clone();
            all.extend(fields(entry.get("labels").unwrap_or(&Value::Null)));
            entry.insert("labels".to_owned(), all.into());
        }
    }
}

/// An entry as it is kept, with what the service fills in.
fn ready(state: &mut State, shared: &Shared, mut entry: Map<String, Value>) -> Outcome<Value> {
    let project = &shared.options.project;
    let name = entry.get("logName").and_then(Value::as_str).unwrap_or_default();
    let name = shared.key(name);
    let id = name.strip_prefix(&format!("projects/{project}/logs/"));
    let is_id = |id: &str| {
        let known = |c: char| c.is_ascii_alphanumeric() || "/_-.%".contains(c);
        !id.is_empty() && id.len() < 512 && !id.starts_with('/') && id.chars().all(known)
    };
    match id {
        None => return Err(Refusal::denied("logging.logEntries.create", &name)),
        Some(id) if !is_id(id) || id.contains('/') => {
            let what = "the id of a log has letters, digits, _, -, and periods; slashes go as %2F";
            return Err(Refusal::field("entries.log_name", what));
        }
        Some(_) => {}
    }
    if entry
        .get("resource")
        .is_none_or(|resource| !resource["type"].is_string())
    {
        return Err(Refusal::field(
            "entries.resource",
            "it is required, with its type",
        ));
    }
    if PAYLOADS
        .iter()
        .filter(|field| entry.contains_key(**field))
        .count()
        > 1
    {
        let what = "an entry has one payload";
        return Err(Refusal::field("entries.payload", what));
    }
    let size = Value::Object(entry.clone()).to_string().len();
    if size > LARGEST {
        let what = format!("an entry has at most {LARGEST} bytes, not {size}");
        return Err(Refusal::field("entries", &what));
    }
    let given = entry.get("timestamp").and_then(Value::as_str).and_then(moment);
    if let Some(at) = given {
        let present = Utc::now();
        if at < present - KEPT || at > present + AHEAD {
            let what = "it is from 30 days ago to 24 hours ahead";
            return Err(Refusal::field("entries.timestamp", what));
        }
    }
    entry.insert("logName".to_owned(), name.into());
    entry.entry("timestamp").or_insert_with(|| now().into());
    entry.insert("receiveTimestamp".to_owned(), now().into());
    if entry
        .get("insertId")
        .and_then(Value::as_str)
        .is_none_or(str::is_empty)
    {
        state.count += 1;
        // Grows, so that entries of one moment stay in the order in which they came.
        entry.insert("insertId".to_owned(), format!("{:016x}", state.count).into());
    }
    Ok(entry.into())
}

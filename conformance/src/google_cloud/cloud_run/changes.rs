//! Changes of documents as Eventarc tells them: <https://cloud.google.com/eventarc/docs/cloudevents>,
//! <https://cloud.google.com/firestore/native/docs/extend-with-eventarc>.
//!
//! The emulator of Firestore tells nobody of changes but those who listen over gRPC. All writes come through here, so what is written is read before and after.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex as Lock, PoisonError};

use bytes::Bytes;
use chrono::{SecondsFormat, Utc};
use futures::future::BoxFuture;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use super::World;
use super::protobuf::document_event_data;
use crate::google_cloud::kinds::TRIGGER;
use crate::server::Answer;

/// What types of events of documents begin with.
const TYPE: &str = "google.cloud.firestore.document.v1.";

/// What a header cannot hold: <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#3132-http-header-values>.
const HEADER: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

/// What goes on with changes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Held while something is written whose change is told: what is read before and after is one write's.
    writing: Mutex<()>,
    /// What each trigger is still to be told, by where it is told. Google promises no order; here it is that of the writes, as it mostly is there, so that what a test sees does not change from run to run.
    lines: Lock<BTreeMap<String, mpsc::UnboundedSender<BoxFuture<'static, ()>>>>,
    stop: CancellationToken,
}

impl Changes {
    /// Nothing is sent any more.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// Does this once all is done that was given before for the same place.
    fn line_up(&self, place: &str, doing: BoxFuture<'static, ()>) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let line = lines.entry(place.to_owned()).or_insert_with(|| {
            let (line, mut waiting) = mpsc::unbounded_channel::<BoxFuture<'static, ()>>();
            tokio::spawn(async move {
                while let Some(doing) = waiting.recv().await {
                    doing.await;
                }
            });
            line
        });
        // Whoever takes them ends with this alone.
        let _ = line.send(doing);
    }
}

/// A trigger of documents.
#[derive(Debug, Clone)]
struct Trigger {
    ty: String,
    document: Option<(String, bool)>,
    url: String,
    path: String,
    account: String,
}

/// A document that was written.
#[derive(Debug)]
struct Change<'a> {
    /// Below the database's documents: `items/a`.
    path: &'a str,
    old: Option<&'a Value>,
    new: Option<&'a Value>,
}

impl Change<'_> {
    fn verb(&self) -> &'static str {
        match (self.old, self.new) {
            (None, _) => "created",
            (_, None) => "deleted",
            _ => "updated",
        }
    }
}

impl Trigger {
    fn wants(&self, change: &Change<'_>) -> bool {
        let verb = self.ty.strip_prefix(TYPE).unwrap_or_default();
        let wanted = verb == "written" || verb == change.verb();
        wanted
            && self.document.as_ref().is_none_or(|(pattern, is_pattern)| {
                if *is_pattern {
                    fits(pattern, change.path)
                } else {
                    pattern == change.path
                }
            })
    }
}

/// Whether a path fits a pattern: `*` and `{name}` are one part, `**` and `{name=**}` any number.
/// <https://cloud.google.com/eventarc/docs/path-patterns>
fn fits(pattern: &str, path: &str) -> bool {
    fn parts(pattern: &[&str], path: &[&str]) -> bool {
        match (pattern.split_first(), path.split_first()) {
            (None, None) => true,
            (None, Some(_)) => false,
            (Some((first, rest)), _) if matches!(*first, "**") || first.ends_with("=**}") => {
                (0..=path.len()).any(|taken| parts(rest, &path[taken..]))
            }
            (Some((first, rest)), Some((part, others))) => {
                let is_any = *first == "*" || (first.starts_with('{') && first.ends_with('}'));
                (is_any || first == part) && parts(rest, others)
            }
            (Some(_), None) => false,
        }
    }
    let split = |text: &'_ str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
    let (pattern, path) = (split(pattern), split(path));
    let pattern: Vec<&str> = pattern.iter().map(String::as_str).collect();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    parts(&pattern, &path)
}

impl World {
    /// A request for documents: passed on, and told of if it writes.
    pub(super) async fn document(
        self: &Arc<Self>,
        base: &str,
        method: &str,
        path: &str,
        sent: Option<&Value>,
        answer: impl Future<Output = Answer>,
    ) -> Answer {
        let path = path.trim_start_matches("/v1/");
        let Some((database, below)) = path.split_once("/documents") else {
            return answer.await;
        };
        let verb = method.rsplit('.').next().unwrap_or_default();
        let writes = matches!(
            verb,
            "commit" | "batchWrite" | "createDocument" | "patch" | "delete"
        );
        let triggers = if writes {
            self.triggers(database)
        } else {
            Vec::new()
        };
        if triggers.is_empty() {
            return answer.await;
        }
        let mut names = names(verb, path, below, sent);
        let _one = self.changes.writing.lock().await;
        let before = self.read(base, database, &names).await;
        let answer = answer.await;
        if !answer.status().is_success() {
            return answer;
        }
        let (parts, body) = answer.into_parts();
        // What is here is whole already.
        let bytes = body
            .collect()
            .await
            .map(http_body_util::Collected::to_bytes)
            .unwrap_or_default();
        if verb == "createDocument" {
            let made: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            names.extend(made["name"].as_str().map(str::to_owned));
        }
        let after = self.read(base, database, &names).await;
        for name in &names {
            let (old, new) = (before.get(name), after.get(name));
            // What was written as it was has a new moment all the same, but nothing changed that is told:
            // https://cloud.google.com/firestore/native/docs/extend-with-eventarc#limitations
            let fields = |document: Option<&Value>| document.map(|document| document["fields"].clone());
            if fields(old) == fields(new) {
                continue;
            }
            let path = name.split_once("/documents/").map_or("", |(_, path)| path);
            self.tell(database, &triggers, &Change { path, old, new });
        }
        Answer::from_parts(parts, Full::new(bytes))
    }

    /// Those of a database (by its full name) that are made.
    fn triggers(&self, database: &str) -> Vec<Trigger> {
        let id = database.rsplit('/').next().unwrap_or_default();
        let options = &self.shared.options;
        let state = self.shared.lock();
        let triggers = state
            .resources
            .iter()
            .filter(|(name, resource)| resource.kind == &TRIGGER && !state.is_busy(name));
        triggers
            .filter_map(|(_, resource)| {
                let body = &resource.body;
                let filters = body["eventFilters"].as_array()?;
                let of = |attribute: &str| {
                    let mut all = filters.iter();
                    let filter = all.find(|filter| filter["attribute"] == attribute)?;
                    let is_pattern = filter["operator"] == "match-path-pattern";
                    Some((filter["value"].as_str()?.to_owned(), is_pattern))
                };
                let (ty, _) = of("type").filter(|(ty, _)| ty.starts_with(TYPE))?;
                let (wanted, _) = of("database")?;
                let run = &body["destination"]["cloudRun"];
                let (service, region) = (run["service"].as_str()?, run["region"].as_str()?);
                (wanted == id).then(|| Trigger {
                    ty,
                    document: of("document"),
                    url: format!("https://{service}-{}.{region}.run.app", options.number),
                    path: run["path"].as_str().unwrap_or("/").to_owned(),
                    account: body["serviceAccount"].as_str().unwrap_or_default().to_owned(),
                })
            })
            .collect()
    }

    /// Documents by their names; those that are not there are left out.
    async fn read(&self, base: &str, database: &str, names: &[String]) -> BTreeMap<String, Value> {
        if names.is_empty() {
            return BTreeMap::new();
        }
        let url = format!("{base}/v1/{database}/documents:batchGet");
        let told = self
            .ask_emulator("POST", &url, &json!({"documents": names}))
            .await;
        let found = told.map(|(_, told)| told).unwrap_or_default();
        let documents = found.as_array().into_iter().flatten();
        documents
            .filter_map(|one| {
                let document = &one["found"];
                Some((document["name"].as_str()?.to_owned(), document.clone()))
            })
            .collect()
    }

    /// Sends a change to all triggers that want it, each until it is taken.
    fn tell(self: &Arc<Self>, database: &str, triggers: &[Trigger], change: &Change<'_>) {
        let Ok(data) = document_event_data(change.old, change.new) else {
            return;
        };
        let data = Bytes::from(data);
        let moment =
            |document: Option<&Value>| document.and_then(|one| one["updateTime"].as_str().map(str::to_owned));
        let at =
            moment(change.new).unwrap_or_else(|| Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true));
        let written = |text: &str| utf8_percent_encode(text, HEADER).to_string();
        let id = uuid::Uuid::new_v4().to_string();
        let name = database.rsplit('/').next().unwrap_or_default();
        for trigger in triggers.iter().filter(|trigger| trigger.wants(change)) {
            let headers = [
                ("ce-specversion", "1.0".to_owned()),
                ("ce-id", id.clone()),
                (
                    "ce-source",
                    written(&format!("//firestore.googleapis.com/{database}")),
                ),
                ("ce-type", trigger.ty.clone()),
                ("ce-time", at.clone()),
                ("ce-subject", written(&format!("documents/{}", change.path))),
                ("ce-document", written(change.path)),
                ("ce-database", name.to_owned()),
                ("ce-namespace", "(default)".to_owned()),
                ("ce-project", self.shared.options.project.clone()),
                ("ce-location", "eur3".to_owned()),
                ("content-type", "application/protobuf".to_owned()),
                (
                    "user-agent",
                    "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)".to_owned(),
                ),
            ];
            let request = {
                let data = data.clone();
                move || {
                    let mut request = Request::post("/");
                    for (name, value) in &headers {
                        request = request.header(*name, value);
                    }
                    request.body(Full::new(data.clone()))
                }
            };
            let (world, trigger) = (Arc::downgrade(self), trigger.clone());
            let stop = self.changes.stop.clone();
            let (mut wait, most) = self.options.pace.backoff;
            let url = format!("{}{}", trigger.url, trigger.path);
            let place = url.clone();
            let telling = async move {
                loop {
                    let (Some(world), Ok(request)) = (world.upgrade(), request()) else {
                        return;
                    };
                    let oidc = Some((trigger.account.as_str(), trigger.url.as_str()));
                    let status = world.post(&url, request, oidc).await;
                    drop(world);
                    if (200..300).contains(&status) {
                        return;
                    }
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(wait) => wait = (wait * 2).min(most),
                    }
                }
            };
            self.changes.line_up(&place, Box::pin(telling));
        }
    }
}

/// The documents that a request writes, by what it says.
fn names(verb: &str, path: &str, below: &str, sent: Option<&Value>) -> Vec<String> {
    let mut names: Vec<String> = match verb {
        "patch" | "delete" if !below.is_empty() => {
            let path = percent_encoding::percent_decode_str(path);
            vec![path.decode_utf8_lossy().into_owned()]
        }
        _ => {
            let writes = sent.and_then(|sent| sent["writes"].as_array());
            let name = |write: &Value| {
                let name = write["update"]["name"].as_str();
                let name = name.or(write["delete"].as_str());
                name.or(write["transform"]["document"].as_str())
                    .map(str::to_owned)
            };
            writes.into_iter().flatten().filter_map(name).collect()
        }
    };
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_fits_a_pattern_part_by_part() {
        for (pattern, path, is_fit) in [
            ("items/{id}", "items/a", true),
            ("items/*", "items/a", true),
            ("items/{id}", "items/a/more/b", false),
            ("items/{id}", "other/a", false),
            ("items/**", "items/a/more/b", true),
            ("{path=**}/b", "items/a/more/b", true),
            ("items/a", "items/b", false),
        ] {
            assert_eq!(fits(pattern, path), is_fit, "{pattern} {path}");
        }
    }

    #[test]
    fn what_a_request_writes_is_told_by_its_writes_or_its_path() {
        let commit = json!({"writes": [
            {"update": {"name": "d/documents/items/a"}}, {"delete": "d/documents/items/b"},
            {"transform": {"document": "d/documents/items/a"}},
        ]});
        assert_eq!(
            names("commit", "d/documents:commit", ":commit", Some(&commit)),
            ["d/documents/items/a", "d/documents/items/b"]
        );
        assert_eq!(
            names("patch", "d/documents/items/a%20b", "/items/a%20b", None),
            ["d/documents/items/a b"]
        );
    }
}

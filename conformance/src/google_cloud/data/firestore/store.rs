//! The documents that are there, and commits: all writes or none, in order. <https://cloud.google.com/firestore/docs/reference/rest/v1/projects.databases.documents/commit>

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::super::{invalid, only, unimplemented};
use super::field::Path;
use super::{name, value};
use crate::google_cloud::error::{Code, Outcome, Refusal};

/// The largest document: <https://cloud.google.com/firestore/docs/storage-size#document-size>.
const LARGEST: usize = 1_048_576;

/// A moment, in microseconds.
pub(super) type Moment = i64;

/// A document.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub(super) fields: Map<String, Value>,
    created: Moment,
    updated: Moment,
}

/// All documents, by their full names.
#[derive(Debug, Default)]
pub(super) struct Store {
    documents: BTreeMap<String, Document>,
    last: Moment,
}

/// A moment as it is written.
pub(super) fn moment(at: Moment) -> String {
    DateTime::<Utc>::from_timestamp_micros(at).map_or_else(String::new, value::written)
}

impl Document {
    /// As it is told, with the fields of a mask if there is one.
    pub(super) fn told(&self, name: &str, mask: Option<&[Path]>) -> Value {
        let mut told = json!({
            "name": name, "createTime": moment(self.created), "updateTime": moment(self.updated),
        });
        let fields = match mask {
            None => self.fields.clone(),
            Some(paths) => {
                let mut fields = Map::new();
                for path in paths {
                    if let Some(value) = path.get(&self.fields) {
                        path.set(&mut fields, Some(value));
                    }
                }
                fields
            }
        };
        if !fields.is_empty() {
            told["fields"] = fields.into();
        }
        told
    }
}

impl Store {
    pub(super) fn get(&self, name: &str) -> Option<&Document> {
        self.documents.get(name)
    }

    /// Those below a document or a database, in no order.
    pub(super) fn below<'a>(&'a self, parent: &str) -> impl Iterator<Item = (&'a String, &'a Document)> {
        let start = format!("{parent}/");
        let from = self.documents.range(start.clone()..);
        from.take_while(move |(name, _)| name.starts_with(&start))
    }

    /// The present, which is never the same twice.
    pub(super) fn now(&mut self) -> Moment {
        self.last = Utc::now().timestamp_micros().max(self.last + 1);
        self.last
    }

    /// Does all writes or none; what became of each, and when.
    pub(super) fn commit(&mut self, database: &str, writes: &[Value]) -> Outcome<(Vec<Value>, Moment)> {
        let at = self.now();
        // What the commit changes; `None` is a document that it deletes.
        let mut changed: BTreeMap<String, Option<Document>> = BTreeMap::new();
        let mut results = Vec::with_capacity(writes.len());
        for write in writes {
            let (name, document) = self.write(database, write, &changed, at)?;
            results.push(match &document {
                Some(document) => json!({"updateTime": moment(document.updated)}),
                None => json!({}),
            });
            changed.insert(name, document);
        }
        for (name, document) in changed {
            match document {
                Some(document) => {
                    self.documents.insert(name, document);
                }
                None => {
                    self.documents.remove(&name);
                }
            }
        }
        Ok((results, at))
    }

    /// What one write makes of its document.
    fn write(
        &self,
        database: &str,
        write: &Value,
        changed: &BTreeMap<String, Option<Document>>,
        at: Moment,
    ) -> Outcome<(String, Option<Document>)> {
        only(write, &["update", "delete", "updateMask", "currentDocument"])?;
        let (name, update) = match (write.get("update"), write.get("delete")) {
            (Some(update), None) => {
                only(update, &["name", "fields", "createTime", "updateTime"])?;
                (update["name"].as_str().unwrap_or_default(), Some(update))
            }
            (None, Some(name)) => (name.as_str().unwrap_or_default(), None),
            (None, None) => return Err(invalid("empty write operation")),
            _ => return Err(invalid("A write has exactly one operation.")),
        };
        name::document(name, database)?;
        let former = match changed.get(name) {
            Some(document) => document.as_ref(),
            None => self.documents.get(name),
        };
        hold(&write["currentDocument"], name, former)?;
        let Some(update) = update else {
            return Ok((name.to_owned(), None));
        };
        let sent = value::fields(update["fields"].as_object().unwrap_or(&Map::new()))?;
        let fields = match write.get("updateMask").filter(|mask| !mask.is_null()) {
            None => sent,
            Some(mask) => {
                let mut fields = former.map(|former| former.fields.clone()).unwrap_or_default();
                for path in mask["fieldPaths"].as_array().into_iter().flatten() {
                    let path = Path::read(path.as_str().unwrap_or_default())?;
                    if path.is_name() {
                        return Err(invalid("A document's name is no field of an update."));
                    }
                    path.set(&mut fields, path.get(&sent));
                }
                fields
            }
        };
        if value::name_size(name) + value::fields_size(&fields) + 32 > LARGEST {
            let message = format!("Document \"{name}\" is larger than the maximum size of {LARGEST} bytes.");
            return Err(invalid(message));
        }
        // What is written as it was keeps its moment:
        // https://cloud.google.com/firestore/docs/reference/rest/v1/WriteResult
        let updated = former
            .filter(|former| former.fields == fields)
            .map_or(at, |former| former.updated);
        let created = former.map_or(at, |former| former.created);
        Ok((
            name.to_owned(),
            Some(Document {
                fields,
                created,
                updated,
            }),
        ))
    }
}

/// Whether a precondition holds: <https://cloud.google.com/firestore/docs/reference/rest/v1/Precondition>.
fn hold(condition: &Value, name: &str, former: Option<&Document>) -> Outcome<()> {
    if condition.is_null() {
        return Ok(());
    }
    match (condition.get("exists"), condition.get("updateTime")) {
        (None, None) => Ok(()),
        (Some(exists), None) => match (exists.as_bool(), former) {
            (Some(true), None) => Err(Refusal::new(
                Code::NotFound,
                format!("No document to update: {name}"),
            )),
            (Some(false), Some(_)) => Err(Refusal::new(
                Code::AlreadyExists,
                format!("Document already exists: {name}"),
            )),
            (Some(_), _) => Ok(()),
            (None, _) => Err(Refusal::field("current_document.exists", "it is true or false")),
        },
        (None, Some(at)) => {
            let at = at
                .as_str()
                .and_then(|text| DateTime::parse_from_rfc3339(text).ok());
            let at = at.ok_or_else(|| Refusal::field("current_document.update_time", "it is no moment"))?;
            let stored = former.map_or(0, |former| former.updated);
            // What Firestore never told is none of its moments.
            let is_same = former.is_some() && at.timestamp_nanos_opt() == Some(stored * 1000);
            if is_same {
                return Ok(());
            }
            let message = format!(
                "the stored version ({stored}) does not match the required base version ({})",
                at.timestamp_micros()
            );
            Err(Refusal::new(Code::FailedPrecondition, message))
        }
        (Some(_), Some(_)) => Err(unimplemented("two preconditions of one write")),
    }
}

//! Writes, all or nothing: <https://cloud.google.com/firestore/docs/reference/rest/v1/projects.databases.documents/commit>.
//!
//! Firestore tells that a condition does not hold, and not which. So the documents are read afterwards: they tell whose condition it was. An expired item that Firestore has
//! not removed yet counts as absent, and is replaced on the condition that it is still that one.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use nephos_core::resource::table::{Condition, Key, Version, Write};
use nephos_core::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{GcpTable, now};
use crate::document::{EXPIRES, KEY, VERSION, index, to_fields};
use crate::error::{status, unreadable};

const PUT: &str = "table.put";
const DELETE: &str = "table.delete";

/// How often a batch is looked at again whose conditions held by the time it was: each time another write was in between.
const LOOKS: usize = 5;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Committed {
    #[serde(default)]
    write_results: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    update_time: Option<String>,
}

/// One write of a batch, with what it is about.
struct Asked<'a> {
    write: &'a Write,
    key: Key,
    document: String,
}

impl Asked<'_> {
    fn operation(&self) -> &'static str {
        match self.write {
            Write::Put { .. } => PUT,
            Write::Delete { .. } => DELETE,
        }
    }

    fn condition(&self) -> &Condition {
        match self.write {
            Write::Put { condition, .. } | Write::Delete { condition, .. } => condition,
        }
    }
}

/// The versions of expired documents that stand in a write's way, by its index.
type Expired = BTreeMap<usize, String>;

impl GcpTable {
    pub(super) async fn write_batch(&self, batch: &[Write]) -> Result<Vec<Option<Version>>> {
        let asked = batch
            .iter()
            .map(|write| self.asked(write))
            .collect::<Result<Vec<_>>>()?;
        let operation = asked.first().map_or(PUT, Asked::operation);
        let is_conditional = asked.iter().any(|one| *one.condition() != Condition::Always);
        // An expired item has no version that counts; Firestore would take it.
        let by_version = |one: &Asked<'_>| matches!(one.condition(), Condition::Version(_));
        let mut expired = if self.schema.ttl.is_some() && asked.iter().any(by_version) {
            self.judge(&asked).await?
        } else {
            Expired::new()
        };
        let mut look = 1;
        loop {
            let error = match self.commit(operation, &asked, &expired).await {
                Ok(versions) => return Ok(versions),
                Err(error) => error,
            };
            let is_condition = matches!(
                status(&error),
                Some("ALREADY_EXISTS" | "FAILED_PRECONDITION" | "NOT_FOUND")
            );
            if !is_conditional || !is_condition {
                return Err(error);
            }
            expired = self.judge(&asked).await?;
            if look == LOOKS {
                // By now they hold, but each time another write was in between.
                return Err(error.retryable(true));
            }
            look += 1;
        }
    }

    fn asked<'a>(&self, write: &'a Write) -> Result<Asked<'a>> {
        let key = match write {
            Write::Put { item, .. } => self.schema.key_of(item).map_err(|error| self.of(error))?,
            Write::Delete { key, .. } => key.clone(),
        };
        Ok(Asked {
            document: self.document(&key),
            key,
            write,
        })
    }

    async fn commit(
        &self,
        operation: &'static str,
        asked: &[Asked<'_>],
        expired: &Expired,
    ) -> Result<Vec<Option<Version>>> {
        let writes = asked
            .iter()
            .enumerate()
            .map(|(at, one)| self.write_of(at, one, expired.get(&at)))
            .collect::<Result<Vec<Value>>>()?;
        let path = format!("/{}:commit", self.documents);
        let committed: Committed = self
            .rest
            .post(operation, &path, &json!({"writes": writes}))
            .await
            .map_err(|error| self.of(error))?;
        if committed.write_results.len() != asked.len() {
            let what = "it has another number of results than there were writes";
            return Err(self.of(unreadable(operation, what)));
        }
        asked
            .iter()
            .zip(committed.write_results)
            .map(|(one, written)| match (one.write, written.update_time) {
                (Write::Delete { .. }, _) => Ok(None),
                (Write::Put { .. }, Some(version)) => Ok(Some(Version(version))),
                (Write::Put { .. }, None) => Err(self.of(unreadable(operation, "a write has no moment"))),
            })
            .collect()
    }

    /// A write as Firestore takes it.
    fn write_of(&self, at: usize, one: &Asked<'_>, expired: Option<&String>) -> Result<Value> {
        let mut write = match one.write {
            Write::Put { item, .. } => json!({"update": {
                "name": one.document,
                "fields": self.fields(&one.key, item)?,
            }}),
            Write::Delete { .. } => json!({"delete": one.document}),
        };
        let precondition = match (one.condition(), expired) {
            (Condition::Always, _) => None,
            (Condition::Absent, None) => Some(json!({"exists": false})),
            (Condition::Absent, Some(version)) => Some(json!({"updateTime": version})),
            (Condition::Version(version), _) => {
                // What is no moment is the version of no document.
                if DateTime::parse_from_rfc3339(&version.0).is_err() {
                    return Err(self.stale(at, one));
                }
                Some(json!({"updateTime": version.0}))
            }
        };
        if let Some(precondition) = precondition {
            write["currentDocument"] = precondition;
        }
        Ok(write)
    }

    /// An item's fields, with ours.
    fn fields(&self, key: &Key, item: &Value) -> Result<Value> {
        let object = item.as_object().ok_or_else(|| {
            self.of(Error::new(
                ErrorKind::InvalidArgument,
                PUT,
                "an item is a JSON object",
            ))
        })?;
        let mut fields = to_fields(object);
        let text = |text: &str| json!({"stringValue": text});
        let sort = key.sort.as_deref().unwrap_or_default();
        fields.insert(KEY.to_owned(), text(&index(&key.partition, sort)));
        fields.insert(
            VERSION.to_owned(),
            text(&uuid::Uuid::new_v4().simple().to_string()),
        );
        if let Some(expiry) = self.schema.expiry_of(item).map_err(|error| self.of(error))? {
            // Firestore's moments end with the year 9999, and an item that is to live longer expires then.
            let moment = DateTime::<Utc>::from_timestamp(expiry.clamp(-62_135_596_800, 253_402_300_799), 0)
                .unwrap_or_default();
            fields.insert(
                EXPIRES.to_owned(),
                json!({"timestampValue": moment.to_rfc3339_opts(SecondsFormat::Secs, true)}),
            );
        }
        Ok(Value::Object(fields))
    }

    /// Whether each condition holds just now; the error of the first that does not.
    async fn judge(&self, asked: &[Asked<'_>]) -> Result<Expired> {
        let names: Vec<String> = asked
            .iter()
            .filter(|one| *one.condition() != Condition::Always)
            .map(|one| one.document.clone())
            .collect();
        let operation = asked.first().map_or(PUT, Asked::operation);
        let documents = self.documents(operation, &names).await?;
        let now = now();
        let mut expired = Expired::new();
        for (at, one) in asked.iter().enumerate() {
            let found = documents.get(&one.document);
            let live = match found {
                Some(document) => self.stored(document, now)?,
                None => None,
            };
            match (one.condition(), live, found) {
                (Condition::Always, ..) | (Condition::Absent, None, None) => {}
                (Condition::Absent, None, Some(document)) => {
                    expired.insert(at, document.update_time.clone());
                }
                (Condition::Absent, Some(_), _) => {
                    let exists = "there is an item of this key already";
                    return Err(self.failed(ErrorKind::AlreadyExists, exists, at, one));
                }
                (Condition::Version(version), Some(live), _) if is_same(&live.version, version) => {}
                (Condition::Version(_), ..) => return Err(self.stale(at, one)),
            }
        }
        Ok(expired)
    }

    fn stale(&self, at: usize, one: &Asked<'_>) -> Error {
        self.failed(ErrorKind::Conflict, "the item is another version by now", at, one)
    }

    fn failed(&self, kind: ErrorKind, message: &'static str, at: usize, one: &Asked<'_>) -> Error {
        self.of(Error::new(kind, one.operation(), message))
            .with("index", at)
            .with("key", &one.key)
    }
}

/// Whether both are the same moment, however it is written.
fn is_same(one: &Version, other: &Version) -> bool {
    let moment = |version: &Version| DateTime::parse_from_rfc3339(&version.0).ok();
    one == other || (moment(one).is_some() && moment(one) == moment(other))
}

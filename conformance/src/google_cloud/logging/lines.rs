//! What a service of Cloud Run writes, as entries: <https://cloud.google.com/run/docs/logging>,
//! <https://cloud.google.com/logging/docs/structured-logging#structured_logging_special_fields>.

use std::collections::BTreeMap;
use std::sync::Arc;

use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Map, Value, json};

use super::filter::SEVERITIES;
use super::{moment, ready};
use crate::google_cloud::state::{Shared, fields};

/// Where entries are added, as services add them; it can be cloned and kept.
#[derive(Debug, Clone)]
pub struct Logs(Arc<Shared>);

/// Who writes: an instance of a revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The service's id.
    pub service: String,
    /// The revision's id.
    pub revision: String,
    /// The region.
    pub region: String,
    /// The instance's id.
    pub instance: String,
    /// The revision's labels, which its entries have too.
    pub labels: BTreeMap<String, String>,
}

/// Where a line is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// The standard output.
    Output,
    /// Standard error.
    Error,
    /// What Cloud Run itself tells of instances: that one started, ended, or had too much memory.
    System,
    /// One entry for each request.
    Requests,
}

impl Stream {
    const fn log(self) -> &'static str {
        match self {
            Self::Output => "stdout",
            Self::Error => "stderr",
            Self::System => "varlog%2Fsystem",
            Self::Requests => "requests",
        }
    }
}

/// Fields of a written object that become fields of the entry.
const SPECIAL: [(&str, &str); 7] = [
    ("httpRequest", "httpRequest"),
    ("logging.googleapis.com/insertId", "insertId"),
    ("logging.googleapis.com/operation", "operation"),
    ("logging.googleapis.com/sourceLocation", "sourceLocation"),
    ("logging.googleapis.com/spanId", "spanId"),
    ("logging.googleapis.com/trace", "trace"),
    ("logging.googleapis.com/trace_sampled", "traceSampled"),
];

impl Logs {
    pub(in crate::google_cloud) fn of(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// Adds an entry, as `entries.write` would.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for what Cloud Logging refuses.
    pub fn add(&self, entry: &Value) -> Result<()> {
        let mut state = self.0.lock();
        let entry = ready(&mut state, &self.0, fields(entry)).map_err(|refusal| {
            let what = refusal.status()["message"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            Error::new(ErrorKind::InvalidArgument, "google-cloud.log", what)
        })?;
        state.logs.push(entry);
        Ok(())
    }

    /// Adds a line that an instance wrote. A JSON object becomes the entry's payload, without the fields that say something of the entry itself.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a line that is too long.
    pub fn line(&self, origin: &Origin, stream: Stream, line: &str) -> Result<()> {
        let mut entry = match serde_json::from_str(line) {
            Ok(Value::Object(written)) => structured(written),
            _ => Map::from_iter([("textPayload".to_owned(), line.into())]),
        };
        self.finish(origin, stream, &mut entry);
        self.add(&entry.into())
    }

    /// Adds the entry of a request that was answered, by the fields that say something of it (`httpRequest`, `severity`, `trace`, `spanId`).
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn request(&self, origin: &Origin, told: &Map<String, Value>) -> Result<()> {
        let mut entry = told.clone();
        self.finish(origin, Stream::Requests, &mut entry);
        self.add(&entry.into())
    }

    /// Every entry so far, in the order in which they came.
    #[must_use]
    pub fn entries(&self) -> Vec<Value> {
        self.0.lock().logs.clone()
    }

    /// What all entries of an instance have.
    fn finish(&self, origin: &Origin, stream: Stream, entry: &mut Map<String, Value>) {
        let project = &self.0.options.project;
        let mut labels: Map<String, Value> = origin
            .labels
            .iter()
            .map(|(name, value)| (name.clone(), value.clone().into()))
            .collect();
        labels.insert("instanceId".to_owned(), origin.instance.clone().into());
        labels.extend(fields(entry.get("labels").unwrap_or(&Value::Null)));
        entry.insert("labels".to_owned(), labels.into());
        let name = format!("projects/{project}/logs/run.googleapis.com%2F{}", stream.log());
        entry.insert("logName".to_owned(), name.into());
        let resource = json!({
            "type": "cloud_run_revision",
            "labels": {
                "project_id": project,
                "location": origin.region,
                "service_name": origin.service,
                "configuration_name": origin.service,
                "revision_name": origin.revision,
            },
        });
        entry.insert("resource".to_owned(), resource);
    }
}

fn structured(mut written: Map<String, Value>) -> Map<String, Value> {
    let mut entry = Map::new();
    if let Some(severity) = written.get("severity").and_then(Value::as_str) {
        let upper = severity.to_ascii_uppercase();
        if SEVERITIES.contains(&upper.as_str()) {
            entry.insert("severity".to_owned(), upper.into());
            written.remove("severity");
        }
    }
    for name in ["timestamp", "time"] {
        let given = written.get(name).and_then(Value::as_str);
        if let Some(at) = given.filter(|at| moment(at).is_some()) {
            entry.insert("timestamp".to_owned(), at.into());
            written.remove(name);
            break;
        }
    }
    for (name, field) in SPECIAL {
        if let Some(value) = written.remove(name) {
            entry.insert(field.to_owned(), value);
        }
    }
    if let Some(labels) = written.remove("logging.googleapis.com/labels") {
        entry.insert("labels".to_owned(), labels);
    }
    // A message alone is text.
    match (written.len(), written.get("message")) {
        (1, Some(Value::String(message))) => entry.insert("textPayload".to_owned(), message.clone().into()),
        _ => entry.insert("jsonPayload".to_owned(), written.into()),
    };
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_something_of_the_entry_is_taken_out_of_its_payload() {
        let of = |value: Value| structured(value.as_object().unwrap().clone());
        let entry = of(json!({
            "severity": "warn", "message": "m", "time": "2026-01-02T03:04:05Z", "order": 7,
            "logging.googleapis.com/trace": "projects/p/traces/t",
        }));
        assert_eq!(
            Value::from(entry),
            json!({
                "timestamp": "2026-01-02T03:04:05Z", "trace": "projects/p/traces/t",
                "jsonPayload": {"severity": "warn", "message": "m", "order": 7},
            }),
            "a severity that is none stays"
        );
        let entry = of(json!({"severity": "error", "message": "m"}));
        assert_eq!(
            Value::from(entry),
            json!({"severity": "ERROR", "textPayload": "m"})
        );
    }
}

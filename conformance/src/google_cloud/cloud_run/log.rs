//! What containers and Cloud Run itself say, as entries of Cloud Logging: <https://cloud.google.com/run/docs/logging>,
//! <https://cloud.google.com/logging/docs/structured-logging>.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};

use crate::google_cloud::state::now;

/// All entries, in their order. Clones are the same log.
#[derive(Debug, Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<Value>>>);

/// Whose entries they are.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) project: String,
    pub(super) region: String,
    pub(super) service: String,
    pub(super) revision: String,
}

impl Log {
    pub(super) fn entries(&self) -> Vec<Value> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A line that a container wrote (`stdout`, `stderr`): an object in JSON is taken apart.
    pub(super) fn line(&self, source: &Source, instance: &str, stream: &str, line: &str) {
        let mut entry = json!({});
        match serde_json::from_str::<Value>(line) {
            Ok(Value::Object(fields)) => structured(&mut entry, fields),
            _ => entry["textPayload"] = line.into(),
        }
        self.add(source, instance, stream, entry);
    }

    /// What Cloud Run has to say of an instance.
    pub(super) fn system(&self, source: &Source, instance: &str, severity: &str, text: &str) {
        let entry = json!({"severity": severity, "textPayload": text});
        self.add(source, instance, "varlog%2Fsystem", entry);
    }

    /// A request that was answered.
    pub(super) fn request(&self, source: &Source, instance: &str, request: Value) {
        let status = request["status"].as_u64().unwrap_or(0);
        let severity = match status {
            0..400 => "INFO",
            400..500 => "WARNING",
            _ => "ERROR",
        };
        let entry = json!({"severity": severity, "httpRequest": request});
        self.add(source, instance, "requests", entry);
    }

    fn add(&self, source: &Source, instance: &str, stream: &str, mut entry: Value) {
        let Source {
            project,
            region,
            service,
            revision,
        } = source;
        let at = now();
        entry["logName"] = format!("projects/{project}/logs/run.googleapis.com%2F{stream}").into();
        entry["resource"] = json!({"type": "cloud_run_revision", "labels": {
            "project_id": project, "location": region, "service_name": service, "revision_name": revision,
            "configuration_name": service,
        }});
        entry["insertId"] = uuid::Uuid::new_v4().simple().to_string().into();
        entry["timestamp"] = entry
            .get("timestamp")
            .cloned()
            .unwrap_or_else(|| at.clone().into());
        entry["receiveTimestamp"] = at.into();
        if !instance.is_empty() {
            entry["labels"]["instanceId"] = instance.into();
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }
}

/// The fields that Cloud Logging takes out of a line: <https://cloud.google.com/logging/docs/structured-logging#structured_logging_special_fields>.
fn structured(entry: &mut Value, mut fields: Map<String, Value>) {
    const PREFIX: &str = "logging.googleapis.com/";
    for (name, to) in [
        ("severity", "severity"),
        ("time", "timestamp"),
        ("httpRequest", "httpRequest"),
    ] {
        if let Some(value) = fields.remove(name) {
            entry[to] = value;
        }
    }
    for name in [
        "trace",
        "spanId",
        "trace_sampled",
        "insertId",
        "labels",
        "operation",
        "sourceLocation",
    ] {
        if let Some(value) = fields.remove(&format!("{PREFIX}{name}")) {
            let to = if name == "trace_sampled" {
                "traceSampled"
            } else {
                name
            };
            entry[to] = value;
        }
    }
    match fields.get("message") {
        Some(Value::String(text)) if fields.len() == 1 => entry["textPayload"] = text.clone().into(),
        _ => entry["jsonPayload"] = fields.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> Value {
        let log = Log::default();
        let text = |text: &str| text.to_owned();
        let source = Source {
            project: text("p"),
            region: text("r"),
            service: text("s"),
            revision: text("s-1"),
        };
        log.line(&source, "i", "stdout", line);
        log.entries().remove(0)
    }

    #[test]
    fn a_line_of_json_is_taken_apart_and_any_other_is_text() {
        let entry = told(
            r#"{"severity": "WARNING", "message": "slow", "tries": 2, "logging.googleapis.com/trace": "projects/p/traces/1"}"#,
        );
        assert_eq!(entry["severity"], "WARNING");
        assert_eq!(entry["jsonPayload"], json!({"message": "slow", "tries": 2}));
        assert_eq!(entry["trace"], "projects/p/traces/1");
        assert_eq!(entry["labels"]["instanceId"], "i");
        assert_eq!(entry["resource"]["labels"]["revision_name"], "s-1");
        assert_eq!(entry["logName"], "projects/p/logs/run.googleapis.com%2Fstdout");
        let entry = told(r#"{"severity": "INFO", "message": "done"}"#);
        assert_eq!(
            (&entry["textPayload"], entry.get("jsonPayload")),
            (&json!("done"), None)
        );
        assert_eq!(told("{broken")["textPayload"], "{broken");
    }
}

//! The functions' logs, which Cloud Run sends to Cloud Logging: read page by page, and followed by asking again.
//!
//! <https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/list>, <https://cloud.google.com/run/docs/logging>

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use http::Method;
use nephos_core::Result;
use nephos_core::deploy::{Follow, LogLine, LogQuery};
use serde_json::{Value, json};

use super::kinds::last;
use super::{GcpDeployer, Place};

const OPERATION: &str = "deploy.logs";
const HOST: &str = "logging.googleapis.com";
/// The most entries of a page.
const PAGE: u32 = 1000;
/// How many services a filter names: it has 20,000 characters at most.
const AT_ONCE: usize = 150;
/// How often is looked for more: requests of a project are few in a minute, <https://cloud.google.com/logging/quotas#api-limits>. A line comes some seconds after it was written.
const LOOK: Duration = Duration::from_secs(2);
const LATE: chrono::TimeDelta = chrono::TimeDelta::seconds(60);

/// An entry, and what tells it from others that say the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Known {
    at: DateTime<Utc>,
    id: String,
    service: String,
    text: String,
}

impl Known {
    fn read(entry: &Value) -> Option<Self> {
        let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str);
        let at = text("/timestamp").or_else(|| text("/receiveTimestamp"))?;
        let said = (text("/textPayload").map(str::to_owned))
            .or_else(|| text("/jsonPayload/message").map(str::to_owned))
            .or_else(|| entry.get("jsonPayload").map(Value::to_string))?;
        Some(Self {
            at: DateTime::parse_from_rfc3339(at).ok()?.with_timezone(&Utc),
            id: text("/insertId").unwrap_or_default().to_owned(),
            service: text("/resource/labels/service_name")?.to_owned(),
            text: said,
        })
    }
}

impl GcpDeployer {
    pub(super) async fn read_logs(
        &self,
        query: &LogQuery,
        sink: &mut (dyn FnMut(LogLine) + Send),
    ) -> Result<()> {
        let place = self.place(OPERATION).await?;
        let running = self.chosen(&place, &query.functions).await?;
        let services: BTreeMap<String, String> = running
            .into_iter()
            .map(|one| (last(&one.thing.name).to_owned(), one.function))
            .collect();
        let mut since = Utc::now() - query.since;
        let mut told: BTreeSet<Known> = BTreeSet::new();
        loop {
            let mut found = BTreeSet::new();
            let names: Vec<&String> = services.keys().collect();
            for names in names.chunks(AT_ONCE) {
                found.extend(place.entries(&filter(&place, names, since)).await?);
            }
            for known in found {
                if told.contains(&known) {
                    continue;
                }
                for line in known.text.lines() {
                    sink(LogLine {
                        function: services.get(&known.service).unwrap_or(&known.service).clone(),
                        at: known.at,
                        line: line.to_owned(),
                    });
                }
                told.insert(known);
            }
            if query.follow == Follow::No {
                return Ok(());
            }
            // What comes late is still before the last line.
            since = told.last().map_or(since, |last| since.max(last.at - LATE));
            told.retain(|known| known.at >= since);
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// What services of the region printed since then, and what Cloud Run said of their instances: <https://cloud.google.com/logging/docs/view/logging-query-language>.
fn filter(place: &Place, services: &[&String], since: DateTime<Utc>) -> String {
    let names: Vec<String> = (services.iter())
        .map(|service| format!("resource.labels.service_name=\"{service}\""))
        .collect();
    let logs: Vec<String> = ["stdout", "stderr", "varlog%2Fsystem"]
        .map(|stream| {
            format!(
                "logName=\"projects/{}/logs/run.googleapis.com%2F{stream}\"",
                place.project
            )
        })
        .to_vec();
    format!(
        "resource.type=\"cloud_run_revision\" AND resource.labels.location=\"{}\" AND ({}) AND ({}) AND timestamp>=\"{}\"",
        place.region,
        names.join(" OR "),
        logs.join(" OR "),
        since.to_rfc3339_opts(SecondsFormat::Micros, true)
    )
}

impl Place {
    /// All entries that a filter gives, oldest first.
    async fn entries(&self, filter: &str) -> Result<Vec<Known>> {
        let mut found = BTreeSet::new();
        let mut token = None::<String>;
        loop {
            let mut body = json!({
                "resourceNames": [format!("projects/{}", self.project)],
                "filter": filter,
                "orderBy": "timestamp asc",
                "pageSize": PAGE,
            });
            if let Some(token) = &token {
                body["pageToken"] = token.clone().into();
            }
            let page = self
                .api
                .call(HOST, Method::POST, "/v2/entries:list", Some(&body))
                .await?;
            let entries = page.get("entries").and_then(Value::as_array);
            found.extend(entries.into_iter().flatten().filter_map(Known::read));
            // A page without entries may have another after it, as long as it is looked for them.
            match page.get("nextPageToken").and_then(Value::as_str) {
                Some(next) if !next.is_empty() => token = Some(next.to_owned()),
                _ => return Ok(found.into_iter().collect()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_lines_of_text_or_messages_in_json_in_the_order_of_their_times() {
        let entry = |at: &str, id: &str, payload: Value| {
            let mut entry = json!({
                "timestamp": at, "insertId": id,
                "resource": {"type": "cloud_run_revision", "labels": {"service_name": "s", "location": "r"}},
            });
            if let (Value::Object(entry), Value::Object(payload)) = (&mut entry, payload) {
                entry.extend(payload);
            }
            entry
        };
        let entries = [
            entry("2026-11-28T08:00:01.5Z", "b", json!({"textPayload": "later"})),
            entry(
                "2026-11-28T08:00:00Z",
                "a",
                json!({"jsonPayload": {"message": "first", "level": "info"}}),
            ),
            entry("2026-11-28T08:00:01Z", "c", json!({"jsonPayload": {"count": 1}})),
            entry("never", "d", json!({"textPayload": "lost"})),
        ];
        let found: BTreeSet<Known> = entries.iter().filter_map(Known::read).collect();
        let lines: Vec<&str> = found.iter().map(|known| known.text.as_str()).collect();
        assert_eq!(lines, ["first", "{\"count\":1}", "later"]);
    }
}

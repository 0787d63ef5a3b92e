//! The functions' logs, which the Functions host sends to Application Insights: read by queries, a stretch of time after the other.
//!
//! <https://learn.microsoft.com/azure/azure-monitor/logs/api/overview>,
//! <https://learn.microsoft.com/azure/azure-monitor/reference/tables/apptraces>

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use azure_core::http::{Method, Request};
use chrono::{DateTime, SecondsFormat, Utc};
use nephos_core::deploy::{Follow, LogLine, LogQuery};
use nephos_core::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use super::AzureDeployer;
use super::arm::patient;
use super::failure::refused;
use crate::resources::rest::{Proof, Rest, TokenForm};

const OPERATION: &str = "deploy.logs";
const SERVICE: &str = "https://api.loganalytics.azure.com";
const SCOPE: &str = "https://api.loganalytics.azure.com/.default";
/// How many lines one query gives at most: <https://learn.microsoft.com/azure/azure-monitor/service-limits#log-analytics-workspaces>.
const MOST: usize = 10_000;
/// How often is looked for more, and how much later than it was written a line may come: some minutes.
const LOOK: Duration = Duration::from_secs(5);
const LATE: Duration = Duration::from_secs(600);

#[derive(Debug, Deserialize)]
struct Tables {
    tables: Vec<Table>,
}

#[derive(Debug, Deserialize)]
struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
}

#[derive(Debug, Deserialize)]
struct Column {
    name: String,
}

/// A line, and what tells it from others that say the same.
type Known = (DateTime<Utc>, String, String);

impl AzureDeployer {
    pub(super) async fn read_logs(
        &self,
        query: &LogQuery,
        sink: &mut (dyn FnMut(LogLine) + Send),
    ) -> Result<()> {
        let place = self.place(OPERATION).await?;
        let contents = self.chosen(&place, &query.functions, OPERATION).await?;
        let sites: BTreeMap<String, String> = contents
            .into_iter()
            .map(|content| (content.site, content.function))
            .collect();
        let url = place
            .config
            .address(&format!("{SERVICE}/v1{}/query", self.insights(&place)?))?;
        let proof = Proof::Token(SCOPE.to_owned(), TokenForm::Bearer);
        let rest = Rest::with_options(&place.config, patient(place.config.client_options()), &url, proof);
        let mut since = Utc::now() - query.since;
        let mut told: BTreeSet<Known> = BTreeSet::new();
        loop {
            let text = kusto(sites.keys(), since);
            let mut request = Request::new(url.clone(), Method::Post);
            request.insert_header("content-type", "application/json");
            request.set_body(json!({ "query": text }).to_string());
            let answer = rest.ask(OPERATION, request).await?;
            if !answer.status().is_success() {
                let (status, headers, body) = answer.deconstruct();
                return Err(refused(OPERATION, status.into(), &headers, &body));
            }
            let tables: Tables = serde_json::from_slice(answer.body()).map_err(|error| {
                Error::new(
                    ErrorKind::Unavailable,
                    OPERATION,
                    "the answer of Azure's logs has not the form that its interface has; try again",
                )
                .caused_by(error)
            })?;
            let found = lines(tables);
            let whole = found.len() >= MOST;
            for known in found {
                if told.contains(&known) {
                    continue;
                }
                let (at, site, line) = known.clone();
                for part in line.lines() {
                    sink(LogLine {
                        function: sites.get(&site).unwrap_or(&site).clone(),
                        at,
                        line: part.to_owned(),
                    });
                }
                told.insert(known);
            }
            let last = told.last().map(|(at, ..)| *at);
            if whole && last.is_some_and(|last| last > since) {
                // There is more, behind the last.
                since = last.unwrap_or(since);
                continue;
            }
            if query.follow == Follow::No {
                return Ok(());
            }
            // What comes late is still before the last line.
            since = last.map_or(since, |last| since.max(last - LATE));
            told.retain(|(at, ..)| *at >= since);
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// The query for what sites wrote since then.
fn kusto<'s>(sites: impl Iterator<Item = &'s String>, since: DateTime<Utc>) -> String {
    let names: Vec<String> = sites.map(|site| format!("\"{site}\"")).collect();
    format!(
        "AppTraces | where TimeGenerated >= datetime({}) | where AppRoleName in ({}) | project TimeGenerated, AppRoleName, Message | order by TimeGenerated asc | take {MOST}",
        since.to_rfc3339_opts(SecondsFormat::Micros, true),
        names.join(", ")
    )
}

/// The lines of an answer, oldest first.
fn lines(tables: Tables) -> Vec<Known> {
    let mut found = Vec::new();
    for table in tables.tables {
        let at = |name: &str| table.columns.iter().position(|column| column.name == name);
        let (Some(time), Some(role), Some(message)) = (at("TimeGenerated"), at("AppRoleName"), at("Message"))
        else {
            continue;
        };
        for row in &table.rows {
            let text = |index: usize| row.get(index).and_then(Value::as_str).unwrap_or_default();
            if let Ok(at) = DateTime::parse_from_rfc3339(text(time)) {
                found.push((
                    at.with_timezone(&Utc),
                    text(role).to_owned(),
                    text(message).to_owned(),
                ));
            }
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_sites_and_time() {
        let sites = ["shop-a".to_owned(), "shop-b".to_owned()];
        assert_eq!(
            kusto(sites.iter(), DateTime::UNIX_EPOCH),
            "AppTraces | where TimeGenerated >= datetime(1970-01-01T00:00:00.000000Z) | where AppRoleName in (\"shop-a\", \"shop-b\") | project TimeGenerated, AppRoleName, Message | order by TimeGenerated asc | take 10000"
        );
    }

    #[test]
    fn rows_become_lines_in_the_order_of_their_times() {
        let tables: Tables = serde_json::from_value(json!({"tables": [{"name": "PrimaryResult",
            "columns": [{"name": "TimeGenerated", "type": "datetime"}, {"name": "AppRoleName", "type": "string"}, {"name": "Message", "type": "string"}],
            "rows": [["2026-11-28T08:00:01.5Z", "b", "later"], ["2026-11-28T08:00:00Z", "a", "first"], ["never", "a", "lost"]],
        }]}))
        .unwrap();
        let told: Vec<(String, String)> = lines(tables)
            .into_iter()
            .map(|(_, site, line)| (site, line))
            .collect();
        assert_eq!(
            told,
            [
                ("a".to_owned(), "first".to_owned()),
                ("b".to_owned(), "later".to_owned())
            ]
        );
    }
}

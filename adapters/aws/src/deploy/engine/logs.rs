//! What the functions print: their groups at CloudWatch Logs.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use aws_sdk_cloudwatchlogs::operation::filter_log_events::FilterLogEventsError;
use chrono::{DateTime, Utc};
use nephos_core::Result;
use nephos_core::deploy::{Follow, LogLine, LogQuery};

use super::AwsDeployer;
use super::clients::Clients;
use super::failure::failed;

/// How often a log that is followed is asked for more: CloudWatch Logs takes 5 such calls a second from an account in the smaller regions.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>
const FOLLOW_EVERY: Duration = Duration::from_secs(1);
/// How far back each look of a followed log goes: lines arrive late, and not in their order.
const LATE: Duration = Duration::from_secs(30);

impl AwsDeployer {
    pub(super) async fn read_logs(
        &self,
        query: &LogQuery,
        sink: &mut (dyn FnMut(LogLine) + Send),
    ) -> Result<()> {
        const OPERATION: &str = "deploy.logs";
        let clients = self.clients().await?;
        let functions = self.chosen(clients, &query.functions, OPERATION).await?;
        let mut groups = BTreeMap::new();
        for (name, id) in functions {
            groups.insert(name, log_group(clients, &id, OPERATION).await?);
        }
        let mut from =
            Utc::now().timestamp_millis() - i64::try_from(query.since.as_millis()).unwrap_or(i64::MAX);
        let mut seen = HashSet::new();
        loop {
            let mut lines = Vec::new();
            for (name, group) in &groups {
                lines.extend(lines_of(clients, name, group, from.max(0), OPERATION).await?);
            }
            lines.retain(|(id, _)| seen.insert(id.clone()));
            lines.sort_by_key(|(_, line)| line.at);
            for (_, line) in lines {
                sink(line);
            }
            if query.follow == Follow::No {
                return Ok(());
            }
            tokio::time::sleep(FOLLOW_EVERY).await;
            let late = i64::try_from(LATE.as_millis()).unwrap_or(i64::MAX);
            from = from.max(Utc::now().timestamp_millis() - late);
        }
    }
}

/// Where a function's lines go.
async fn log_group(clients: &Clients, id: &str, operation: &'static str) -> Result<String> {
    let answer = clients
        .functions
        .get_function_configuration()
        .function_name(id)
        .send()
        .await;
    let found = answer.map_err(|error| failed(operation, "the function cannot be looked at", error))?;
    let named = found
        .logging_config()
        .and_then(|config| config.log_group())
        .map(str::to_owned);
    // Where nothing else is said: <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html>
    Ok(named.unwrap_or_else(|| format!("/aws/lambda/{id}")))
}

/// The lines of a group since then, with their ids. A group that there is not has had no line yet.
async fn lines_of(
    clients: &Clients,
    function: &str,
    group: &str,
    from: i64,
    operation: &'static str,
) -> Result<Vec<(String, LogLine)>> {
    let mut lines = Vec::new();
    let mut next = None;
    let mut asked = BTreeSet::new();
    loop {
        let answer = clients
            .logs
            .filter_log_events()
            .log_group_name(group)
            .start_time(from)
            .set_next_token(next)
            .send()
            .await;
        let page = match answer {
            Ok(page) => page,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(FilterLogEventsError::is_resource_not_found_exception) =>
            {
                return Ok(lines);
            }
            Err(error) => return Err(failed(operation, "the log cannot be read", error).with("group", group)),
        };
        for event in page.events.unwrap_or_default() {
            let at = event
                .timestamp
                .and_then(DateTime::from_timestamp_millis)
                .unwrap_or_default();
            let line = event.message.unwrap_or_default().trim_end().to_owned();
            let id = event.event_id.unwrap_or_else(|| format!("{group} {at} {line}"));
            lines.push((
                id,
                LogLine {
                    function: function.to_owned(),
                    at,
                    line,
                },
            ));
        }
        match page.next_token {
            // A token that comes twice leads nowhere new.
            Some(token) if asked.insert(token.clone()) => next = Some(token),
            _ => return Ok(lines),
        }
    }
}

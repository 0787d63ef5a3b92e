//! What is deployed, what it prints, and what it answers.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use aws_sdk_cloudwatchlogs::operation::filter_log_events::FilterLogEventsError;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::LogType;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use nephos_core::deploy::{Follow, Invoked, InvokedResult, LogLine, LogQuery, Status};
use nephos_core::event::Payload;
use nephos_core::{Error, ErrorKind, Result};

use super::AwsDeployer;
use super::clients::Clients;
use super::code::{self, Functions};
use super::failure::failed;
use crate::deploy::template::{ALIAS, Output};

/// How often a log that is followed is asked for more: CloudWatch Logs takes 5 such calls a second from an account in the smaller regions.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>
const FOLLOW_EVERY: Duration = Duration::from_secs(1);
/// How far back each look of a followed log goes: lines arrive late, and not in their order.
const LATE: Duration = Duration::from_secs(30);

impl AwsDeployer {
    /// How the app stands.
    pub(super) async fn current(&self, clients: &Clients, operation: &'static str) -> Result<Status> {
        let stack = self.stack(clients, operation);
        let mut status = Status {
            place: clients.account.to_string(),
            deployment: stack.name.clone(),
            state: None,
            reason: None,
            changed: None,
            functions: BTreeMap::new(),
        };
        let Some(found) = stack.created(&self.deployment).await? else {
            return Ok(status);
        };
        status.state = found.stack_status().map(|state| state.as_str().to_owned());
        status.reason = found.stack_status_reason().map(str::to_owned);
        let changed = found.last_updated_time().or(found.creation_time());
        status.changed = changed.and_then(|time| DateTime::from_timestamp(time.secs(), time.subsec_nanos()));
        let functions = self.functions(&stack, &stack.template().await?).await?;
        status.functions = code::live(&clients.functions, &functions, operation).await?;
        let told = self.outputs()?;
        for output in found.outputs() {
            let (Some(key), Some(value)) = (output.output_key(), output.output_value()) else {
                continue;
            };
            let mut set = |name: &str| {
                if let Some(function) = status.functions.get_mut(name) {
                    function.url.get_or_insert_with(|| value.to_owned());
                }
            };
            match told.get(key) {
                Some(Output::FunctionUrl { function }) => set(function),
                Some(Output::ApiUrl) => {
                    for (name, spec) in &self.deployment.app.functions {
                        if spec
                            .on
                            .iter()
                            .any(|trigger| matches!(trigger, nephos_core::app::Trigger::Http { .. }))
                        {
                            set(name);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(status)
    }

    /// The name at Lambda of a function that is deployed.
    async fn deployed(&self, clients: &Clients, operation: &'static str) -> Result<Functions> {
        let stack = self.stack(clients, operation);
        let not_there = || {
            Error::new(
                ErrorKind::NotFound,
                operation,
                "the app is not deployed; run `nephos deploy`",
            )
            .with("stack", &stack.name)
            .with("account", &clients.account)
        };
        stack.created(&self.deployment).await?.ok_or_else(not_there)?;
        let functions = self.functions(&stack, &stack.template().await?).await?;
        if functions.is_empty() {
            return Err(not_there());
        }
        Ok(functions)
    }

    /// Those of the deployed functions that are named; all if none is.
    pub(super) async fn chosen(
        &self,
        clients: &Clients,
        names: &[String],
        operation: &'static str,
    ) -> Result<Functions> {
        let mut functions = self.deployed(clients, operation).await?;
        if let Some(name) = names.iter().find(|name| !functions.contains_key(*name)) {
            return Err(Error::new(
                ErrorKind::NotFound,
                operation,
                "the function is not deployed; run `nephos deploy`",
            )
            .with("function", name));
        }
        if !names.is_empty() {
            functions.retain(|name, _| names.contains(name));
        }
        Ok(functions)
    }

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

    pub(super) async fn call(&self, function: &str, payload: Payload) -> Result<Invoked> {
        const OPERATION: &str = "deploy.invoke";
        let clients = self.clients().await?;
        let functions = self.chosen(clients, &[function.to_owned()], OPERATION).await?;
        let id = functions.get(function).cloned().unwrap_or_default();
        let answer = clients
            .functions
            .invoke()
            .function_name(id)
            .qualifier(ALIAS)
            .log_type(LogType::Tail)
            .payload(Blob::new(as_json(payload)))
            .send()
            .await
            .map_err(|error| {
                failed(OPERATION, "the function cannot be called", error).with("function", function)
            })?;
        Ok(Invoked {
            result: answer
                .function_error
                .map_or(InvokedResult::Ok, InvokedResult::Failed),
            payload: answer.payload.map(Blob::into_inner).unwrap_or_default().into(),
            log: answer.log_result.as_deref().map(tail).unwrap_or_default(),
            version: answer.executed_version,
        })
    }
}

/// Lambda takes JSON only: anything else becomes a JSON string.
fn as_json(payload: Payload) -> Vec<u8> {
    if payload.bytes.is_empty() {
        return b"null".to_vec();
    }
    if serde_json::from_slice::<serde::de::IgnoredAny>(&payload.bytes).is_ok() {
        return payload.bytes.to_vec();
    }
    serde_json::Value::String(String::from_utf8_lossy(&payload.bytes).into_owned())
        .to_string()
        .into_bytes()
}

/// The lines of a log's tail.
fn tail(encoded: &str) -> Vec<String> {
    let bytes = STANDARD.decode(encoded).unwrap_or_default();
    String::from_utf8_lossy(&bytes)
        .lines()
        .map(str::to_owned)
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json_is_called_with_as_a_string() {
        assert_eq!(as_json(Payload::text(r#"{"a":1}"#.to_owned())), br#"{"a":1}"#);
        assert_eq!(as_json(Payload::text("saw it".to_owned())), br#""saw it""#);
        assert_eq!(as_json(Payload::text(String::new())), b"null");
    }

    #[test]
    fn the_logs_tail_is_read_line_by_line() {
        // base64 of "START\nhello\nEND\n"
        assert_eq!(tail("U1RBUlQKaGVsbG8KRU5ECg=="), ["START", "hello", "END"]);
        assert!(tail("???").is_empty());
    }
}

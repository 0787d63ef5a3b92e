//! Google's interfaces as a deployment asks them: with retries while they are throttled or away, lists with all their pages, and operations that take a while.
//!
//! <https://cloud.google.com/apis/design/standard_methods>, <https://google.aip.dev/151>, <https://google.aip.dev/158>

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use http::Method;
use nephos_core::retry::RetryPolicy;
use nephos_core::{Error, ErrorKind, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::failure::{fact, is_disabled, of_deployment, of_operation};
use crate::config::Config;
use crate::error::RETRY_AFTER;
use crate::resources::rest::Rest;

/// How long a request is tried again. What the service asks for goes before our own back-off.
const PATIENCE: Duration = Duration::from_secs(180);
const BACKOFF: RetryPolicy = RetryPolicy {
    attempts: u32::MAX,
    base: Duration::from_millis(500),
    max: Duration::from_secs(30),
};
/// How long an answer may take. The interfaces of deployment begin operations and do not wait for them.
const ANSWER: Duration = Duration::from_secs(90);
/// How long an operation is waited for; a database takes minutes.
const OPERATION: Duration = Duration::from_secs(1800);
/// How often is looked how far one is: often at first, as many are done at once.
const LOOK: RetryPolicy = RetryPolicy {
    attempts: u32::MAX,
    base: Duration::from_millis(200),
    max: Duration::from_secs(5),
};

/// What stands as it is in a path or the value of a query; all else is escaped.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/')
    .remove(b'@')
    .remove(b':');

/// A value within a path or a query.
pub(super) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// How many requests are on their way at once.
pub(super) const AT_ONCE: usize = 24;

/// Does all of these, several at once, until the first that fails.
pub(super) async fn all<T>(futures: Vec<impl Future<Output = Result<T>>>) -> Result<Vec<T>> {
    stream::iter(futures)
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// Asks for one operation of deployment. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Api {
    config: Config,
    pub(super) operation: &'static str,
    /// Hosts that were enabled just now: it takes minutes until all of Google knows.
    awaited: Arc<Mutex<BTreeSet<String>>>,
}

impl Api {
    pub(super) fn new(config: &Config, operation: &'static str) -> Self {
        Self {
            config: config.clone(),
            operation,
            awaited: Arc::default(),
        }
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// These interfaces were enabled just now.
    pub(super) fn wait_for(&self, hosts: &[String]) {
        let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        awaited.extend(hosts.iter().cloned());
    }

    fn is_awaited(&self, host: &str) -> bool {
        let awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        awaited.contains(host)
    }

    /// Asks `host` for something; an answer that is no success is an error, once trying again did not help.
    pub(super) async fn call(
        &self,
        host: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value> {
        let rest = Rest::new(&self.config, &format!("https://{host}"))?;
        let begun = Instant::now();
        let mut attempt = 1;
        loop {
            let call = rest.call(self.operation, method.clone(), path, body);
            let answer = tokio::time::timeout(ANSWER, call).await.unwrap_or_else(|_| {
                Err(Error::new(
                    ErrorKind::DeadlineExceeded,
                    self.operation,
                    "Google Cloud did not answer in time; check the network, and run the same command again",
                ))
            });
            let error = match answer {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let passes = matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::DeadlineExceeded)
                || (is_disabled(&error) && self.is_awaited(host));
            attempt += 1;
            let asked = fact(&error, RETRY_AFTER).and_then(|text| text.parse().ok());
            let pause = asked.map_or_else(|| BACKOFF.backoff(attempt), Duration::from_secs);
            if !passes || begun.elapsed() + pause > PATIENCE {
                return Err(of_deployment(error).with("at", host));
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// What is at `path`, or `None`.
    pub(super) async fn find(&self, host: &str, path: &str) -> Result<Option<Value>> {
        match self.call(host, Method::GET, path, None).await {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All of a list, whose items are in the field `items`. The path has a query already.
    pub(super) async fn list(&self, host: &str, path: &str, items: &str) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        let mut next = path.to_owned();
        loop {
            let mut page = self.call(host, Method::GET, &next, None).await?;
            if let Some(Value::Array(found)) = page.get_mut(items).map(Value::take) {
                all.extend(found);
            }
            match page.get("nextPageToken").and_then(Value::as_str) {
                Some(token) if !token.is_empty() => next = format!("{path}&pageToken={}", escaped(token)),
                _ => return Ok(all),
            }
        }
    }

    /// Waits until an operation has ended, and gives what it brought. What is no operation has ended already.
    pub(super) async fn wait(&self, host: &str, version: &str, mut operation: Value) -> Result<Value> {
        let begun = Instant::now();
        let mut look = 1;
        loop {
            let name = operation.get("name").and_then(Value::as_str).unwrap_or_default();
            if !name.contains("operations/") {
                return Ok(operation);
            }
            if let Some(error) = operation.get("error") {
                return Err(of_operation(self.operation, error));
            }
            if operation.get("done") == Some(&Value::Bool(true)) {
                return Ok(operation.get("response").cloned().unwrap_or(Value::Null));
            }
            if begun.elapsed() > OPERATION {
                return Err(Error::new(
                    ErrorKind::DeadlineExceeded,
                    self.operation,
                    "Google Cloud did not carry this out in half an hour; it may still; look in the console, and run the same command again",
                )
                .with("operation", name));
            }
            look += 1;
            tokio::time::sleep(LOOK.backoff(look)).await;
            let path = format!("/{version}/{}", escaped(name));
            operation = self.call(host, Method::GET, &path, None).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_in_a_query_is_escaped() {
        assert_eq!(escaped("labels.a=b AND c&d"), "labels.a%3Db%20AND%20c%26d");
        assert_eq!(
            escaped("projects/p/serviceAccounts/a@b"),
            "projects/p/serviceAccounts/a@b"
        );
    }
}

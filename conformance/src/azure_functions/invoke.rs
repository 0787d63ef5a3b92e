//! An invocation: the request to the custom handler as the host makes it, and what the host takes for an answer.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, Method, Request};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(super) use super::value::Bound;
use super::value::{BindingData, system};

use super::log::Log;
use super::package::Function;
use super::worker::Worker;

/// The version that the host says it has.
pub const HOST_VERSION: &str = "4.1036.1.23224";
/// The name by which it calls itself.
pub const USER_AGENT: &str = "Azure-Functions-Host";
pub(super) const INVOCATION_ID: &str = "X-Azure-Functions-InvocationId";
pub(super) const VERSION_HEADER: &str = "X-Azure-Functions-HostVersion";

pub(super) type Body = BoxBody<Bytes, Infallible>;

/// What a trigger hands over. [`inputs`](super::inputs) makes some without a host.
#[derive(Debug, Clone)]
pub struct Input {
    /// The trigger's value.
    pub(super) value: Bound,
    /// Its binding data.
    pub(super) metadata: Vec<(String, Bound)>,
}

/// What the handler answered.
#[derive(Debug, Clone, Default)]
pub(super) struct Outcome {
    /// Its outputs by name, if it named any.
    pub(super) outputs: Option<Map<String, Value>>,
    /// Its return value.
    pub(super) return_value: Option<Value>,
}

/// Why an invocation failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// The process is not there, or went away.
    #[error("the custom handler cannot be reached: {0}")]
    Unreachable(String),
    /// It answered with another status than a success.
    #[error("response status code does not indicate success: {0}")]
    Status(u16),
    /// It answered with something that is no result.
    #[error("invalid response of the custom handler: {0}")]
    Invalid(String),
    /// It took longer than `functionTimeout`.
    #[error("timeout value of {} s was exceeded by function `{function}`", limit.as_secs_f64())]
    TimedOut {
        /// Whose.
        function: String,
        /// The limit.
        limit: Duration,
    },
    /// The trigger's value does not fit the binding.
    #[error("exception binding parameter `{name}`: {reason}")]
    Binding {
        /// The binding.
        name: String,
        /// What does not fit.
        reason: String,
    },
}

/// Calls the custom handler.
#[derive(Debug)]
pub(super) struct Invoker {
    pub(super) worker: Worker,
    pub(super) log: Log,
    client: Client<HttpConnector, Body>,
    timeout: Option<Duration>,
    under_way: watch::Sender<usize>,
    stop: CancellationToken,
}

/// Counts an invocation as long as it lives.
struct UnderWay<'a>(&'a watch::Sender<usize>);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Invoker {
    pub(super) fn new(
        worker: Worker,
        log: Log,
        timeout: Option<Duration>,
        stop: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            worker,
            log,
            client: Client::builder(TokioExecutor::new()).build_http(),
            timeout,
            under_way: watch::Sender::new(0),
            stop,
        })
    }

    /// Whether the host stops, so that a failure is not the last word.
    pub(super) fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Waits until nothing is under way.
    pub(super) async fn idle(&self) {
        // The sender is alive as long as this is.
        let _ = self.under_way.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Invokes with the retries that the function's `retry` says, and gives up with the last failure.
    pub(super) async fn invoke_with_retries(
        &self,
        function: &Function,
        input: Input,
    ) -> Result<Outcome, Failure> {
        let mut retries = 0;
        let mut last: Option<Failure> = None;
        loop {
            let context = function.retry.as_ref().map(|retry| {
                let failure = last.as_ref().map(ToString::to_string);
                retry_context(retries, retry.max_retry_count, failure)
            });
            let failure = match self.invoke_once(function, input.clone(), context).await {
                Ok(outcome) => return Ok(outcome),
                Err(failure) => failure,
            };
            retries += 1;
            let Some(delay) = function.retry.as_ref().and_then(|retry| retry.delay(retries)) else {
                return Err(failure);
            };
            tokio::select! {
                () = self.stop.cancelled() => return Err(failure),
                () = tokio::time::sleep(delay) => last = Some(failure),
            }
        }
    }

    /// Invokes once.
    pub(super) async fn invoke(&self, function: &Function, input: Input) -> Result<Outcome, Failure> {
        self.invoke_once(function, input, None).await
    }

    async fn invoke_once(
        &self,
        function: &Function,
        input: Input,
        retry: Option<Value>,
    ) -> Result<Outcome, Failure> {
        let document = document(&function.name, &function.trigger.name, &input, retry);
        let request = Request::builder()
            .method(Method::POST)
            .header(http::header::CONTENT_TYPE, "application/json; charset=utf-8");
        let answer = self
            .send(
                function,
                &format!("/{}", function.name),
                request,
                chunked(document.to_string()),
            )
            .await;
        let outcome = match answer {
            Ok(answer) => self.read(function, answer).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = &outcome {
            self.log
                .line(format!("function `{}` failed: {failure}", function.name));
        }
        outcome
    }

    /// Sends one request to the process, within the function's time, and reads the answer whole.
    pub(super) async fn send(
        &self,
        function: &Function,
        path: &str,
        request: http::request::Builder,
        body: Body,
    ) -> Result<http::Response<Bytes>, Failure> {
        self.under_way.send_modify(|count| *count += 1);
        let _counted = UnderWay(&self.under_way);
        let exchange = async {
            let port = self.worker.port().await?;
            let mut request = request
                .uri(format!("http://127.0.0.1:{port}{path}"))
                .body(body)
                .map_err(|error| Failure::Unreachable(error.to_string()))?;
            own_headers(request.headers_mut());
            let unreachable = |error: &dyn std::error::Error| {
                let cause = error
                    .source()
                    .map(|cause| format!(": {cause}"))
                    .unwrap_or_default();
                Failure::Unreachable(format!("{error}{cause}"))
            };
            let answered = async {
                let answer = self.client.request(request).await;
                let (parts, body) = answer.map_err(|error| unreachable(&error))?.into_parts();
                let body = body.collect().await.map_err(|error| unreachable(&error))?;
                Ok(http::Response::from_parts(parts, body.to_bytes()))
            }
            .await;
            if answered.is_err() {
                self.worker.lost(port).await;
            }
            answered
        };
        match self.timeout {
            None => exchange.await,
            Some(limit) => match tokio::time::timeout(limit, exchange).await {
                Ok(answer) => answer,
                Err(_) => Err(self.timed_out(function, limit)),
            },
        }
    }

    /// The host restarts the process whose invocation took too long, and all that it had under way fails.
    fn timed_out(&self, function: &Function, limit: Duration) -> Failure {
        self.worker.restart();
        Failure::TimedOut {
            function: function.name.clone(),
            limit,
        }
    }

    async fn read(&self, function: &Function, answer: http::Response<Bytes>) -> Result<Outcome, Failure> {
        let (parts, body) = answer.into_parts();
        if !parts.status.is_success() {
            return Err(Failure::Status(parts.status.as_u16()));
        }
        let text = String::from_utf8_lossy(&body);
        if text.trim().is_empty() || text.trim() == "null" {
            // The host has no result then, and waits for one that never comes.
            self.log.line(format!(
                "function `{}` answered without a result; the host waits until its time is over",
                function.name
            ));
            let limit = self.timeout.unwrap_or(Duration::MAX);
            self.under_way.send_modify(|count| *count += 1);
            let _counted = UnderWay(&self.under_way);
            tokio::time::sleep(limit).await;
            return Err(self.timed_out(function, limit));
        }
        check_media_type(&parts.headers)?;
        let invalid = |reason: String| Failure::Invalid(reason);
        let value: Value =
            serde_json::from_slice(&body).map_err(|error| invalid(format!("{error} in `{text}`")))?;
        let Value::Object(fields) = value else {
            return Err(invalid(format!("`{text}` is no JSON object")));
        };
        let mut outcome = Outcome::default();
        for (name, value) in fields {
            match (name.to_lowercase().as_str(), value) {
                (_, Value::Null) => {}
                ("outputs", Value::Object(outputs)) => outcome.outputs = Some(outputs),
                ("outputs", other) => return Err(invalid(format!("`Outputs` is {other}, not an object"))),
                ("logs", Value::Array(lines)) => {
                    for line in lines {
                        let line = line.as_str().map_or_else(|| line.to_string(), ToOwned::to_owned);
                        self.log.line(format!("{}: {line}", function.name));
                    }
                }
                ("logs", other) => return Err(invalid(format!("`Logs` is {other}, not a list"))),
                ("returnvalue", value) => outcome.return_value = Some(value),
                _ => {}
            }
        }
        for name in outcome.outputs.iter().flat_map(Map::keys) {
            if function.http_output.as_ref() != Some(name) {
                // The host looks only for the outputs that function.json declares.
                self.log.line(format!(
                    "function `{}` named an output `{name}` that it does not declare",
                    function.name
                ));
            }
        }
        Ok(outcome)
    }
}

/// The document of an invocation.
pub(super) fn document(function: &str, binding: &str, input: &Input, retry: Option<Value>) -> Value {
    let mut metadata = BindingData::default();
    for (name, value) in &input.metadata {
        metadata.set(name, value.clone());
    }
    metadata.set("sys", system(function));
    if let Bound::Text(text) = &input.value {
        metadata.apply_text(text);
    }
    let mut metadata = metadata.wire();
    if let Some(retry) = retry {
        metadata.insert("RetryContext".to_owned(), retry);
    }
    json!({"Data": {binding: input.value.wire()}, "Metadata": metadata})
}

/// What the host tells of its own tries: how often it tried again, how often it may, and why the last one failed.
pub(super) fn retry_context(retries: u32, most: Option<u32>, failure: Option<String>) -> Value {
    json!({
        "RetryCount": retries,
        "MaxRetryCount": most.map_or(-1, i64::from),
        "Exception": failure.map(|failure| json!({
            "ClassName": "Microsoft.Azure.WebJobs.Host.FunctionInvocationException",
            "Message": failure,
        })),
    })
}

/// What the host adds to each request to the process.
pub(super) fn own_headers(headers: &mut HeaderMap) {
    use http::HeaderValue;
    let agent = format!("{USER_AGENT}/{HOST_VERSION}");
    let agent = headers
        .get(http::header::USER_AGENT)
        .and_then(|client| client.to_str().ok())
        .map_or_else(|| agent.clone(), |client| format!("{client} {agent}"));
    if let Ok(agent) = HeaderValue::from_str(&agent) {
        headers.insert(http::header::USER_AGENT, agent);
    }
    headers.insert(VERSION_HEADER, HeaderValue::from_static(HOST_VERSION));
    if let Ok(id) = HeaderValue::from_str(&uuid::Uuid::new_v4().to_string()) {
        headers.insert(INVOCATION_ID, id);
    }
}

/// Only JSON is read: without a type, or with another, the host fails the invocation.
fn check_media_type(headers: &HeaderMap) -> Result<(), Failure> {
    let named = headers
        .get(http::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("application/octet-stream");
    let kind = named.split(';').next().unwrap_or_default().trim().to_lowercase();
    if matches!(kind.as_str(), "application/json" | "text/json") {
        return Ok(());
    }
    Err(Failure::Invalid(format!(
        "no formatter reads an object from content with media type `{named}`"
    )))
}

/// A body whose length the host does not know beforehand: it comes in chunks.
fn chunked(text: String) -> Body {
    let frame = Frame::data(Bytes::from(text));
    StreamBody::new(stream::once(async move { Ok::<_, Infallible>(frame) })).boxed()
}

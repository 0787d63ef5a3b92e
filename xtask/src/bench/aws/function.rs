//! The functions under test as processes: on Nephos and without it, with the environment that Lambda and deployment give them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use xtask::shell::{self, Error, Result};

use super::runtime_api::{Check, RuntimeApi};
use crate::bench::process::{self, Memory};

/// What is compared: one handler, its event, and what its answer must be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    /// How the table calls it.
    pub(crate) name: &'static str,
    /// The package on Nephos.
    pub(crate) ours: &'static str,
    /// The package without it: with the log that `lambda_runtime` sets up by default, as Nephos sets up one.
    pub(crate) theirs: &'static str,
    /// The package without Nephos that cannot log, whose size is told besides.
    pub(crate) silent: Option<&'static str>,
    /// The event.
    pub(crate) event: fn() -> String,
    /// Whether an answer is right.
    pub(crate) check: Check,
    /// What deployment tells the function besides what all are told.
    environment: &'static [(&'static str, &'static str)],
}

/// A function URL's request, and a full batch of queue messages.
pub(crate) const CASES: [Case; 2] = [
    Case {
        name: "HTTP",
        ours: "http-nephos",
        theirs: "http-bare",
        silent: Some("http-silent"),
        event: request,
        check: is_greeting,
        environment: &[
            ("NEPHOS_FUNCTION", "hello"),
            (
                "NEPHOS_WIRING",
                r#"{"routes":[{"method":"GET","path":"/hello/{name}"}]}"#,
            ),
        ],
    },
    Case {
        name: "SQS",
        ours: "sqs-nephos",
        theirs: "sqs-bare",
        silent: None,
        event: messages,
        check: is_no_failure,
        environment: &[
            ("NEPHOS_FUNCTION", "fulfil"),
            (
                "NEPHOS_WIRING",
                r#"{"dead_letter":"https://sqs.us-east-1.amazonaws.com/123456789012/bench-dead-letter"}"#,
            ),
        ],
    },
];

/// One side of a case: its program and its own Runtime API.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) program: PathBuf,
    api: RuntimeApi,
    case: Case,
}

/// A running function, killed when dropped.
#[derive(Debug)]
pub(crate) struct Running<'s> {
    child: Child,
    pub(crate) api: &'s RuntimeApi,
    /// From spawning to the first question for an invocation, in milliseconds.
    pub(crate) cold_ms: f64,
}

impl Side {
    /// A side of `case` with its program in `folder`.
    ///
    /// # Errors
    /// No free port.
    pub(crate) fn new(case: Case, package: &str, folder: &Path) -> Result<Self> {
        Ok(Self {
            program: folder.join(package),
            api: RuntimeApi::start((case.event)().as_bytes(), case.check)?,
            case,
        })
    }

    /// Starts a process, and waits until it asks for its first invocation.
    ///
    /// # Errors
    /// A program that does not start, or never asks.
    pub(crate) fn spawn(&self) -> Result<Running<'_>> {
        self.api.forget();
        let mut command = command(&self.program, self.api.at, self.case.environment);
        let started = Instant::now();
        let child = command
            .spawn()
            .map_err(|e| shell::missing(&command, "the benchmark", e))?;
        let mut running = Running {
            child,
            api: &self.api,
            cold_ms: 0.0,
        };
        running.cold_ms = (self.api.first_poll()? - started).as_secs_f64() * 1e3;
        Ok(running)
    }
}

impl Running<'_> {
    /// Its memory now.
    ///
    /// # Errors
    /// A process that has ended.
    pub(crate) fn memory(&self) -> Result<Memory> {
        process::memory(self.child.id())
            .ok_or_else(|| Error::Other("the function ended by itself".to_owned()))
    }

    /// Processor time used so far by all its threads, in seconds.
    ///
    /// # Errors
    /// A process that has ended.
    pub(crate) fn processor_time(&self) -> Result<f64> {
        process::processor_time(self.child.id())
            .ok_or_else(|| Error::Other("the function ended by itself".to_owned()))
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to save in it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What Lambda sets: <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>.
fn command(program: &Path, api: SocketAddr, more: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .envs([
            ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/bench"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/01/[1]bench"),
            ("AWS_REGION", "us-east-1"),
            ("LANG", "en_US.UTF-8"),
            ("TZ", ":UTC"),
            ("_HANDLER", "bootstrap"),
            ("NEPHOS_APP", "bench"),
            ("NEPHOS_TARGET", "aws"),
        ])
        .envs(more.iter().copied())
        .env("AWS_LAMBDA_RUNTIME_API", api.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// A request as a function URL sends it, with the headers of a browser's:
/// <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-request-payload>.
fn request() -> String {
    serde_json::json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/hello/nephos",
        "rawQueryString": "",
        "headers": {
            "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "accept-encoding": "gzip, deflate, br",
            "accept-language": "en-US,en;q=0.5",
            "host": "abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-east-1.on.aws",
            "sec-fetch-dest": "document",
            "sec-fetch-mode": "navigate",
            "sec-fetch-site": "none",
            "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "x-amzn-trace-id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
            "x-forwarded-for": "203.0.113.7",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https"
        },
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "abcdefghijklmnopqrstuvwxyz012345",
            "domainName": "abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-east-1.on.aws",
            "domainPrefix": "abcdefghijklmnopqrstuvwxyz012345",
            "http": {
                "method": "GET",
                "path": "/hello/nephos",
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
            },
            "requestId": "e1506fd5-9e7b-434f-bd42-4f8fa224b599",
            "routeKey": "$default",
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": 1_767_225_600_000_u64
        },
        "isBase64Encoded": false
    })
    .to_string()
}

fn is_greeting(answer: &[u8]) -> bool {
    let Ok(answer) = serde_json::from_slice::<serde_json::Value>(answer) else {
        return false;
    };
    answer["statusCode"] == 200 && answer["body"] == "Hello, nephos!\n" && answer["isBase64Encoded"] != true
}

/// A full batch: <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event>.
fn messages() -> String {
    let records: Vec<serde_json::Value> = (0..10)
        .map(|number| {
            serde_json::json!({
                "messageId": format!("059f36b4-87a3-44ab-83d2-66197504{number:04}"),
                "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a".repeat(8),
                "body": serde_json::json!({"item": "umbrella", "quantity": number + 1}).to_string(),
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": "1767225600000",
                    "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                    "ApproximateFirstReceiveTimestamp": "1767225600012"
                },
                "messageAttributes": {},
                "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:bench-orders",
                "awsRegion": "us-east-1"
            })
        })
        .collect();
    serde_json::json!({ "Records": records }).to_string()
}

fn is_no_failure(answer: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(answer)
        .is_ok_and(|answer| answer["batchItemFailures"].as_array().is_some_and(Vec::is_empty))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_answers_count() {
        assert!(is_greeting(
            br#"{"statusCode":200,"headers":{},"body":"Hello, nephos!\n"}"#
        ));
        for wrong in [
            &b"null"[..],
            br#"{"statusCode":404,"body":"Hello, nephos!\n"}"#,
            br#"{"statusCode":200,"body":"SGVsbG8=","isBase64Encoded":true}"#,
        ] {
            assert!(!is_greeting(wrong));
        }
        assert!(is_no_failure(br#"{"batchItemFailures":[]}"#));
        assert!(!is_no_failure(
            br#"{"batchItemFailures":[{"itemIdentifier":"1"}]}"#
        ));
        assert!(!is_no_failure(b"null"));
    }
}

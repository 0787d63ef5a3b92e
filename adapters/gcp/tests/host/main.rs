//! The host as a process, over sockets: this program is the function too, when Cloud Run's variables are in its environment.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod function;
mod server;

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};
use nephos_core::adapter::Host as _;
use nephos_core::env::{Environment, WIRING};
use nephos_gcp::host::{CloudRunHost, PORT};
use serde_json::{Value, json};

use self::server::{Process, Version};

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let environment = Environment::of_process();
    if CloudRunHost.detect(&environment) {
        return function::run(environment);
    }
    let tests = vec![
        trial(
            "a request is answered over HTTP/1.1 and over HTTP/2 without TLS",
            versions(),
        ),
        trial("many requests of one connection are handled at once", at_once()),
        trial(
            "an event is done with or comes again, and a failure is not the process's end",
            events(),
        ),
        trial(
            "a handler that takes too long is ended at the function's own time-out",
            late(),
        ),
        trial(
            "after SIGTERM what is in flight is answered, and the process ends well",
            told_to_end(Version::One),
        ),
        trial(
            "after SIGTERM streams of HTTP/2 are answered too",
            told_to_end(Version::Two),
        ),
        trial("a process at rest ends at once after SIGTERM", at_rest()),
        trial(
            "an environment that is not Cloud Run's says what is wrong",
            environment_of_others(),
        ),
    ];
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

fn trial(name: &str, test: impl Future<Output = ()> + Send + 'static) -> Trial {
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let test = runtime.spawn(async move { tokio::time::timeout(PATIENCE, test).await });
        match runtime.block_on(test) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err("it took too long".into()),
            Err(panic) => Err(panic.to_string().into()),
        }
    })
}

fn routes() -> Value {
    json!({"routes": [{"method": null, "path": "/{*rest}"}], "timeout": {"secs": 20, "nanos": 0}})
}

async fn versions() {
    let process = Process::start("web", &routes()).await;
    for version in [Version::One, Version::Two] {
        let mut client = process.connect(version).await;
        let answer = client.post("/hello?a=1&a=2", &[("x-own", "é")], "body").await;
        assert_eq!(answer.status, 200, "{version:?}");
        let said: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(said["uri"], "/hello?a=1&a=2");
        assert_eq!((&said["body"], &said["own"]), (&json!("body"), &json!("é")));
        let large = client.post("/large", &[], "").await;
        assert_eq!(large.body.len(), 3 << 20, "{version:?}");
    }
}

async fn at_once() {
    let process = Process::start("web", &routes()).await;
    let client = process.connect(Version::Two).await;
    // Each waits until the other is there.
    let (mut first, mut second) = (client.clone(), client);
    let (one, two) = tokio::join!(first.post("/meet", &[], ""), second.post("/meet", &[], ""));
    assert_eq!((one.status, two.status), (200, 200));
}

fn queue() -> Value {
    json!({
        "timeout": {"secs": 1, "nanos": 0},
        "triggers": {"jobs-1": {
            "trigger": {"kind": "queue", "queue": "jobs", "batch": 1}, "by": "push", "caller": "platform",
        }},
    })
}

fn push(text: &str) -> String {
    use base64::Engine as _;
    let data = base64::engine::general_purpose::STANDARD.encode(text);
    json!({"message": {"messageId": text, "data": data}, "subscription": "projects/p/subscriptions/s"})
        .to_string()
}

async fn events() {
    let process = Process::start("messages", &queue()).await;
    let mut client = process.connect(Version::One).await;
    for (text, status) in [("well", 204), ("retry", 500), ("panic", 500), ("well", 204)] {
        let answer = client.post("/.nephos/queue/jobs-1", &[], &push(text)).await;
        assert_eq!(answer.status, status, "{text}");
    }
    assert_eq!(client.post("/elsewhere", &[], "").await.status, 404);
}

async fn late() {
    let process = Process::start("messages", &queue()).await;
    let mut client = process.connect(Version::One).await;
    let answer = client.post("/.nephos/queue/jobs-1", &[], &push("hang")).await;
    assert_eq!(answer.status, 504);
}

async fn told_to_end(version: Version) {
    let mut process = Process::start("web", &routes()).await;
    let mut client = process.connect(version).await;
    let answer = tokio::spawn(async move { client.post("/slow", &[], "").await });
    process.said("waiting").await;
    process.terminate();
    assert_eq!(answer.await.unwrap().status, 200);
    assert_eq!(process.exit_code().await, Some(0));
}

async fn at_rest() {
    let mut process = Process::start("web", &routes()).await;
    // A connection that rests is no reason to wait.
    let mut client = process.connect(Version::One).await;
    assert_eq!(client.post("/hello", &[], "").await.status, 200);
    process.terminate();
    let ended = tokio::time::timeout(Duration::from_secs(5), process.exit_code()).await;
    assert_eq!(ended.expect("it waited for a connection at rest"), Some(0));
}

async fn environment_of_others() {
    for (variable, value, named) in [
        (PORT, "eighty", "PORT=eighty"),
        (PORT, "", "variable=PORT"),
        (WIRING, "{", "deploy it again"),
    ] {
        let (code, said) = server::refused(variable, value).await;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(named), "{said}");
    }
}

//! The real host in a process of its own, driven by a Runtime API of the test's own, and by `cargo lambda`'s. This binary is the function itself when the
//! address of a Runtime API is in its environment.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod api;
mod cargo_lambda;
mod function;

use std::io::Read as _;
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use nephos_aws::host::LambdaHost;
use nephos_core::adapter::Host as _;
use nephos_core::env::Environment;
use serde_json::{Value, json};

use self::api::{RuntimeApi, now};

fn main() -> ExitCode {
    let environment = Environment::of_process();
    if LambdaHost.detect(&environment) {
        return function::run(environment);
    }
    let trials = vec![
        trial(
            "invocations_follow_each_other_in_one_process_and_know_their_context",
            one_after_the_other,
        ),
        trial(
            "errors_and_panics_are_the_invocations_and_the_process_goes_on",
            failures,
        ),
        trial("a_handler_is_ended_in_time_to_be_reported", time_out),
        trial("a_deadline_in_the_past_is_none", past_deadline),
        trial("the_trace_header_becomes_a_traceparent", traces),
        trial("one_of_several_messages_fails_alone", batch),
        trial("what_time_did_not_reach_comes_again", batch_without_time),
        trial(
            "a_message_that_is_rejected_comes_again_where_no_dead_letter_can_be_sent",
            rejected,
        ),
        trial(
            "an_event_of_another_kind_than_the_handler_takes_is_an_error",
            wrong_kind,
        ),
        trial("a_decision_goes_back_in_the_document", sign_up),
        trial("a_request_is_answered_with_a_response", web),
        trial(
            "routes_that_do_not_fit_are_answered_without_the_handler",
            no_route,
        ),
        trial(
            "a_response_that_fails_late_or_is_too_large_is_an_error",
            late_failures,
        ),
        trial("a_response_is_streamed_where_the_url_streams", streaming),
        trial(
            "a_resource_that_was_not_built_in_names_the_feature",
            refused_resource,
        ),
        trial("sigterm_lets_the_invocation_finish", sigterm_in_an_invocation),
        trial("sigterm_at_rest_ends_the_process", sigterm_at_rest),
        Trial::test(
            "an_environment_that_is_not_lambdas_is_an_error_that_says_so",
            no_environment,
        ),
        trial("cargo_lambda_finds_it_to_be_a_function", cargo_lambda::invoke),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial<F>(name: &str, test: fn() -> F) -> Trial
where
    F: Future<Output = ()> + 'static,
{
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        runtime.block_on(test());
        Ok(())
    })
}

/// A recorded payload.
fn payload(path: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/payloads")
        .join(path);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

async fn one_after_the_other() {
    let mut api = RuntimeApi::start("probe", &[]).await;
    let mut processes = Vec::new();
    for turn in 1..=20 {
        let answer = api.invoke(&json!({"turn": turn})).await.response();
        assert_eq!(answer["event"]["turn"], turn);
        assert_eq!(answer["invocation"], format!("i-{turn}"));
        let names = [&answer["function"], &answer["app"], &answer["target"]];
        assert_eq!(names, ["probe", "shop", "aws"]);
        assert_eq!(answer["attempt"], 1);
        let remaining = answer["remaining_ms"].as_u64().unwrap();
        assert!((40_000..60_000).contains(&remaining), "{remaining}");
        assert_eq!(answer["trace"], Value::Null);
        processes.push(answer["process"].as_u64().unwrap());
    }
    processes.dedup();
    assert_eq!(processes, [u64::from(api.function.id())]);
}

async fn failures() {
    let mut api = RuntimeApi::start("probe", &[]).await;
    let answer = api.invoke(&json!({"do": "fail"})).await;
    let expected = ("handler".to_owned(), "the warehouse did not answer".to_owned());
    assert_eq!(answer.error(), expected);
    let (kind, message) = api.invoke(&json!({"do": "panic"})).await.error();
    assert_eq!(kind, "panicked");
    assert!(message.contains("the shelf fell over"), "{message}");
    let answer = api.invoke(&json!({})).await.response();
    assert_eq!(answer["process"], api.function.id());
}

async fn time_out() {
    let mut api = RuntimeApi::start("probe", &[]).await;
    api.invoke(&json!({})).await.response();
    let begun = now();
    let (kind, message) = api
        .invoke_within(Duration::from_millis(1500), &json!({"do": "hang"}))
        .await
        .error();
    assert_eq!(kind, "deadline_exceeded", "{message}");
    let took = now() - begun;
    // A little before Lambda would have ended the process.
    assert!(
        (Duration::from_millis(1000)..Duration::from_millis(1500)).contains(&took),
        "{took:?}"
    );
    api.invoke(&json!({})).await.response();
}

async fn past_deadline() {
    let mut api = RuntimeApi::start("probe", &[]).await;
    for deadline in [600_000, 0, (now() - Duration::from_secs(1)).as_millis()] {
        api.hand_out(deadline, None, &json!({"do": "wait"}));
        assert_eq!(
            api.answer().await.response()["remaining_ms"],
            Value::Null,
            "{deadline}"
        );
    }
}

async fn traces() {
    let mut api = RuntimeApi::start("probe", &[]).await;
    let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=1:a:0";
    api.hand_out((now() + api::PATIENCE).as_millis(), Some(header), &json!({}));
    let traceparent = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01";
    assert_eq!(api.answer().await.response()["trace"], traceparent);
}

/// Messages with these bodies, the ids being their numbers.
fn messages(bodies: &[&str]) -> Value {
    let mut document = payload("queue/ministack-sqs.json");
    let record = document["Records"][0].clone();
    let records = bodies.iter().enumerate().map(|(number, body)| {
        let mut record = record.clone();
        record["messageId"] = number.to_string().into();
        record["body"] = (*body).into();
        record
    });
    document["Records"] = records.collect();
    document
}

/// What Lambda is told to deliver again.
fn failed(ids: &[&str]) -> Value {
    let failures: Vec<Value> = ids.iter().map(|id| json!({"itemIdentifier": id})).collect();
    json!({"batchItemFailures": failures})
}

async fn batch() {
    let mut api = RuntimeApi::start("messages", &[]).await;
    let all_well = api.invoke(&messages(&["a", "b"])).await.response();
    assert_eq!(all_well, failed(&[]));
    let some = api
        .invoke(&messages(&["a", "retry", "c", "panic", "e"]))
        .await
        .response();
    assert_eq!(some, failed(&["1", "3"]));
}

async fn batch_without_time() {
    let mut api = RuntimeApi::start("messages", &[]).await;
    api.invoke(&messages(&["a"])).await.response();
    let document = messages(&["a", "hang", "c"]);
    let answer = api
        .invoke_within(Duration::from_millis(1500), &document)
        .await
        .response();
    assert_eq!(answer, failed(&["1", "2"]));
}

async fn rejected() {
    let mut api = RuntimeApi::start("messages", &[]).await;
    let answer = api.invoke(&messages(&["a", "reject"])).await.response();
    assert_eq!(answer, failed(&["1"]));
    // In an ordered group, what stands behind it must not overtake it.
    let mut document = messages(&["reject", "b", "c"]);
    for (number, group) in [(0, "g"), (1, "g"), (2, "h")] {
        document["Records"][number]["attributes"]["MessageGroupId"] = group.into();
    }
    assert_eq!(api.invoke(&document).await.response(), failed(&["0", "1"]));
}

async fn wrong_kind() {
    let mut api = RuntimeApi::start("notes", &[]).await;
    let answer = api.invoke(&payload("topic/ministack-sns.json")).await;
    assert_eq!(answer.response(), Value::Null);
    let (kind, message) = api.invoke(&payload("schedule/rule.json")).await.error();
    assert_eq!(kind, "decode");
    assert!(message.contains("dev.nephos.schedule.tick"), "{message}");
    let (kind, message) = api.invoke(&payload("topic/with-attributes.json")).await.error();
    assert_eq!(
        (kind.as_str(), message.as_str()),
        ("rejected", "not a greeting: 15")
    );
}

async fn sign_up() {
    let mut api = RuntimeApi::start("sign-up", &[]).await;
    let document = payload("auth/example-cognito-event-userpools-presignup.json");
    let mut expected = document.clone();
    expected["response"]["autoConfirmUser"] = true.into();
    assert_eq!(api.invoke(&document).await.response(), expected);
    let stranger = payload("auth/preauthentication.json");
    // Cognito shows the message to the client.
    assert_eq!(api.invoke(&stranger).await.error().1, "by invitation only");
}

async fn web() {
    let routes = r#"{"routes": [{"method": "POST", "path": "/hello/{name}"}]}"#;
    let mut api = RuntimeApi::start("web", &[("NEPHOS_WIRING", routes)]).await;
    for file in ["http/ministack-function-url.json", "http/ministack-http-api.json"] {
        let answer = api.invoke(&payload(file)).await.response();
        assert_eq!(answer["statusCode"], 201, "{answer}");
        assert_eq!(answer["headers"], json!({"content-type": "application/json"}));
        assert_eq!(answer["isBase64Encoded"], false);
        let said: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(
            (&said["method"], &said["name"]),
            (&json!("POST"), &json!("w x")),
            "{file}"
        );
        assert_eq!(said["cookie"], "c1=1; c2=2");
    }
}

/// A request to the function's URL.
fn get(path: &str) -> Value {
    let mut document = payload("http/ministack-function-url.json");
    document["rawPath"] = path.into();
    document["requestContext"]["http"]["method"] = "GET".into();
    document
}

async fn no_route() {
    let routes =
        r#"{"routes": [{"method": "PUT", "path": "/hello/{name}"}, {"method": null, "path": "/any"}]}"#;
    let mut api = RuntimeApi::start("web", &[("NEPHOS_WIRING", routes)]).await;
    let answer = api.invoke(&get("/bye")).await.response();
    assert_eq!(answer["statusCode"], 404, "{answer}");
    assert_eq!(answer["headers"]["content-type"], "application/problem+json");
    let answer = api.invoke(&get("/hello/ann")).await.response();
    assert_eq!(
        (&answer["statusCode"], &answer["headers"]["allow"]),
        (&json!(405), &json!("PUT"))
    );
    assert_eq!(api.invoke(&get("/any")).await.response()["statusCode"], 201);
}

async fn late_failures() {
    let mut api = RuntimeApi::start("web", &[]).await;
    for (path, expected) in [
        ("/panic", "panicked"),
        ("/late-panic", "panicked"),
        ("/large", "resource_exhausted"),
    ] {
        let (kind, message) = api.invoke(&get(path)).await.error();
        assert_eq!(kind, expected, "{path}: {message}");
    }
    let answer = api.invoke(&get("/chunks")).await.response();
    assert_eq!(
        (&answer["body"], &answer["isBase64Encoded"]),
        (&json!("b25lIHR3byD/AA=="), &json!(true))
    );
    assert_eq!(answer["cookies"], json!(["a=1", "b=2"]));
}

async fn streaming() {
    let mut api = RuntimeApi::start("web", &[("NEPHOS_AWS_STREAMING", "1")]).await;
    let answer = api.invoke(&get("/chunks")).await;
    assert!(answer.is_response);
    assert_eq!(
        answer.headers["lambda-runtime-function-response-mode"],
        "streaming"
    );
    let end = answer
        .body
        .windows(8)
        .position(|window| window == [0; 8])
        .unwrap();
    let prelude: Value = serde_json::from_slice(&answer.body[..end]).unwrap();
    assert_eq!(
        prelude,
        json!({
            "statusCode": 206,
            "headers": {"content-type": "application/octet-stream", "vary": "accept, origin"},
            "cookies": ["a=1", "b=2"],
        })
    );
    assert_eq!(&answer.body[end + 8..], b"one two \xff\x00");
    // A panic before the response is an error as without streaming.
    assert_eq!(api.invoke(&get("/panic")).await.error().0, "panicked");
    assert!(api.invoke(&get("/large")).await.body.len() > 7 << 20);
}

async fn refused_resource() {
    let bindings = r#"{"bindings": [{"name": "jobs", "kind": "queue", "access": ["send"]}]}"#;
    let mut api = RuntimeApi::start("probe", &[("NEPHOS_WIRING", bindings)]).await;
    let (kind, message) = api.invoke(&json!({"do": "queue"})).await.error();
    // With the feature, what is missing is the queue's URL.
    let (expected, named) = if cfg!(feature = "queue") {
        ("invalid_argument", "physical")
    } else {
        ("unsupported", "`queue`")
    };
    assert_eq!(kind, expected, "{message}");
    assert!(message.contains(named), "{message}");
}

async fn sigterm_in_an_invocation() {
    let mut api = RuntimeApi::start("probe", &[]).await;
    api.invoke(&json!({})).await.response();
    api.hand_out((now() + api::PATIENCE).as_millis(), None, &json!({"do": "wait"}));
    api.wait_for_start();
    api.terminate();
    api.answer().await.response();
    assert_eq!(api.exit_code().await, Some(0));
}

async fn sigterm_at_rest() {
    let mut api = RuntimeApi::start("probe", &[]).await;
    api.invoke(&json!({})).await.response();
    api.terminate();
    assert_eq!(api.exit_code().await, Some(0));
}

fn no_environment() -> Result<(), Failed> {
    let mut command = api::command("127.0.0.1:9", "probe", &[]);
    let mut child = command
        .env_remove("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        .stderr(Stdio::piped())
        .spawn()?;
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said)?;
    assert_eq!(child.wait()?.code(), Some(1), "{said}");
    assert!(
        said.contains("variable=AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
        "{said}"
    );
    let mut child = api::command("127.0.0.1:9/.rt", "probe", &[])
        .stderr(Stdio::piped())
        .spawn()?;
    said.clear();
    child.stderr.take().unwrap().read_to_string(&mut said)?;
    assert_eq!(child.wait()?.code(), Some(1), "{said}");
    assert!(said.contains("`http://` before it"), "{said}");
    Ok(())
}

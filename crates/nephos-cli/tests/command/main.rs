//! Drives the built `nephos` command as a person would: good input and bad, messages and exit codes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod adapter;
mod capabilities;
mod completions;
mod conformance;
mod denied;
mod dev;
mod emit;
mod ls;
mod stateless;
mod support;

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use self::support::{Dev, built, done, example, manifest, nephos, stderr, stdout};

/// Runs an example's demonstration on a state of its own.
fn demo(name: &str) -> Output {
    let state = tempfile::tempdir().unwrap();
    let (example, state) = (example(name), state.path().join("state"));
    nephos(&[
        "dev",
        example.to_str().unwrap(),
        "--demo",
        "--state",
        state.to_str().unwrap(),
    ])
}

#[test]
fn the_camera_s_snapshots_are_recognised_archived_scrubbed_and_the_broken_one_is_kept_with_its_reason() {
    let output = demo("face-gate");
    let (out, err) = (stdout(&output), stderr(&output));
    assert!(output.status.success(), "{out}\n{err}");
    // demo.toml's expectations hold the buckets, the table and the dead-letter queue; the log says why.
    assert!(out.contains("all 7 steps went as demo.toml expects"), "{out}");
    assert_eq!(out.matches(", stored").count(), 3, "{out}");
    assert_eq!(out.matches("known (distance").count(), 1, "{out}");
    assert!(out.contains("gate/09-05.jpg: 0 face(s)"), "{out}");
    assert!(
        out.contains("gave up") && out.contains("the JPEG file ends in the middle of the picture"),
        "{out}"
    );
}

#[test]
fn an_order_goes_from_request_to_receipt() {
    let output = demo("orders");
    let (out, err) = (stdout(&output), stderr(&output));
    assert!(output.status.success(), "{out}\n{err}");
    assert!(out.contains("5000 is more than the warehouse holds"), "{out}");
}

#[test]
fn a_demonstration_that_ends_otherwise_than_expected_says_what_differs_and_fails() {
    let dir = manifest(
        "app = \"hello-http\"\n[queue.q]\n[function.hello]\non = [{ http = \"GET /hello/{name}\" }]\n",
    );
    fs::write(
        dir.path().join("demo.toml"),
        "[[step]]\nsay = \"nothing\"\n[expect]\nqueue.q = 3\n",
    )
    .unwrap();
    let binary = built("hello-http");
    let output = nephos(&[
        "dev",
        dir.path().to_str().unwrap(),
        "--demo",
        "--binary",
        binary.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("queue q: expected 3 message(s), found 0"),
        "{}",
        stderr(&output)
    );
}

const HELLO: &str = r#"app = "hello-http"
[bucket.uploads]
[queue.jobs]
[table.things]
key = "id"
[function.hello]
on = [{ http = "GET /hello/{name}" }, { http = "POST /hello" }]
"#;

#[test]
fn resources_are_listed_put_and_shown_while_the_host_runs_and_after_it_was_killed() {
    let dir = manifest(HELLO);
    let mut dev = Dev::of_binary(dir.path(), &built("hello-http"));
    assert!(dev.get("/hello/nephos").ends_with("Hello, nephos!\n"));
    assert!(dev.get("/nowhere").starts_with("HTTP/1.1 404"));
    let file = dir.path().join("a file %.txt");
    fs::write(&file, "content").unwrap();
    done(&dev.run(&["put", "uploads", file.to_str().unwrap()]));
    done(&dev.run(&["put", "jobs", r#"{"n":1}"#]));
    done(&dev.run(&["put", "things", r#"{"id":"x","n":18446744073709551615}"#]));
    for killed in [false, true] {
        if killed {
            dev.child.kill().unwrap();
            dev.child.wait().unwrap();
        }
        assert_eq!(done(&dev.run(&["cat", "uploads", "a file %.txt"])), "content");
        assert!(done(&dev.run(&["cat", "things", "x"])).contains("18446744073709551615"));
        assert!(done(&dev.run(&["ls", "jobs"])).contains(r#""body":"{\"n\":1}""#));
        assert!(done(&dev.run(&["ls"])).contains("1 visible"));
    }
    let missing = dev.run(&["cat", "uploads", "none"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(
        stderr(&missing).contains("no such object"),
        "{}",
        stderr(&missing)
    );
    let unknown = dev.run(&["ls", "uplods"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(
        stderr(&unknown).contains("the app has no resource `uplods`"),
        "{}",
        stderr(&unknown)
    );
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (dir, binary) = (manifest(HELLO), built("hello-http"));
    let args = [
        "dev",
        dir.path().to_str().unwrap(),
        "--binary",
        binary.to_str().unwrap(),
        "--port",
        &port,
    ];
    let output = nephos(&args);
    assert_eq!(output.status.code(), Some(1));
    let err = stderr(&output);
    assert!(
        err.contains("taken") && err.contains("--port") && err.contains(&port),
        "{err}"
    );
}

#[test]
fn a_handler_that_does_not_fit_its_trigger_is_told_with_both_places() {
    let dir = manifest("app = \"x\"\n[queue.jobs]\n[function.hello]\non = [{ queue = \"jobs\" }]\n");
    let binary = built("hello-http");
    let output = nephos(&[
        "check",
        dir.path().to_str().unwrap(),
        "--binary",
        binary.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(3));
    let err = stderr(&output);
    assert!(err.contains("nephos.toml:4") && err.contains("main.rs:"), "{err}");
}

#[test]
fn all_mistakes_of_a_manifest_come_at_once_with_exit_code_3() {
    let dir = manifest(
        "app = \"x\"\n[queue.jobs]\nretension = \"1 day\"\n[function.f]\ntimeout = \"30 parsecs\"\non = [{ queue = \"jbs\" }]\n",
    );
    let output = nephos(&["check", "--no-build", dir.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3));
    let err = stderr(&output);
    for part in ["retension", "retention", "parsecs", "jbs", "jobs"] {
        assert!(err.contains(part), "{part} is missing:\n{err}");
    }
    let missing = nephos(&[
        "check",
        "--no-build",
        dir.path().join("nowhere").to_str().unwrap(),
    ]);
    assert_eq!(missing.status.code(), Some(3));
    assert!(stderr(&missing).contains("nephos new"), "{}", stderr(&missing));
}

#[test]
fn every_template_becomes_a_project_that_its_own_check_accepts() {
    let dir = tempfile::tempdir().unwrap();
    for template in [
        "http", "router", "bucket", "queue", "topic", "stream", "table", "schedule", "email", "auth", "voice",
    ] {
        let folder = dir.path().join(template);
        let made = nephos(&["new", folder.to_str().unwrap(), "--template", template]);
        assert!(made.status.success(), "{template}: {}", stderr(&made));
        let checked = nephos(&["check", "--no-build", folder.to_str().unwrap()]);
        assert!(checked.status.success(), "{template}: {}", stderr(&checked));
        let again = nephos(&["new", folder.to_str().unwrap()]);
        assert_eq!(again.status.code(), Some(2));
        assert!(
            stderr(&again).contains("nothing was changed"),
            "{}",
            stderr(&again)
        );
    }
}

#[test]
fn a_stateless_function_is_told_from_one_that_keeps_state() {
    let (dir, binary) = (manifest(HELLO), built("hello-http"));
    let output = nephos(&[
        "check",
        "--stateless",
        dir.path().to_str().unwrap(),
        "--binary",
        binary.to_str().unwrap(),
    ]);
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    assert!(
        stdout(&output).contains("answered alike, warm and fresh"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn the_schema_is_json_and_completions_are_for_the_command() {
    let schema: serde_json::Value = serde_json::from_slice(&nephos(&["schema"]).stdout).unwrap();
    assert!(schema["properties"]["function"].is_object(), "{schema:#}");
    assert!(stdout(&nephos(&["completions", "bash"])).contains("nephos"));
}

#[test]
fn the_host_ends_soon_when_it_is_told_to() {
    let dir = manifest(HELLO);
    let mut dev = Dev::of_binary(dir.path(), &built("hello-http"));
    assert!(dev.get("/hello/x").contains("200 OK"));
    let pid = dev.child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(status) = dev.child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            break;
        }
        assert!(Instant::now() < deadline, "it did not end within 20 s of SIGTERM");
        std::thread::sleep(Duration::from_millis(20));
    }
}

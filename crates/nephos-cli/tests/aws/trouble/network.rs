//! A network that breaks in the middle, and services that are asked too often.

use std::process::Stdio;

use serde_json::json;

use super::proxy::Proxy;
use crate::support::{Aws, HELLO, Project, done, refused, text};

#[test]
fn a_network_that_is_cut_while_the_stack_changes_is_told_and_a_second_run_converges() {
    let (aws, project) = (Aws::start(), Project::new(HELLO));
    let proxy = Proxy::before(&aws);
    proxy.rule(json!({"service": "cloudformation", "operation": "ExecuteChangeSet", "latency": 2000}));
    let deploying = proxy
        .deploying(&aws, &project)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    proxy.wait_for("ExecuteChangeSet");
    // From here on every connection is reset, but for the request that is on its way.
    proxy.rule(json!({"service": "*", "reset": true}));
    refused(
        &deploying.wait_with_output().unwrap(),
        1,
        &[
            "AWS is lost while CloudFormation carries the changes out",
            "it goes on alone",
            "run the same command again",
            "AWS cannot be reached",
        ],
    );
    refused(
        &proxy.command(&aws, &project, &["status"]).output().unwrap(),
        1,
        &["AWS cannot be reached", "check the network"],
    );
    proxy.heal();
    let again = proxy.deploy(&aws, &project);
    let said = format!("{}{}", done(&again), text(&again.stderr));
    let answer = aws.get(&project, "/hello/ann");
    assert!(answer.ends_with("Hello, ann!\n"), "{answer}\n{said}");
    assert!(done(&proxy.deploy(&aws, &project)).contains("no changes"));
}

#[test]
fn an_answer_that_is_lost_on_its_way_is_no_change_by_someone_else() {
    let (aws, project) = (Aws::start(), Project::new(HELLO));
    let proxy = Proxy::before(&aws);
    // The change set is executed, and the command does not hear of it: it asks again.
    proxy.rule(json!({
        "service": "cloudformation", "operation": "ExecuteChangeSet", "times": 1, "response": {"abort_bytes": 0},
    }));
    let deployed = done(&proxy.deploy(&aws, &project));
    assert_eq!(proxy.fired("ExecuteChangeSet"), 1);
    assert!(deployed.contains("deployed in"), "{deployed}");
    assert!(aws.get(&project, "/hello/ann").ends_with("Hello, ann!\n"));
}

#[test]
fn a_cut_while_the_app_is_removed_is_gone_on_with() {
    let (aws, project) = (Aws::start(), Project::new(HELLO));
    aws.deployed(&project);
    let proxy = Proxy::before(&aws);
    proxy.rule(json!({"service": "cloudformation", "operation": "DeleteStack", "latency": 2000}));
    let destroying = proxy
        .command(&aws, &project, &["destroy", "--yes"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    proxy.wait_for("DeleteStack");
    proxy.rule(json!({"service": "*", "reset": true}));
    refused(
        &destroying.wait_with_output().unwrap(),
        1,
        &[
            "AWS is lost while CloudFormation removes the app",
            "run the same command again",
        ],
    );
    proxy.heal();
    done(
        &proxy
            .command(&aws, &project, &["destroy", "--yes"])
            .output()
            .unwrap(),
    );
    assert!(done(&aws.run(&project, &["status"])).contains("is not deployed"));
}

#[test]
fn throttling_is_waited_for_and_costs_nothing_but_time() {
    let (aws, project) = (Aws::start(), Project::new(HELLO));
    let proxy = Proxy::before(&aws);
    let throttled = |service: &str, operation: &str, code: &str, status: u16| {
        proxy.rule(json!({
            "service": service, "operation": operation, "times": 2, "error": {"code": code, "status": status, "message": "Rate exceeded"},
        }));
    };
    // As each of them says it: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/CommonErrors.html,
    // https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionCode.html, https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
    throttled("cloudformation", "DescribeStacks", "Throttling", 400);
    throttled("cloudformation", "CreateChangeSet", "Throttling", 400);
    throttled("s3", "HeadBucket", "SlowDown", 503);
    throttled("s3", "PutObject", "SlowDown", 503);
    let patient = || {
        let mut command = proxy.deploying(&aws, &project);
        done(&command.env_remove("AWS_MAX_ATTEMPTS").output().unwrap())
    };
    patient();
    for operation in ["DescribeStacks", "CreateChangeSet", "HeadBucket", "PutObject"] {
        assert_eq!(proxy.fired(operation), 2, "{operation}");
    }
    project.change_code();
    throttled("lambda", "UpdateFunctionCode", "TooManyRequestsException", 429);
    assert!(patient().contains("version 2"));
    assert_eq!(proxy.fired("UpdateFunctionCode"), 2);
    assert!(aws.get(&project, "/hello/ann").ends_with("Howdy, ann!\n"));
}

#[test]
fn throttling_without_end_is_a_sentence_and_what_is_deployed_works_on() {
    let (aws, project) = (Aws::start(), Project::new(HELLO));
    aws.deployed(&project);
    project.change_code();
    let proxy = Proxy::before(&aws);
    proxy.rule(json!({
        "service": "lambda", "operation": "UpdateFunctionCode",
        "error": {"code": "TooManyRequestsException", "status": 429, "message": "Rate exceeded"},
    }));
    refused(
        &proxy.deploy(&aws, &project),
        1,
        &[
            "asked more often than it allows",
            "wait a few minutes",
            "run the same command again",
            "Rate exceeded",
        ],
    );
    assert_eq!(proxy.fired("UpdateFunctionCode"), 2, "as AWS_MAX_ATTEMPTS says");
    assert!(aws.get(&project, "/hello/ann").ends_with("Hello, ann!\n"));
    proxy.rule(json!({
        "service": "cloudformation", "operation": "DescribeStacks",
        "error": {"code": "Throttling", "status": 400, "message": "Rate exceeded"},
    }));
    refused(
        &proxy.command(&aws, &project, &["status"]).output().unwrap(),
        1,
        &["the stack cannot be looked at", "wait a few minutes"],
    );
}

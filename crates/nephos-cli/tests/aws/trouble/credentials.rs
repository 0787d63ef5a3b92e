//! Credentials that expire, before a deployment and in its middle.

use serde_json::json;

use super::proxy::Proxy;
use crate::support::{Aws, HELLO, Project, done, refused};

/// The sentence that AWS says: <https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html>
const SENTENCE: &str = "The security token included in the request is expired";

#[test]
fn expired_credentials_are_told_with_the_way_to_new_ones_and_nothing_is_deployed() {
    let (aws, project) = (Aws::start(), Project::new(HELLO));
    let proxy = Proxy::before(&aws);
    proxy
        .rule(json!({"service": "*", "error": {"code": "ExpiredToken", "status": 403, "message": SENTENCE}}));
    for args in [
        &["deploy", "--yes", "--binary", project.binary()][..],
        &["status"],
        &["destroy", "--yes"],
        &["logs"],
    ] {
        refused(
            &proxy.command(&aws, &project, args).output().unwrap(),
            1,
            &["credentials have expired", "sign in again", "aws sso login"],
        );
    }
    assert!(done(&aws.run(&project, &["status"])).contains("is not deployed"));
}

#[test]
fn credentials_that_expire_while_functions_get_new_code_leave_the_old_and_a_second_run_goes_on() {
    let (aws, project) = (Aws::start(), Project::new(HELLO));
    aws.deployed(&project);
    project.change_code();
    let proxy = Proxy::before(&aws);
    proxy.rule(json!({
        "service": "lambda", "operation": "UpdateFunctionCode",
        "error": {"code": "ExpiredTokenException", "status": 403, "message": SENTENCE},
    }));
    refused(
        &proxy.deploy(&aws, &project),
        1,
        &[
            "each has its old code or the new",
            "run the same command again",
            "credentials have expired",
            "function=hello",
        ],
    );
    assert!(aws.get(&project, "/hello/ann").ends_with("Hello, ann!\n"));
    proxy.heal();
    let output = done(&proxy.deploy(&aws, &project));
    assert!(output.contains("version 2"), "{output}");
    assert!(aws.get(&project, "/hello/ann").ends_with("Howdy, ann!\n"));
}

#[test]
fn credentials_that_expire_while_the_stack_changes_do_not_stop_it_and_a_second_run_goes_on() {
    let (aws, project) = (Aws::start(), Project::new(HELLO));
    let proxy = Proxy::before(&aws);
    // Held for so long that the next rule is there when it goes on its way.
    proxy.rule(json!({"service": "cloudformation", "operation": "ExecuteChangeSet", "latency": 2000}));
    let deploying = proxy
        .deploying(&aws, &project)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    proxy.wait_for("ExecuteChangeSet");
    proxy.rule(json!({
        "service": "cloudformation", "operation": "DescribeStacks",
        "error": {"code": "ExpiredToken", "status": 403, "message": SENTENCE},
    }));
    refused(
        &deploying.wait_with_output().unwrap(),
        1,
        &[
            "it goes on alone",
            "run the same command again",
            "stack=hello-http-aws",
            "credentials have expired",
        ],
    );
    proxy.heal();
    done(&proxy.deploy(&aws, &project));
    assert!(aws.get(&project, "/hello/ann").ends_with("Hello, ann!\n"));
}

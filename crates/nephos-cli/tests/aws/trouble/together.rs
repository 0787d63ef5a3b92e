//! Two who deploy at once, what was changed by hand, and what many deployments leave.

use std::process::Stdio;

use aws_sdk_cloudformation::types::Capability;
use serde_json::json;

use super::proxy::Proxy;
use crate::support::{Aws, HELLO, Project, done, refused};

#[test]
fn a_plan_that_someone_else_overtook_is_not_carried_out() {
    let (aws, project) = (Aws::start(), Project::new(HELLO));
    aws.deployed(&project);
    project.write(&HELLO.replace("POST /hello", "POST /late"));
    let proxy = Proxy::before(&aws);
    proxy.rule(json!({"service": "cloudformation", "operation": "ExecuteChangeSet", "latency": 25000}));
    let late = proxy
        .deploying(&aws, &project)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    proxy.wait_for("ExecuteChangeSet");
    let other = Project::new(&HELLO.replace("POST /hello", "POST /other"));
    aws.deployed(&other);
    refused(
        &late.wait_with_output().unwrap(),
        1,
        &["the stack was changed since the plan was made", "deploy again"],
    );
    assert!(aws.deployed(&other).contains("no changes"));
    assert!(aws.get(&project, "/hello/both").ends_with("Hello, both!\n"));
}

#[test]
fn two_who_deploy_new_code_at_once_end_with_the_code_of_one_of_them_and_nobody_is_told_a_lie() {
    let (aws, one) = (Aws::start(), Project::new(HELLO));
    aws.deployed(&one);
    let other = Project::new(HELLO);
    one.change_code();
    other.greet("Salut, ");
    let deploy = |project: &Project| {
        aws.command(
            project,
            &["deploy", "--yes", "--target", "aws", "--binary", project.binary()],
        )
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
    };
    let (first, second) = (deploy(&one), deploy(&other));
    for output in [
        first.wait_with_output().unwrap(),
        second.wait_with_output().unwrap(),
    ] {
        if !output.status.success() {
            refused(&output, 1, &["deploy again", "function=hello"]);
        }
    }
    let answer = aws.get(&one, "/hello/you");
    assert!(
        answer.ends_with("Howdy, you!\n") || answer.ends_with("Salut, you!\n"),
        "{answer}"
    );
    aws.deployed(&one);
    assert!(aws.get(&one, "/hello/you").ends_with("Howdy, you!\n"));
}

#[test]
fn a_stack_that_was_changed_by_hand_is_planned_back() {
    let (aws, project) = (Aws::start(), Project::new(HELLO));
    aws.deployed(&project);
    let cloudformation = aws_sdk_cloudformation::Client::new(&aws.emulator.config());
    let stack = "hello-http-aws";
    let template = aws
        .runtime
        .block_on(cloudformation.get_template().stack_name(stack).send())
        .unwrap();
    let mut body: serde_json::Value = serde_json::from_str(template.template_body().unwrap()).unwrap();
    body["Resources"]["LogsHello"]["Properties"]["RetentionInDays"] = 1.into();
    let updated = cloudformation
        .update_stack()
        .stack_name(stack)
        .template_body(body.to_string())
        .capabilities(Capability::CapabilityNamedIam)
        .send();
    aws.runtime.block_on(updated).unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !done(&aws.run(&project, &["status"])).contains("UPDATE_COMPLETE") {
        assert!(
            std::time::Instant::now() < deadline,
            "the change by hand does not end"
        );
    }
    let back = aws.deployed(&project);
    assert!(
        back.contains("LogsHello") && back.contains("RetentionInDays"),
        "{back}"
    );
    assert!(aws.deployed(&project).contains("no changes"));
}

#[test]
fn old_versions_go_and_those_stay_that_a_way_back_needs() {
    let (aws, project) = (Aws::start(), Project::new(HELLO));
    aws.deployed(&project);
    let mut greetings = ["Howdy, ", "Salut, ", "Hallo, ", "Ahoy!, ", "Servus ", "Grüzi "].iter();
    for greeting in greetings.by_ref() {
        project.greet(greeting);
        aws.deployed(&project);
    }
    let lambda = aws_sdk_lambda::Client::new(&aws.emulator.config());
    let versions = |lambda: &aws_sdk_lambda::Client| -> Vec<String> {
        let listed = lambda
            .list_versions_by_function()
            .function_name("hello-http-aws-hello")
            .send();
        let listed = aws.runtime.block_on(listed).unwrap();
        listed
            .versions()
            .iter()
            .filter_map(|version| version.version().map(str::to_owned))
            .collect()
    };
    // Seven were made: five stay, and the one that the stack itself names.
    assert_eq!(versions(&lambda), ["$LATEST", "1", "3", "4", "5", "6", "7"]);
    let back = done(&aws.run(&project, &["rollback", "--yes"]));
    assert!(back.contains("version 6 instead of 7"), "{back}");
    assert!(aws.get(&project, "/hello/you").ends_with("Servus you!\n"));
    // The stack goes on from what it knows.
    project.write(&format!("{HELLO}memory = \"512 MiB\"\n"));
    aws.deployed(&project);
    assert!(aws.get(&project, "/hello/you").ends_with("Grüzi you!\n"));
    done(&aws.run(&project, &["destroy", "--yes"]));
}

//! What is refused, and what fails: each with a sentence that says what to do.

use crate::support::{Aws, HELLO, Project, done, refused};

#[test]
fn without_credentials_or_a_region_nothing_is_asked_of_aws_and_the_next_step_is_told() {
    let (aws, project) = (Aws::start(), Project::new(HELLO));
    let home = tempfile::tempdir().unwrap();
    let without = |variables: &[&str]| {
        let mut command = aws.command(&project, &["status", "--target", "aws"]);
        command.env("HOME", home.path());
        for variable in variables {
            command.env_remove(variable);
        }
        command.output().unwrap()
    };
    refused(
        &without(&["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]),
        1,
        &["there are no credentials for AWS", "AWS_PROFILE", "aws configure"],
    );
    refused(
        &without(&["AWS_REGION", "AWS_DEFAULT_REGION"]),
        1,
        &["there is no region", "region = \"eu-west-1\"", "AWS_REGION"],
    );
}

#[test]
fn a_stack_that_is_not_of_nephos_is_left_alone() {
    let (aws, project) = (Aws::start(), Project::new(HELLO));
    let cloudformation = aws_sdk_cloudformation::Client::new(&aws.emulator.config());
    let body = r#"{"Resources":{"Topic":{"Type":"AWS::SNS::Topic"}}}"#;
    aws.runtime
        .block_on(
            cloudformation
                .create_stack()
                .stack_name("hello-http-aws")
                .template_body(body)
                .send(),
        )
        .unwrap();
    for output in [
        aws.deploy(&project, &["--yes"]),
        aws.run(&project, &["destroy", "--yes"]),
        aws.run(&project, &["status"]),
    ] {
        refused(
            &output,
            1,
            &["not of nephos", "nephos:app", "stack=hello-http-aws"],
        );
    }
    let resources = aws
        .runtime
        .block_on(
            cloudformation
                .describe_stack_resources()
                .stack_name("hello-http-aws")
                .send(),
        )
        .unwrap();
    assert_eq!(resources.stack_resources().len(), 1, "{resources:?}");
}

#[test]
fn a_deployment_that_fails_is_undone_and_its_first_cause_told_and_the_next_one_works() {
    let (aws, project) = (Aws::start(), Project::new(HELLO));
    let broken = format!(
        "{HELLO}\n[target.aws.overrides.Resources.Broken]\nType = \"AWS::Lambda::Url\"\nProperties = {{ AuthType = \"NONE\", TargetFunctionArn = \"nobody\" }}\n"
    );
    project.write(&broken);
    refused(
        &aws.deploy(&project, &["--yes"]),
        1,
        &[
            "failed and was undone; nothing is deployed",
            "resource=Broken",
            "nobody",
        ],
    );
    project.write(HELLO);
    let deployed = aws.deployed(&project);
    assert!(deployed.contains("deployed in"), "{deployed}");

    project.write(&broken);
    refused(
        &aws.deploy(&project, &["--yes"]),
        1,
        &["what was deployed before works on", "resource=Broken"],
    );
    assert!(aws.get(&project, "/hello/still").ends_with("Hello, still!\n"));
    project.write(HELLO);
    assert!(aws.deployed(&project).contains("no changes"));
}

#[test]
fn nothing_is_changed_without_a_yes_and_a_target_without_deployment_is_told() {
    let (aws, project) = (Aws::start(), Project::new(HELLO));
    refused(&aws.deploy(&project, &[]), 2, &["without a yes", "--yes"]);
    assert!(done(&aws.run(&project, &["status"])).contains("is not deployed"));
    refused(
        &aws.run(&project, &["invoke", "hello", "x"]),
        1,
        &["not deployed", "nephos deploy"],
    );
    let local = aws
        .command(&project, &["status", "--target", "local"])
        .output()
        .unwrap();
    refused(
        &local,
        2,
        &["nothing is deployed to the target `local`", "nephos dev", "aws"],
    );
    let unknown = aws
        .command(&project, &["status", "--target", "awss"])
        .output()
        .unwrap();
    refused(&unknown, 3, &["there is no target `awss`", "did you mean `aws`"]);
    let foreign = project.dir.path().join("script");
    std::fs::write(&foreign, "#!/bin/sh\n").unwrap();
    let output = aws
        .command(
            &project,
            &[
                "deploy",
                "--yes",
                "--target",
                "aws",
                "--binary",
                foreign.to_str().unwrap(),
            ],
        )
        .output()
        .unwrap();
    refused(&output, 4, &["ELF", "--binary"]);
}

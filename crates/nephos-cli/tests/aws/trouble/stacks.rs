//! Stacks in the states that a deployment can leave, or someone else: each has its next step, and nothing that works is lost.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::{ChangeSetType, Tag};

use crate::support::{Aws, HELLO, Project, done, refused};

const STACK: &str = "hello-http-aws";

/// A network beside the app, which someone else can use: then it cannot be removed. (The emulator removes buckets with all that is in them, which AWS
/// does not.)
const NETWORK: &str = r#"
[target.aws.overrides.Resources.Network]
Type = "AWS::EC2::VPC"
Properties = { CidrBlock = "10.9.0.0/16" }
"#;

/// A function of someone else.
const OTHER: &str = r#"{"Resources":{"Other":{"Type":"AWS::Lambda::Function","Properties":{"FunctionName":"other","Runtime":"nodejs22.x",
    "Handler":"index.handler","Role":"arn:aws:iam::000000000000:role/other","Code":{"ZipFile":"exports.handler = async () => 1"}}}}}"#;

/// A URL of that function in the app's stack, with this kind of authorisation.
fn url(authorisation: &str) -> String {
    format!(
        r#"
[target.aws.overrides.Resources.Second]
Type = "AWS::Lambda::Url"
Properties = {{ TargetFunctionArn = "other", AuthType = "{authorisation}" }}
"#
    )
}

/// What lets a deployment wait after `before` is done, and then fail.
fn failing_after(before: &str) -> String {
    format!(
        r#"
[target.aws.overrides.Resources.Handle]
Type = "AWS::CloudFormation::WaitConditionHandle"
[target.aws.overrides.Resources.Wait]
Type = "AWS::CloudFormation::WaitCondition"
DependsOn = "{before}"
Properties = {{ Handle = {{ Ref = "Handle" }}, Timeout = "8", Count = 1 }}
"#
    )
}

/// Deploys, and does something once it waits.
fn deploy_meanwhile(aws: &Aws, project: &Project, act: impl FnOnce()) -> Output {
    let mut deploying: Command = aws.command(
        project,
        &["deploy", "--yes", "--target", "aws", "--binary", project.binary()],
    );
    let deploying = deploying
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("the deployment does not wait", || physical(aws, "Wait"));
    act();
    deploying.wait_with_output().unwrap()
}

/// A resource's name at AWS, once it has one.
fn physical(aws: &Aws, id: &str) -> Option<String> {
    let events = client(aws).describe_stack_events().stack_name(STACK).send();
    let events = aws.runtime.block_on(events).ok()?;
    let found = events
        .stack_events()
        .iter()
        .find(|event| event.logical_resource_id() == Some(id))?;
    Some(found.physical_resource_id().unwrap_or_default().to_owned())
}

/// Someone else uses the app's network.
fn use_network(aws: &Aws) {
    let network = until("there is no network to use", || {
        physical(aws, "Network").filter(|id| !id.is_empty())
    });
    let body = format!(
        r#"{{"Resources":{{"Part":{{"Type":"AWS::EC2::Subnet","Properties":{{"VpcId":"{network}","CidrBlock":"10.9.0.0/24"}}}}}}}}"#
    );
    make(aws, "theirs", &body);
}

/// Nobody uses the network any more.
fn leave(aws: &Aws) {
    remove(aws, "theirs");
}

/// A stack of someone else.
fn make(aws: &Aws, name: &str, body: &str) {
    let made = client(aws)
        .create_stack()
        .stack_name(name)
        .template_body(body)
        .send();
    aws.runtime.block_on(made).unwrap();
    until("the other stack is not made", || {
        let found = client(aws).describe_stacks().stack_name(name).send();
        let found = aws.runtime.block_on(found).unwrap();
        let status = found.stacks()[0].stack_status()?.as_str().to_owned();
        assert!(!status.contains("ROLLBACK"), "{found:?}");
        (status == "CREATE_COMPLETE").then_some(())
    });
}

fn remove(aws: &Aws, name: &str) {
    let removed = client(aws).delete_stack().stack_name(name).send();
    aws.runtime.block_on(removed).unwrap();
    until("the other stack does not go", || {
        let found = client(aws).describe_stacks().stack_name(name).send();
        aws.runtime.block_on(found).is_err().then_some(())
    });
}

/// Looks until there is something.
fn until<T>(otherwise: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{otherwise}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn client(aws: &Aws) -> Client {
    Client::new(&aws.emulator.config())
}

fn tags() -> [Tag; 2] {
    [("nephos:app", "hello-http"), ("nephos:target", "aws")]
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
}

fn state(aws: &Aws, project: &Project) -> String {
    let status = done(&aws.run(project, &["--json", "status"]));
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    status["state"].as_str().unwrap_or("none").to_owned()
}

#[test]
fn an_update_that_cannot_be_undone_names_what_is_in_the_way_and_rollback_goes_on_once_it_is_mended() {
    let (aws, project) = (Aws::start(), Project::new(&format!("{HELLO}{}", url("NONE"))));
    make(&aws, "theirs", OTHER);
    aws.deployed(&project);
    project.write(&format!("{HELLO}{}{}", url("AWS_IAM"), failing_after("Second")));
    // What the URL is of goes while it has its new authorisation, and so it cannot get the old one back.
    let failed = deploy_meanwhile(&aws, &project, || remove(&aws, "theirs"));
    refused(
        &failed,
        1,
        &[
            "not all of it could be undone",
            "nephos rollback --target aws",
            "resource=Wait",
            "not_undone=Second",
        ],
    );
    assert_eq!(state(&aws, &project), "UPDATE_ROLLBACK_FAILED");
    assert!(aws.get(&project, "/hello/still").ends_with("Hello, still!\n"));
    project.write(&format!("{HELLO}{}", url("NONE")));
    refused(
        &aws.deploy(&project, &["--yes"]),
        1,
        &[
            "an update failed and is not undone",
            "nephos rollback --target aws",
            "resource=Second",
        ],
    );
    refused(
        &aws.run(&project, &["rollback", "--yes"]),
        1,
        &["cannot be undone", "--resources-to-skip", "resource=Second"],
    );
    make(&aws, "theirs", OTHER);
    done(&aws.run(&project, &["rollback", "--yes"]));
    assert_eq!(state(&aws, &project), "UPDATE_ROLLBACK_COMPLETE");
    assert!(aws.get(&project, "/hello/still").ends_with("Hello, still!\n"));
    assert!(aws.deployed(&project).contains("no changes"));
}

#[test]
fn a_first_deployment_that_cannot_be_undone_says_what_is_in_the_way() {
    let manifest = format!("{HELLO}{NETWORK}{}", failing_after("Network"));
    let (aws, project) = (Aws::start(), Project::new(&manifest));
    refused(
        &deploy_meanwhile(&aws, &project, || use_network(&aws)),
        1,
        &[
            "not all of it could be removed",
            "nephos destroy",
            "resource=Wait",
            "not_undone=Network",
        ],
    );
    assert_eq!(state(&aws, &project), "ROLLBACK_FAILED");
    leave(&aws);
    project.write(HELLO);
    aws.deployed(&project);
    assert!(aws.get(&project, "/hello/now").ends_with("Hello, now!\n"));
}

#[test]
fn a_removal_that_does_not_end_says_what_is_in_the_way_and_goes_on_once_it_is_gone() {
    let (aws, project) = (Aws::start(), Project::new(&format!("{HELLO}{NETWORK}")));
    aws.deployed(&project);
    use_network(&aws);
    refused(
        &aws.run(&project, &["destroy", "--yes"]),
        1,
        &["could not be removed", "mend what AWS names", "resource=Network"],
    );
    assert_eq!(state(&aws, &project), "DELETE_FAILED");
    refused(
        &aws.deploy(&project, &["--yes"]),
        1,
        &["its removal did not end", "nephos destroy", "resource=Network"],
    );
    leave(&aws);
    done(&aws.run(&project, &["destroy", "--yes"]));
    project.write(HELLO);
    aws.deployed(&project);
    assert!(aws.get(&project, "/hello/now").ends_with("Hello, now!\n"));
}

#[test]
fn a_stack_that_only_waits_for_a_review_is_gone_on_with_if_it_is_ours_and_left_alone_if_not() {
    let (aws, project) = (Aws::start(), Project::new(HELLO));
    let review = |name: &str| {
        let body = r#"{"Resources":{"Topic":{"Type":"AWS::SNS::Topic"}}}"#;
        let made = client(&aws)
            .create_change_set()
            .stack_name(STACK)
            .change_set_name(name)
            .change_set_type(ChangeSetType::Create)
            .template_body(body)
            .send();
        aws.runtime.block_on(made).unwrap();
    };
    review("theirs");
    refused(
        &aws.deploy(&project, &["--yes"]),
        1,
        &["not yet created", "not of nephos", "change_set=theirs"],
    );
    let removed = client(&aws)
        .delete_change_set()
        .stack_name(STACK)
        .change_set_name("theirs")
        .send();
    aws.runtime.block_on(removed).unwrap();
    // As a command leaves it that is killed between the plan and its execution.
    review("nephos-0123");
    aws.deployed(&project);
    assert!(aws.get(&project, "/hello/now").ends_with("Hello, now!\n"));
}

#[test]
fn a_change_that_someone_else_makes_by_other_means_is_told_and_not_waited_for() {
    let (aws, project) = (Aws::start(), Project::new(HELLO));
    let body = r#"{"Resources":{"Handle":{"Type":"AWS::CloudFormation::WaitConditionHandle"},
        "Wait":{"Type":"AWS::CloudFormation::WaitCondition","Properties":{"Handle":{"Ref":"Handle"},"Timeout":"60","Count":1}}}}"#;
    let begun = client(&aws)
        .create_stack()
        .stack_name(STACK)
        .template_body(body)
        .set_tags(Some(tags().to_vec()))
        .send();
    aws.runtime.block_on(begun).unwrap();
    for output in [
        aws.deploy(&project, &["--yes"]),
        aws.run(&project, &["destroy", "--yes"]),
    ] {
        refused(
            &output,
            1,
            &[
                "someone else is changing the stack",
                "wait until that is done",
                "state=CREATE_IN_PROGRESS",
            ],
        );
    }
    assert_eq!(state(&aws, &project), "CREATE_IN_PROGRESS");
}

#[test]
fn what_is_there_already_and_is_not_of_the_app_is_left_alone_and_named() {
    let (aws, project) = (Aws::start(), Project::new(HELLO));
    let body = r#"{"Resources":{"Logs":{"Type":"AWS::Logs::LogGroup","Properties":{"LogGroupName":"/aws/lambda/hello-http-aws-hello"}}}}"#;
    make(&aws, "theirs", body);
    refused(
        &aws.deploy(&project, &["--yes"]),
        1,
        &[
            "already exist",
            "LogsHello",
            "not of this app",
            "choose another `stack`",
        ],
    );
    let theirs = client(&aws)
        .describe_stack_resources()
        .stack_name("theirs")
        .send();
    assert_eq!(aws.runtime.block_on(theirs).unwrap().stack_resources().len(), 1);
}

const KEEPER: &str = "app = \"keeper\"\n[table.things]\nkey = \"id\"\n[function.hello]\non = [{ http = \"GET /hello/{name}\" }]\nuses = { things = [\"read\"] }\n";

#[test]
fn a_table_that_an_earlier_stack_left_is_taken_in_again_and_one_of_someone_else_is_not() {
    let (aws, project) = (Aws::start(), Project::new(KEEPER));
    // Theirs: made by a stack that is gone, and without the app's tag.
    let body = r#"{"Resources":{"Table":{"Type":"AWS::DynamoDB::Table","DeletionPolicy":"Retain","Properties":{
        "TableName":"keeper-aws-things","BillingMode":"PAY_PER_REQUEST",
        "AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}]}}}}"#;
    make(&aws, "theirs", body);
    remove(&aws, "theirs");
    refused(
        &aws.deploy(&project, &["--yes"]),
        1,
        &[
            "not of this app",
            "left alone",
            "id=keeper-aws-things",
            "of=nobody",
        ],
    );
    assert!(done(&aws.run(&project, &["status"])).contains("is not deployed"));

    let (aws, project) = (Aws::start(), Project::new(KEEPER));
    aws.deployed(&project);
    let kept = done(&aws.run(&project, &["destroy", "--yes"]));
    assert!(kept.contains("kept table things"), "{kept}");
    let again = aws.deployed(&project);
    assert!(again.contains("taken in"), "{again}");
    let all = done(&aws.run(&project, &["destroy", "--yes", "--delete-data"]));
    assert!(!all.contains("kept"), "{all}");
}

#[test]
fn a_stack_update_that_fails_leaves_the_version_live_that_was_brought_without_the_stack() {
    let (aws, project) = (Aws::start(), Project::new(HELLO));
    aws.deployed(&project);
    project.change_code();
    assert!(aws.deployed(&project).contains("version 2"));
    let broken = format!(
        "{}memory = \"512 MiB\"\n[target.aws.overrides.Resources.Broken]\nType = \"AWS::Lambda::Url\"\nDependsOn = \"LiveHello\"\nProperties = {{ AuthType = \"NONE\", TargetFunctionArn = \"nobody\" }}\n",
        HELLO
    );
    project.write(&broken);
    refused(
        &aws.deploy(&project, &["--yes"]),
        1,
        &["what was deployed before works on", "resource=Broken"],
    );
    let status = done(&aws.run(&project, &["status"]));
    assert!(status.contains("version 2"), "{status}");
    assert!(aws.get(&project, "/hello/ann").ends_with("Howdy, ann!\n"));
    project.write(HELLO);
    aws.deployed(&project);
    assert!(aws.get(&project, "/hello/ann").ends_with("Howdy, ann!\n"));
    assert!(aws.deployed(&project).contains("no changes"));
}

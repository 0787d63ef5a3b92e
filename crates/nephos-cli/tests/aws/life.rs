//! The life of a deployed app: from its plan to its end.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::support::{Aws, HELLO, Project, done, text};

#[test]
fn an_app_is_deployed_called_changed_brought_back_and_removed() {
    let (aws, project) = (Aws::start(), Project::new(HELLO));

    let plan = done(&aws.deploy(&project, &["--plan"]));
    assert!(
        plan.contains("+ function hello") && plan.contains("AWS::Lambda::Function"),
        "{plan}"
    );
    let status = done(&aws.run(&project, &["status"]));
    assert!(
        status.contains("is not deployed"),
        "a plan alone deploys nothing:\n{status}"
    );

    let deployed = aws.deployed(&project);
    assert!(
        deployed.contains("deployed in") && deployed.contains(".on.aws"),
        "{deployed}"
    );
    let answer = aws.get(&project, "/hello/nephos");
    assert!(
        answer.ends_with("Hello, nephos!\n"),
        "{answer}\n{}",
        aws.emulator.log()
    );

    let again = aws.deployed(&project);
    assert!(again.contains("no changes"), "{again}");

    project.change_code();
    let changed = aws.deployed(&project);
    assert!(
        changed.contains("1 to update") && changed.contains("(code)"),
        "{changed}"
    );
    assert!(changed.contains("version 2"), "{changed}");
    let answer = aws.get(&project, "/hello/nephos");
    assert!(answer.ends_with("Howdy, nephos!\n"), "{answer}");

    let back = done(&aws.run(&project, &["rollback", "--yes"]));
    assert!(back.contains("version 1 instead of 2"), "{back}");
    let answer = aws.get(&project, "/hello/nephos");
    assert!(answer.ends_with("Hello, nephos!\n"), "{answer}");
    let no_further = aws.run(&project, &["rollback", "--yes"]);
    crate::support::refused(&no_further, 1, &["no version before", "function=hello"]);

    let forward = aws.deployed(&project);
    assert!(forward.contains("version 2"), "{forward}");
    let answer = aws.get(&project, "/hello/nephos");
    assert!(answer.ends_with("Howdy, nephos!\n"), "{answer}");
    assert!(aws.deployed(&project).contains("no changes"));

    let status = done(&aws.run(&project, &["status"]));
    assert!(
        status.contains("CREATE_COMPLETE") && status.contains("version 2"),
        "{status}"
    );
    let event = r#"{"version":"2.0","routeKey":"$default","rawPath":"/hello/ann","rawQueryString":"","headers":{"host":"x"},"requestContext":{"accountId":"anonymous","apiId":"x","domainName":"x","domainPrefix":"x","http":{"method":"GET","path":"/hello/ann","protocol":"HTTP/1.1","sourceIp":"127.0.0.1","userAgent":"test"},"requestId":"r","routeKey":"$default","stage":"$default","time":"12/Mar/2026:19:03:58 +0000","timeEpoch":1773342238000},"isBase64Encoded":false}"#;
    let invoked = aws.run(&project, &["--json", "invoke", "hello", event]);
    let invoked: serde_json::Value = serde_json::from_str(&done(&invoked)).unwrap();
    assert_eq!(invoked["answer"]["statusCode"], 200, "{invoked:#}");
    assert_eq!(invoked["answer"]["body"], "Howdy, ann!\n", "{invoked:#}");
    assert_eq!(invoked["version"], "2", "{invoked:#}");
    // What it is not made for it refuses, and says so in its log.
    let failed = aws.run(&project, &["--json", "invoke", "hello", "[]"]);
    assert_eq!(failed.status.code(), Some(1));
    let failed: serde_json::Value = serde_json::from_slice(&failed.stdout).unwrap();
    assert_eq!(failed["result"], "failed", "{failed:#}");
    assert!(
        text(failed["log"].to_string().as_bytes()).contains("ERROR"),
        "{failed:#}"
    );
    let logs = done(&aws.run(&project, &["logs", "hello", "--since", "1h"]));
    assert!(logs.contains("START RequestId"), "{logs}");

    let removed = done(&aws.run(&project, &["destroy", "--yes"]));
    assert!(removed.contains("removed"), "{removed}");
    assert!(done(&aws.run(&project, &["status"])).contains("is not deployed"));
    let again = done(&aws.run(&project, &["destroy", "--yes"]));
    assert!(again.contains("nothing to remove"), "{again}");
}

const KEEPER: &str = "app = \"keeper\"\n[bucket.photos]\n[function.hello]\non = [{ http = \"GET /hello/{name}\" }]\nuses = { photos = [\"read\"] }\n";

#[test]
fn what_holds_data_outlives_the_app_until_its_data_is_to_go_too() {
    let (aws, project) = (Aws::start(), Project::new(KEEPER));
    aws.deployed(&project);
    let bucket = aws.runtime.block_on(async {
        let cloudformation = aws_sdk_cloudformation::Client::new(&aws.emulator.config());
        let resources = cloudformation
            .describe_stack_resources()
            .stack_name("keeper-aws")
            .send()
            .await
            .unwrap();
        let bucket = resources
            .stack_resources()
            .iter()
            .find(|resource| resource.resource_type() == Some("AWS::S3::Bucket"))
            .unwrap();
        bucket.physical_resource_id().unwrap().to_owned()
    });
    let path = format!("/{bucket}/a.jpg");
    let put = || aws.request(&format!("PUT {path}"), "s3", "a picture");
    assert!(put().starts_with("HTTP/1.1 200"), "{}", put());

    let removed = done(&aws.run(&project, &["destroy", "--yes"]));
    assert!(
        removed.contains("kept bucket photos") && removed.contains(&bucket),
        "{removed}"
    );
    assert!(put().starts_with("HTTP/1.1 200"), "the bucket is gone: {}", put());

    let all = done(&aws.run(&project, &["destroy", "--yes", "--delete-data"]));
    assert!(all.contains("removed 1 thing"), "{all}");
    assert!(
        put().starts_with("HTTP/1.1 404"),
        "the bucket is still there: {}",
        put()
    );
}

#[test]
fn a_deployment_whose_command_was_killed_is_gone_on_with() {
    let (aws, project) = (Aws::start(), Project::new(HELLO));
    let mut killed = aws
        .command(
            &project,
            &[
                "--json",
                "deploy",
                "--yes",
                "--target",
                "aws",
                "--binary",
                project.binary(),
            ],
        )
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The first step shows that the change is under way.
    let begun = BufReader::new(killed.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .any(|line| line.contains("\"event\":\"step\""));
    assert!(begun, "nothing happened before the command ended");
    killed.kill().unwrap();
    killed.wait().unwrap();

    let output = aws.deploy(&project, &["--yes"]);
    let said = format!("{}{}", done(&output), text(&output.stderr));
    let answer = aws.get(&project, "/hello/again");
    assert!(answer.ends_with("Hello, again!\n"), "{answer}\n{said}");
    assert!(aws.deployed(&project).contains("no changes"));
}

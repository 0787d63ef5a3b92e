//! What AWS does not take, or takes only by another way: names, and templates that are large.

use std::fmt::Write as _;

use super::proxy::Proxy;
use crate::support::{Aws, HELLO, Project, done, refused};

/// So many topics beside the function.
fn with_topics(count: usize) -> String {
    let mut manifest = HELLO.to_owned();
    for number in 0..count {
        writeln!(manifest, "[topic.news-of-the-day-number-{number}]").unwrap();
    }
    manifest
}

#[test]
fn a_template_that_no_request_holds_goes_through_the_bucket_and_is_deployed_and_changed() {
    let (aws, project) = (Aws::start(), Project::new(&with_topics(180)));
    let rendered = done(&aws.run(&project, &["render"]));
    let body: serde_json::Value = serde_json::from_str(&rendered).unwrap();
    assert!(
        body.to_string().len() > 51_200,
        "{} bytes",
        body.to_string().len()
    );
    let deployed = aws.deployed(&project);
    assert!(
        deployed.contains("topic news-of-the-day-number-179"),
        "{deployed}"
    );
    assert!(aws.get(&project, "/hello/large").ends_with("Hello, large!\n"));
    assert!(aws.deployed(&project).contains("no changes"));
    project.write(&with_topics(181));
    let more = aws.deployed(&project);
    assert!(more.contains("topic news-of-the-day-number-180"), "{more}");
}

#[test]
fn what_one_stack_cannot_hold_is_refused_before_anything_is_sent() {
    let (aws, project) = (Aws::start(), Project::new(&with_topics(500)));
    // Whoever asks for anything at AWS gets no answer.
    let proxy = Proxy::before(&aws);
    proxy.rule(serde_json::json!({"service": "*", "reset": true}));
    let many = ["more resources than one stack can hold", "max_resources=500"];
    refused(&proxy.deploy(&aws, &project), 1, &many);
    project.write(&format!(
        "{HELLO}[target.aws.overrides.Metadata]\nlarge = \"{}\"\n",
        "x".repeat(1_000_000)
    ));
    let large = [
        "larger than CloudFormation takes",
        "max_bytes=1000000",
        "split the app",
    ];
    refused(&proxy.deploy(&aws, &project), 1, &large);
    assert_eq!(proxy.fired_at_all(), 0);
}

#[test]
fn a_name_that_s3_refuses_is_told_with_where_to_choose_another() {
    let aws = Aws::start();
    let project = Project::new(
        "app = \"sthree-shop\"\n[bucket.photos]\n[function.hello]\non = [{ http = \"GET /hello/{name}\" }]\nuses = { photos = [\"read\"] }\n",
    );
    refused(
        &aws.deploy(&project, &["--yes"]),
        1,
        &[
            "S3 refuses bucket names that begin so",
            "prefix=sthree-",
            "target.aws.stack",
        ],
    );
    project.write(&format!("{HELLO}[target.aws]\nartifact_bucket = \"My_Code\"\n"));
    refused(
        &aws.deploy(&project, &["--yes"]),
        1,
        &["artifact_bucket", "value=My_Code", "3 to 63"],
    );
    project.write(&format!("{HELLO}[target.aws]\nartifact_bucket = \"not-there\"\n"));
    refused(
        &aws.deploy(&project, &["--yes"]),
        1,
        &["there is no such bucket", "artifact_bucket", "bucket=not-there"],
    );
}

#[test]
fn check_refuses_for_a_target_what_its_deployment_would() {
    let aws = Aws::start();
    let project = Project::new(&format!("{HELLO}timeout = \"20 min\"\n[target.aws]\n"));
    let check = |more: &[&str]| {
        let mut command = aws.command(&project, &["check", "--no-build"]);
        command.args(more).output().unwrap()
    };
    let too_long = [
        "more time than Lambda gives",
        "function=hello",
        "max_timeout_s=900",
    ];
    refused(&aws.run(&project, &["render"]), 1, &too_long);
    refused(&check(&["--target", "aws"]), 1, &too_long);
    // It is in the manifest, so it is meant to be deployed there.
    refused(&check(&[]), 1, &too_long);
    project.write(&format!("{HELLO}timeout = \"20 min\"\n"));
    done(&check(&[]));
    refused(&check(&["--target", "aws"]), 1, &too_long);
    project.write(&format!(
        "{HELLO}timeout = \"20 min\"\n[target.aws.function.hello]\ntimeout = \"1 min\"\n"
    ));
    let fine = done(&check(&[]));
    assert!(fine.contains("aws"), "{fine}");
}

#[test]
fn what_a_target_does_otherwise_is_told_before_anything_is_deployed() {
    let aws = Aws::start();
    let project = Project::new(&format!("{HELLO}memory = \"64 MiB\"\n[target.aws]\n"));
    let told = "`hello` gets 128 MiB of memory, not 64";
    let check = |more: &[&str]| {
        let mut command = aws.command(&project, &["check", "--no-build"]);
        done(&command.args(more).output().unwrap())
    };
    let text = check(&[]);
    assert!(text.contains("note aws: ") && text.contains(told), "{text}");
    let json: serde_json::Value = serde_json::from_str(&check(&["--json"])).unwrap();
    assert!(json["notes"][0][1].as_str().unwrap().contains(told), "{json}");

    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("out");
    let rendered = aws.run(&project, &["render", "--out", folder.to_str().unwrap()]);
    done(&rendered);
    assert!(String::from_utf8_lossy(&rendered.stderr).contains(told));
    let written = std::fs::read_to_string(folder.join("template.json")).unwrap();
    assert_eq!(
        done(&aws.run(&project, &["render"])).trim_end(),
        written.trim_end()
    );
}

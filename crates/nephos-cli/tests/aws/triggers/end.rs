//! Watching the app, and its end.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use super::Deployed;
use crate::support::done;

/// A line that is written after the command began, and the end by Ctrl-C.
pub(super) fn logs_are_followed(app: &Deployed) {
    let mut command = app.aws.command(
        &app.project,
        &[
            "--json", "logs", "web", "--target", "aws", "--follow", "--since", "1s",
        ],
    );
    let mut following = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    // The first line shows that it follows; what it shows comes again until then.
    let host = app.aws.host(&app.project, "web");
    let post = move |what: &str| app.aws.request(&format!("POST /notes/{what}"), &host, "{}");
    let (heard, first) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while first.recv_timeout(std::time::Duration::from_millis(500)).is_err() {
                post("before");
            }
            post("later");
        });
        let mut begun = false;
        let later = lines.by_ref().map_while(Result::ok).find(|line| {
            if !begun && line.contains("web was told before") {
                begun = true;
                heard.send(()).unwrap();
            }
            line.contains("web was told later")
        });
        let later: Value = serde_json::from_str(&later.expect("the log ended")).unwrap();
        assert_eq!(later["function"], "web", "{later:#}");
    });
    let pid = following.id().to_string();
    let interrupted = std::process::Command::new("kill").args(["-INT", &pid]).status();
    assert!(interrupted.unwrap().success());
    assert_eq!(following.wait().unwrap().code(), Some(0));
}

/// After `destroy`, only what holds data is there, and what is nobody's.
pub(super) fn nothing_but_data_is_left(app: &Deployed) {
    let removed = done(&app.aws.run(&app.project, &["destroy", "--yes"]));
    for kept in ["bucket uploads", "table seen", "table things"] {
        assert!(removed.contains(&format!("kept {kept}")), "{removed}");
    }
    let left = |service: &str, call: &str, list: &str| {
        let answer = app.call(service, call, json!({}));
        answer[list].as_array().cloned().unwrap_or_default()
    };
    for (service, call, list) in [
        ("lambda", "list_functions", "Functions"),
        ("lambda", "list_event_source_mappings", "EventSourceMappings"),
        ("iam", "list_roles", "Roles"),
        ("sqs", "list_queues", "QueueUrls"),
        ("sns", "list_topics", "Topics"),
        ("sns", "list_subscriptions", "Subscriptions"),
        ("kinesis", "list_streams", "StreamNames"),
        ("scheduler", "list_schedules", "Schedules"),
        ("logs", "describe_log_groups", "logGroups"),
        ("secretsmanager", "list_secrets", "SecretList"),
        ("cloudformation", "describe_stacks", "Stacks"),
    ] {
        // The bucket with the code of all apps stays, with its stack; roles of services are the account's.
        let of_ours: Vec<Value> = left(service, call, list)
            .into_iter()
            .filter(|thing| thing.to_string().contains("every-trigger"))
            .filter(|thing| thing["StackStatus"] != "DELETE_COMPLETE")
            .collect();
        assert_eq!(of_ours, Vec::<Value>::new(), "{service} {call}");
    }
    let buckets = app.call("s3", "list_buckets", json!({}));
    let mut buckets = crate::sdk::names(&buckets["Buckets"], "Name");
    buckets.retain(|name| name.contains("every-trigger"));
    assert!(
        buckets.contains(&app.stack["BucketUploads"]),
        "the data is gone: {buckets:?}"
    );
    let tables = app.call("dynamodb", "list_tables", json!({}));
    let mut expected = [&app.stack["TableSeen"], &app.stack["TableThings"]];
    expected.sort();
    assert_eq!(tables["TableNames"], json!(expected));
}

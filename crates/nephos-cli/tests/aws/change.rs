//! A deployed app that changes: what its triggers watch, what its resources are called, what one of its functions needs.

use serde_json::{Value, json};

use crate::sdk::wait;
use crate::support::{Aws, Project, done, refused, uncalled};

/// An app; its worker watches one of two queues, its other function a part of a bucket.
fn manifest(queues: [&str; 2], watched: &str, prefix: &str, heard: &str) -> String {
    let [one, other] = queues;
    let text = format!(
        r#"
app = "moving"
[table.seen]
key = "what"
[queue.{one}]
[queue.{other}]
[bucket.uploads]
[topic.news]
[queue.letters]
[function.worker]
timeout = "2 s"
on = [{{ queue = "{watched}" }}]
uses = {{ seen = ["write"] }}
[function.stored]
on = [{{ bucket = "uploads", prefix = "{prefix}" }}]
uses = {{ seen = ["write"] }}
[function.heard]
on = [{heard}]
dead_letter = "letters"
uses = {{ seen = ["write"] }}
"#
    );
    text + &uncalled(&["worker", "stored", "heard"])
}

#[test]
fn what_a_trigger_watches_changes_with_the_manifest_and_nothing_is_lost() {
    let aws = Aws::start();
    let on_news = "{ topic = \"news\" }";
    let project = Project::of("every-trigger", &manifest(["a", "b"], "a", "in/", on_news));
    aws.deployed(&project);
    let (sdk, before) = (aws.sdk(), aws.outputs("moving-aws"));
    let send = |queue: &str, name: &str| {
        let params = json!({"QueueUrl": queue, "MessageBody": json!({"name": name}).to_string()});
        sdk.call("sqs", "send_message", params);
    };
    let put = |key: &str| {
        let params = json!({"Bucket": before["BucketUploads"], "Key": key, "Body": "x"});
        sdk.call("s3", "put_object", params);
    };
    let peek = |what: &str| sdk.item(&before["TableSeen"], "what", what);
    let seen = |what: &str| wait(&format!("{what}\n{}", aws.emulator.log()), || peek(what));
    let publish = |message: &str| {
        sdk.call(
            "sns",
            "publish",
            json!({"TopicArn": before["TopicNews"], "Message": message}),
        );
    };
    let waiting = |queue: &str| {
        let params = json!({"QueueUrl": queue, "AttributeNames": ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]});
        sdk.call("sqs", "get_queue_attributes", params)["Attributes"].clone()
    };
    send(&before["QueueA"], "first");
    send(&before["QueueB"], "patient");
    put("in/1");
    publish("one");
    for what in ["worker/first#1", "stored/created/in/1", "heard/one"] {
        seen(what);
    }
    assert_eq!(peek("worker/patient#1"), None, "nobody watches that queue yet");

    // To the other queue, to another part of the bucket, and no topic any more.
    project.write(&manifest(["a", "b"], "b", "new/", ""));
    let plan = done(&aws.deploy(&project, &["--plan"]));
    // The emulator does not know that a bucket's notifications change where it is.
    for line in [
        "+ AWS::Lambda::EventSourceMapping",
        "- AWS::Lambda::EventSourceMapping",
        "- AWS::SNS::Subscription",
        "! AWS::S3::Bucket",
    ] {
        assert!(
            plan.lines().any(|there| there
                .trim_start_matches([' ', '│', '├', '└', '─'])
                .starts_with(line)),
            "{line} is missing:\n{plan}"
        );
    }
    assert!(!plan.contains("DATA IS LOST"), "{plan}");
    aws.deployed(&project);
    send(&before["QueueA"], "second");
    put("in/2");
    publish("two");
    put("new/1");
    send(&before["QueueB"], "third");
    for what in ["worker/patient#1", "worker/third#1", "stored/created/new/1"] {
        seen(what);
    }
    for what in ["worker/second#1", "stored/created/in/2", "heard/two"] {
        assert_eq!(peek(what), None, "{what}: its trigger is gone");
    }
    assert_eq!(
        waiting(&before["QueueA"]),
        json!({"ApproximateNumberOfMessages": "1", "ApproximateNumberOfMessagesNotVisible": "0"}),
        "what nobody watches any more is kept"
    );

    // A queue of another name is another queue, and what waits in the old one would go with it.
    project.write(&manifest(["c", "b"], "b", "new/", ""));
    refused(
        &aws.deploy(&project, &["--yes"]),
        2,
        &["loses the data", "QueueA", "--lose-data"],
    );
    assert_eq!(waiting(&before["QueueA"])["ApproximateNumberOfMessages"], "1");
    let renamed = done(&aws.deploy(&project, &["--yes", "--lose-data"]));
    assert!(renamed.contains("deployed in"), "{renamed}");
    let after = aws.outputs("moving-aws");
    assert!(
        after.contains_key("QueueC") && !after.contains_key("QueueA"),
        "{after:?}"
    );
    let gone = sdk.ask(
        "sqs",
        "get_queue_attributes",
        json!({"QueueUrl": before["QueueA"]}),
    );
    assert!(gone.unwrap_err().contains("NonExistentQueue"));
    send(&after["QueueB"], "fourth");
    seen("worker/fourth#1");

    only_what_changed_gets_a_version(&aws, &project);
}

/// All functions are one binary: what differs between them is what the manifest says of each.
fn only_what_changed_gets_a_version(aws: &Aws, project: &Project) {
    let versions = || {
        let status = aws.status(project);
        let functions = status["functions"].as_object().unwrap().iter();
        functions
            .map(|(name, function)| (name.clone(), function["version"].clone()))
            .collect::<std::collections::BTreeMap<String, Value>>()
    };
    let before = versions();
    let text = manifest(["c", "b"], "b", "new/", "");
    project.write(&text.replace("[function.heard]", "[function.heard]\nmemory = \"512 MiB\""));
    let changed = aws.deployed(project);
    let mut after = versions();
    assert_ne!(after["heard"], before["heard"], "{changed}");
    after.insert("heard".to_owned(), before["heard"].clone());
    assert_eq!(after, before, "{changed}");
}

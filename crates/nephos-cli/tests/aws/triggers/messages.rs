//! Queues, topics and streams: what comes, what comes again, and what is given up.

use serde_json::{Value, json};

use super::Deployed;
use crate::sdk::{attribute, wait};

fn send(app: &Deployed, queue: &str, task: &Value) {
    let params = json!({
        "QueueUrl": app.stack[queue], "MessageBody": task.to_string(),
        "MessageAttributes": {"colour": {"DataType": "String", "StringValue": "red"}},
    });
    app.call("sqs", "send_message", params);
}

/// One that passes at its third try, one that is given up at once, one that fails for good.
pub(super) fn queue(app: &Deployed) {
    send(app, "QueueTasks", &json!({"name": "thrice", "fail": 2}));
    send(
        app,
        "QueueTasks",
        &json!({"name": "old", "reject": "it is too old"}),
    );
    send(app, "QueueTasks", &json!({"name": "never", "fail": 9}));
    let first = app.seen("worker/thrice#1");
    assert_eq!(first["seen"]["queue"], "tasks");
    assert_eq!(first["seen"]["attributes"]["colour"], "red", "{first:#}");
    for attempt in 2..=3 {
        let again = app.seen(&format!("worker/thrice#{attempt}"));
        assert_eq!(again["attempt"], attempt);
        assert_eq!(again["seen"]["id"], first["seen"]["id"], "another message");
    }
    let letters = wait("two letters", || {
        let letters = app.aws.sdk().letters(&app.stack["QueueGivenUp"]);
        (letters.len() == 2).then_some(letters)
    });
    let of = |name: &str| {
        let named = |letter: &&Value| letter["Body"].as_str().unwrap().contains(name);
        letters
            .iter()
            .find(named)
            .unwrap_or_else(|| panic!("no {name} in {letters:#?}"))
    };
    assert!(attribute(of("old"), "nephos-reason").contains("it is too old"));
    assert_eq!(attribute(of("old"), "nephos-attempts"), "1");
    assert_eq!(
        attribute(of("old"), "colour"),
        "red",
        "the message's own attribute is lost"
    );
    // SQS itself moved this one, as it was: its reason is in the function's log.
    of("never");
    assert!(app.peek("worker/never#3").is_some());
    for beyond in ["worker/thrice#4", "worker/old#2", "worker/never#4"] {
        assert_eq!(app.peek(beyond), None, "{beyond}");
    }
}

pub(super) fn ordered_queue(app: &Deployed) {
    for (name, group) in [("1", "a"), ("2", "a"), ("3", "b"), ("4", "a")] {
        let params = json!({
            "QueueUrl": app.stack["QueueTasksInOrder"], "MessageBody": json!({"name": name}).to_string(),
            "MessageGroupId": group, "MessageDeduplicationId": name,
        });
        app.call("sqs", "send_message", params);
    }
    let at = |name: &str, group: &str| {
        let seen = app.seen(&format!("in-order/{name}"));
        assert_eq!(seen["seen"]["group"], group, "{seen:#}");
        seen["at_us"].as_i64().unwrap()
    };
    let (one, two, four) = (at("1", "a"), at("2", "a"), at("4", "a"));
    at("3", "b");
    assert!(one < two && two < four, "{one} {two} {four}");
}

pub(super) fn topic(app: &Deployed) {
    for (message, kind) in [("rain", "weather"), ("goal", "sport")] {
        let params = json!({
            "TopicArn": app.stack["TopicNews"], "Message": message, "Subject": "today",
            "MessageAttributes": {"kind": {"DataType": "String", "StringValue": kind}},
        });
        app.call("sns", "publish", params);
    }
    let heard = app.seen("heard/goal");
    assert_eq!(
        heard["seen"],
        json!({"topic": "news", "subject": "today", "attributes": {"kind": "sport"}})
    );
    assert_eq!(app.peek("heard/rain"), None, "the filter lets all through");
}

pub(super) fn stream(app: &Deployed) {
    for task in [
        json!({"name": "r1"}),
        json!({"name": "r2", "reject": "the sensor is broken"}),
    ] {
        let params =
            json!({"StreamName": app.stack["StreamReadings"], "Data": task.to_string(), "PartitionKey": "k"});
        app.call("kinesis", "put_record", params);
    }
    let read = app.seen("reader/r1");
    assert_eq!(
        (&read["seen"]["stream"], &read["seen"]["key"]),
        (&json!("readings"), &json!("k"))
    );
    app.seen("reader/r2");
    let letter = wait("the record's letter", || {
        let letters = app.aws.sdk().letters(&app.stack["QueueGivenUp"]);
        let of_stream = |letter: &Value| letter["Body"].as_str().unwrap().contains("r2");
        letters.into_iter().find(of_stream)
    });
    assert!(attribute(&letter, "nephos-reason").contains("the sensor is broken"));
    assert_eq!(attribute(&letter, "nephos-function"), "reader");
}

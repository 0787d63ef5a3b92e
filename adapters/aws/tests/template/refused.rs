//! What is refused before anything is sent, and what is told instead of being dropped silently.

use nephos_core::ErrorKind;
use serde_json::{Value, json};

use crate::apps::{app, properties, rendered, try_render};

/// The message with which an app is refused.
fn refused(value: Value) -> String {
    match try_render(&app(value.clone())) {
        Ok(_) => panic!("nothing refuses {value}"),
        Err(error) => error.to_string(),
    }
}

fn function(change: Value) -> Value {
    json!({"resources": {"b": {"kind": "bucket"}, "q": {"kind": "queue"}, "f": {"kind": "queue", "ordered": true}}, "functions": {"work": change}})
}

#[test]
fn limits_of_one_function_name_what_was_asked_and_what_there_is() {
    let seconds = |secs: u64| json!({"secs": secs, "nanos": 0});
    let long = "x".repeat(4050);
    for (change, parts) in [
        (
            json!({"memory": 10_241_u64 << 20}),
            ["memory_mib=10241", "max_memory_mib=10240"],
        ),
        (
            json!({"timeout": seconds(901)}),
            ["timeout_s=901", "max_timeout_s=900"],
        ),
        (
            json!({"ephemeral_storage": 10_241_u64 << 20}),
            ["ephemeral_storage_mib=10241", "max_ephemeral_storage_mib=10240"],
        ),
        (
            json!({"env": {"BIG": long}}),
            ["bytes_at_least=", "max_bytes=4096"],
        ),
        (
            json!({"env": {"AWS_REGION": "x"}}),
            ["variable=AWS_REGION", "keeps this variable"],
        ),
        (json!({"env": {"A": "x"}}), ["variable=A", "two or more"]),
        (json!({"isolation": "invocation"}), ["isolation", "function=work"]),
        (
            json!({"on": [{"kind": "queue", "queue": "q", "batch": 10_001}]}),
            ["batch=10001", "max_batch=10000"],
        ),
        (
            json!({"on": [{"kind": "schedule", "schedule": "every 30 seconds", "every": seconds(30), "timezone": "UTC"}]}),
            ["whole minutes", "schedule=every 30 seconds"],
        ),
        (
            json!({"on": [{"kind": "schedule", "schedule": "0 6 1 * 1", "timezone": "UTC"}]}),
            ["two schedules", "schedule=0 6 1 * 1"],
        ),
        (
            json!({"on": [{"kind": "auth", "stage": "before_token"}]}),
            ["key=target.aws.user_pool", "function=work"],
        ),
        (
            json!({"on": [{"kind": "voice", "skill": "kitchen"}]}),
            ["key=target.aws.skills", "skill=kitchen"],
        ),
    ] {
        let error = refused(function(change));
        assert!(
            parts.iter().all(|part| error.contains(part)),
            "{parts:?}: {error}"
        );
    }
}

#[test]
fn an_ordered_queue_takes_ten_messages_at_once_and_no_more() {
    let app = |batch: u32| function(json!({"on": [{"kind": "queue", "queue": "f", "batch": batch}]}));
    assert!(refused(app(11)).contains("max_batch=10"));
    let template = rendered(&crate::apps::app(app(10)));
    assert_eq!(properties(&template, "QueueWorkDeadLetter")["FifoQueue"], true);
}

#[test]
fn filters_that_overlap_are_refused_with_both_functions_and_exclusive_ones_are_not() {
    let two = |one: (&str, &str, &str), other: (&str, &str, &str)| {
        let on = |(event, prefix, suffix): (&str, &str, &str)| json!({"on": [{"kind": "bucket", "bucket": "b", "event": event, "prefix": prefix, "suffix": suffix}]});
        app(json!({"resources": {"b": {"kind": "bucket"}}, "functions": {"one": on(one), "two": on(other)}}))
    };
    for (one, other) in [
        (("created", "", ""), ("created", "", "")),
        (("created", "in/", ""), ("any", "in/raw/", "")),
        (("created", "in/", ".jpg"), ("created", "", "g")),
    ] {
        let error = try_render(&two(one, other)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let error = error.to_string();
        for part in ["bucket=b", "function=one", "other_function=two", "topic"] {
            assert!(error.contains(part), "{error}");
        }
    }
    for (one, other) in [
        (("created", "", ""), ("deleted", "", "")),
        (("created", "in/", ""), ("created", "out/", "")),
        (("created", "in/", ".jpg"), ("created", "in/", ".png")),
    ] {
        try_render(&two(one, other)).unwrap();
    }
}

#[test]
fn dead_letters_of_an_ordered_queue_and_of_others_do_not_share_a_queue() {
    let on =
        json!([{"kind": "queue", "queue": "f", "batch": 1}, {"kind": "queue", "queue": "q", "batch": 1}]);
    let error = refused(function(json!({"on": on})));
    assert!(
        error.contains("queue without order") && error.contains("dead_letter=work-dead-letter"),
        "{error}"
    );
    let error = refused(function(
        json!({"on": [{"kind": "queue", "queue": "f", "batch": 1}], "dead_letter": "q"}),
    ));
    assert!(
        error.contains("must be ordered too") && error.contains("dead_letter=q"),
        "{error}"
    );
}

#[test]
fn two_receivers_of_one_queue_must_agree_on_its_dead_letters() {
    let on = json!([{"kind": "queue", "queue": "q", "batch": 1}]);
    let error = refused(json!({
        "resources": {"q": {"kind": "queue"}},
        "functions": {"one": {"on": on}, "two": {"on": on}},
    }));
    assert!(
        error.contains("queue=q") && error.contains("other_dead_letter=one-dead-letter"),
        "{error}"
    );
    let agreed = app(json!({
        "resources": {"q": {"kind": "queue"}, "dead": {"kind": "queue"}},
        "functions": {"one": {"on": on, "dead_letter": "dead"}, "two": {"on": on, "dead_letter": "dead"}},
    }));
    assert_eq!(
        properties(&rendered(&agreed), "QueueQ")["RedrivePolicy"],
        json!({"deadLetterTargetArn": {"Fn::GetAtt": ["QueueDead", "Arn"]}, "maxReceiveCount": 3})
    );
}

#[test]
fn the_same_source_twice_is_refused() {
    let on =
        json!([{"kind": "queue", "queue": "q", "batch": 1}, {"kind": "queue", "queue": "q", "batch": 2}]);
    let error = refused(function(json!({"on": on})));
    assert!(error.contains("two triggers on the same source"), "{error}");
}

#[test]
fn names_that_s3_refuses_are_refused_before_s3_does() {
    let mut shop = app(json!({"resources": {"b": {"kind": "bucket"}}}));
    shop.name = "sthree-shop".to_owned();
    let error = try_render(&shop).unwrap_err().to_string();
    assert!(
        error.contains("prefix=sthree-") && error.contains("target.aws.stack"),
        "{error}"
    );
    // The longest names that the manifest takes still make a name of at most 63 letters with account and region.
    let long = "b".repeat(63);
    let shop = app(json!({"name": "a".repeat(63), "resources": {long.clone(): {"kind": "bucket"}}}));
    let template = rendered(&shop);
    let (_, bucket) = crate::apps::of_type(&template, "AWS::S3::Bucket")[0];
    let name = bucket["Properties"]["BucketName"]["Fn::Sub"].as_str().unwrap();
    let filled = name
        .replace("${AWS::AccountId}", "123456789012")
        .replace("${AWS::Region}", "ap-southeast-1");
    assert_eq!(filled.len(), 63, "{filled}");
}

#[test]
fn an_embedded_store_is_refused_and_a_trigger_on_a_store_outside_is_told() {
    let bucket = |endpoint: &str| {
        json!({
            "resources": {"b": {"kind": "bucket", "url": "s3://evidence", "endpoint": endpoint}},
            "functions": {"work": {"on": [{"kind": "bucket", "bucket": "b", "event": "created", "prefix": "", "suffix": ""}]}},
        })
    };
    assert!(refused(bucket("embedded")).contains("bucket=b"));
    let template = rendered(&app(bucket("https://storage.example.net")));
    assert!(
        template
            .notes
            .iter()
            .any(|note| note.contains("not called for objects of bucket `b`")),
        "{:?}",
        template.notes
    );
}

#[test]
fn an_app_that_one_stack_cannot_hold_is_refused_with_its_counts() {
    let functions: serde_json::Map<String, Value> = (0..101)
        .map(|number| (format!("work-n{number}"), json!({})))
        .collect();
    let error = try_render(&app(json!({ "functions": functions }))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
    let error = error.to_string();
    for part in ["resources=505", "max_resources=500", "functions=101", "split"] {
        assert!(error.contains(part), "{error}");
    }
    let functions: serde_json::Map<String, Value> = (0..99)
        .map(|number| (format!("work-n{number}"), json!({})))
        .collect();
    assert_eq!(
        rendered(&app(json!({ "functions": functions }))).resource_count(),
        495
    );
}

#[test]
fn a_template_of_more_than_a_mebibyte_is_refused() {
    let change: serde_json::Map<String, Value> = [("Description".to_owned(), "x".repeat(1 << 20).into())]
        .into_iter()
        .collect();
    let error = refused(json!({"targets": {"aws": {"overrides": {"Metadata": change}}}}));
    assert!(error.contains("max_bytes=1000000"), "{error}");
}

#[test]
fn more_tries_than_lambda_makes_and_other_differences_are_told() {
    let template = rendered(&crate::apps::case("every-trigger"));
    for part in [
        "function `bucket`: events of buckets, topics, schedules and e-mail are tried 3 times, not 5",
        "function `schedule` gets 128 MiB of memory, not 64",
        "queue `jobs` hides a received message for 181 s, not 30",
        "the HTTP API answers its callers with an error after 30 s, though the function may take 45 s",
        "secret `api-key` has no value until you set one",
        "PreSignUp, PreTokenGeneration",
        "skill `kitchen`",
        "set-active-receipt-rule-set --rule-set-name every-mail",
    ] {
        assert!(
            template.notes.iter().any(|note| note.contains(part)),
            "{part}: {:#?}",
            template.notes
        );
    }
}

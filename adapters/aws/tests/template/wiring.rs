//! How the parts of a template fit: what the function is told, what a deployment changes, what outlives the stack.

use std::collections::BTreeSet;

use nephos_aws::deploy::settings::Settings;
use nephos_aws::deploy::template::{Code, Template, render};
use nephos_aws::variables::MAIL;
use nephos_core::app::Resource;
use nephos_core::env;
use nephos_core::wiring::{PHYSICAL, Wiring};
use serde_json::{Value, json};

use crate::apps::{CASES, app, case, of_type, properties, rendered, resource};

/// A variable of a function, filled in as CloudFormation would: every name becomes itself in angle brackets.
fn variable(template: &Template, function: &str, name: &str) -> Option<String> {
    let value = &properties(template, function)["Environment"]["Variables"][name];
    if let Some(plain) = value.as_str() {
        return Some(plain.to_owned());
    }
    let mut rest = value["Fn::Sub"].as_str()?;
    let mut filled = String::new();
    while let Some((before, after)) = rest.split_once("${") {
        filled.push_str(before);
        match after.strip_prefix('!') {
            Some(literal) => {
                filled.push_str("${");
                rest = literal;
            }
            None => {
                let (name, tail) = after.split_once('}').unwrap();
                filled.push_str(&format!("<{name}>"));
                rest = tail;
            }
        }
    }
    filled.push_str(rest);
    Some(filled)
}

/// What a function is told of its resources and triggers.
fn told(template: &Template, function: &str) -> Wiring {
    serde_json::from_str(&variable(template, function, env::WIRING).unwrap()).unwrap()
}

#[test]
fn the_function_is_told_who_it_is_and_what_its_resources_are_called() {
    let template = rendered(&case("face-gate"));
    let text = |name: &str| variable(&template, "FunctionRecognise", name).unwrap();
    assert_eq!(text(env::FUNCTION), "recognise");
    assert_eq!(text(env::APP), "face-gate");
    assert_eq!(text(env::TARGET), "aws");
    let told = told(&template, "FunctionRecognise");
    assert_eq!(told.dead_letter.as_deref(), Some("<QueueUnreadable>"));
    let bindings = &told.bindings;
    let physical: Vec<(&str, Option<&str>)> = bindings
        .iter()
        .map(|binding| {
            let physical = binding.properties.get(PHYSICAL).map(String::as_str);
            (binding.name.as_str(), physical)
        })
        .collect();
    assert_eq!(
        physical,
        [
            ("archive", None),
            ("faces", Some("<TableFaces>")),
            (
                "snapshots",
                Some("face-gate-aws-snapshots-<AWS::AccountId>-<AWS::Region>")
            ),
            ("archive-keys", Some("<SecretArchiveKeys.Id>")),
        ]
    );
    assert_eq!(bindings[0].url.as_deref(), Some("s3://evidence"));
    assert!(
        bindings[3].access.is_empty(),
        "the function itself may not read the keys"
    );
    assert_eq!(
        json!(told.sources),
        json!({"face-gate-aws-snapshots-<AWS::AccountId>-<AWS::Region>": "snapshots"})
    );
    assert_eq!(
        (told.timeout, told.retry),
        (None, None),
        "they are Lambda's own settings"
    );
}

#[test]
fn routes_sources_keys_and_mails_are_told_where_there_are_any() {
    let hello = rendered(&case("hello-http"));
    assert_eq!(
        variable(&hello, "FunctionHello", env::WIRING).unwrap(),
        r#"{"routes":[{"method":"GET","path":"/hello/{name}"},{"method":"POST","path":"/hello"}]}"#
    );
    assert_eq!(variable(&hello, "FunctionHello", MAIL), None);
    let every = rendered(&case("every-trigger"));
    let http = told(&every, "FunctionHttp");
    assert_eq!(http.bindings.len(), 3);
    assert!(http.routes.is_empty(), "the API has matched the route");
    let sources = |function: &str| json!(told(&every, function).sources);
    assert_eq!(sources("FunctionQueue"), json!({"<QueueJobs.Arn>": "jobs"}));
    assert_eq!(sources("FunctionTopic"), json!({"<TopicNews>": "news"}));
    assert_eq!(sources("FunctionStream"), json!({"<StreamClicks.Arn>": "clicks"}));
    assert_eq!(sources("FunctionTable"), json!({"<TableUsers.Arn>": "users"}));
    assert_eq!(
        json!(told(&every, "FunctionTable").table_keys),
        json!({"users": {"key": "id", "sort": "at"}})
    );
    assert_eq!(
        variable(&every, "FunctionEmail", MAIL).unwrap(),
        "mail-of-every-<AWS::AccountId>-<AWS::Region>/mail/"
    );
}

#[test]
fn a_value_with_a_dollar_and_a_brace_arrives_as_it_was_written() {
    let every = rendered(&case("every-trigger"));
    assert_eq!(
        variable(&every, "FunctionHttp", "GREETING").unwrap(),
        "say \"hello\" for ${PRICE}"
    );
    let odd = app(json!({
        "resources": {"archive": {"kind": "bucket", "url": "s3://a${B}\"c", "endpoint": "https://x"}},
        "functions": {"work": {"uses": {"archive": ["read"]}, "on": [{"kind": "http", "path": "/"}]}},
    }));
    let told = told(&rendered(&odd), "FunctionWork");
    assert_eq!(told.bindings[0].url.as_deref(), Some("s3://a${B}\"c"));
}

#[test]
fn everything_calls_the_alias_and_nothing_calls_the_function_itself() {
    let mut calls = 0;
    for name in CASES {
        let template = rendered(&case(name));
        for (id, resource) in template.body["Resources"].as_object().unwrap() {
            let ty = resource["Type"].as_str().unwrap();
            let own = [
                "AWS::Lambda::Version",
                "AWS::Lambda::Alias",
                "AWS::Lambda::EventInvokeConfig",
                "AWS::Lambda::Url",
            ];
            if own.contains(&ty) {
                let qualified = resource["Properties"]["Qualifier"] == "live";
                assert_eq!(
                    qualified,
                    ty.ends_with("Config") || ty.ends_with("Url"),
                    "{name}: {id}"
                );
                continue;
            }
            let text = resource["Properties"].to_string();
            for (function, _) in of_type(&template, "AWS::Lambda::Function") {
                assert!(
                    !text.contains(&format!("\"{function}\"")),
                    "{name}: {id} names {function}"
                );
            }
            calls += text.matches("\"Live").count();
        }
    }
    assert!(calls > 20, "{calls}");
}

fn versions(template: &Template) -> BTreeSet<String> {
    let versions = of_type(template, "AWS::Lambda::Version");
    versions.into_iter().map(|(id, _)| id.to_owned()).collect()
}

/// How many functions of `orders` get a new version with these settings.
fn renewed_by(settings: Value) -> usize {
    let before = versions(&rendered(&case("orders")));
    let mut orders = case("orders");
    orders.targets.insert("aws".to_owned(), settings);
    let after = versions(&rendered(&orders));
    assert_eq!(before.len(), after.len());
    before.difference(&after).count()
}

#[test]
fn new_code_gives_every_function_a_new_version_wherever_it_lies() {
    let code = |bucket: &str, key: &str| Code {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
    };
    let of = |code: &Code| versions(&render(&case("orders"), "aws", &Settings::default(), code).unwrap());
    let before = of(&code("artifacts", "one.zip"));
    assert_eq!(before, of(&code("artifacts", "one.zip")));
    assert_eq!(before, of(&code("elsewhere", "one.zip")), "the code is the same");
    assert_eq!(before.len(), 6);
    assert!(before.is_disjoint(&of(&code("artifacts", "two.zip"))));
}

#[test]
fn only_what_a_version_holds_gives_a_new_one() {
    let place = |properties: Value| json!({"overrides": {"Resources": {"FunctionPlace": {"Properties": properties}}}});
    assert_eq!(renewed_by(json!({})), 0);
    assert_eq!(renewed_by(json!({"log_retention_days": 7})), 0);
    assert_eq!(renewed_by(json!({"tags": {"team": "web"}})), 0);
    assert_eq!(renewed_by(json!({"reserve_concurrency": "all"})), 0);
    assert_eq!(renewed_by(place(json!({"RecursiveLoop": "Terminate"}))), 0);
    assert_eq!(renewed_by(place(json!({"MemorySize": 512}))), 1);
    assert_eq!(renewed_by(json!({"tracing": true})), 6);
}

#[test]
fn a_queue_that_becomes_another_gives_those_who_name_it_a_new_version() {
    let before = versions(&rendered(&case("orders")));
    let mut orders = case("orders");
    let Some(Resource::Queue(queue)) = orders.resources.get_mut("incoming") else {
        panic!("no queue");
    };
    queue.ordered = true;
    let after = versions(&rendered(&orders));
    let renewed: Vec<&String> = before.difference(&after).collect();
    let [fulfil, place] = renewed.as_slice() else {
        panic!("{renewed:?}");
    };
    assert!(fulfil.starts_with("VersionFulfil") && place.starts_with("VersionPlace"));
}

#[test]
fn buckets_and_tables_outlive_the_stack_and_versions_their_place_in_it_and_nothing_else_does() {
    let mut kept = 0;
    for name in CASES {
        let template = rendered(&case(name));
        for (id, resource) in template.body["Resources"].as_object().unwrap() {
            let ty = resource["Type"].as_str().unwrap();
            let data = ty == "AWS::DynamoDB::Table" || (ty == "AWS::S3::Bucket" && id != "MailBucket");
            let policies = (&resource["DeletionPolicy"], &resource["UpdateReplacePolicy"]);
            if data {
                assert_eq!(
                    policies,
                    (&json!("RetainExceptOnCreate"), &json!("Retain")),
                    "{name}: {id}"
                );
                kept += 1;
            } else if ty == "AWS::Lambda::Version" {
                // The way back; they go with their function.
                assert_eq!(policies, (&json!("Retain"), &Value::Null), "{name}: {id}");
            } else {
                assert_eq!(policies, (&Value::Null, &Value::Null), "{name}: {id}");
            }
        }
    }
    assert_eq!(kept, 6);
}

#[test]
fn names_of_buckets_are_written_out_for_an_account_and_nothing_else_changes() {
    let template = rendered(&case("face-gate"));
    let filled = template.clone().in_account("123456789012", "eu-west-1");
    assert_eq!(
        properties(&filled, "BucketSnapshots")["BucketName"],
        "face-gate-aws-snapshots-123456789012-eu-west-1"
    );
    let mut back = filled.body;
    *back
        .pointer_mut("/Resources/BucketSnapshots/Properties/BucketName")
        .unwrap() = properties(&template, "BucketSnapshots")["BucketName"].clone();
    assert_eq!(back, template.body);
}

#[test]
fn every_resource_says_whose_it_is() {
    let mut tagged = 0;
    for name in CASES {
        let template = rendered(&case(name));
        for (id, resource) in template.body["Resources"].as_object().unwrap() {
            assert_eq!(resource["Metadata"]["nephos:app"], name, "{id}");
            assert_eq!(resource["Metadata"]["nephos:target"], "aws", "{id}");
            assert!(resource["Metadata"]["nephos:kind"].is_string(), "{id}");
            let tags = &resource["Properties"]["Tags"];
            let tag = match tags {
                Value::Array(tags) => tags
                    .iter()
                    .find(|tag| tag["Key"] == "nephos:app")
                    .map(|tag| &tag["Value"]),
                Value::Object(tags) => tags.get("nephos:app"),
                _ => continue,
            };
            assert_eq!(tag, Some(&json!(name)), "{id}");
            tagged += 1;
        }
    }
    assert!(tagged > 60, "{tagged}");
}

#[test]
fn few_instances_are_reserved_and_the_settings_can_say_otherwise() {
    let reserved = |most: u32, settings: Value| {
        let app = app(json!({"functions": {"work": {"max_instances": most}}, "targets": {"aws": settings}}));
        properties(&rendered(&app), "FunctionWork")["ReservedConcurrentExecutions"].clone()
    };
    assert_eq!(reserved(1, json!({})), 1);
    assert_eq!(reserved(10, json!({})), Value::Null);
    assert_eq!(reserved(50, json!({})), Value::Null);
    assert_eq!(reserved(50, json!({"reserve_concurrency": "all"})), 50);
    assert_eq!(reserved(1, json!({"reserve_concurrency": "none"})), Value::Null);
}

#[test]
fn a_bucket_comes_after_the_permission_to_call_for_it() {
    let template = rendered(&case("face-gate"));
    let bucket = resource(&template, "BucketSnapshots");
    let after: Vec<&str> = bucket["DependsOn"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap())
        .collect();
    let [permission] = after.as_slice() else {
        panic!("{after:?}");
    };
    assert_eq!(properties(&template, permission)["Principal"], "s3.amazonaws.com");
    assert_eq!(
        bucket["Properties"]["NotificationConfiguration"],
        json!({"LambdaConfigurations": [{"Event": "s3:ObjectCreated:*", "Function": {"Ref": "LiveRecognise"}}]})
    );
}

#[test]
fn overrides_have_the_last_word() {
    let app = app(json!({
        "functions": {"work": {"on": [{"kind": "http", "path": "/"}]}},
        "targets": {"aws": {"overrides": {
            "Resources": {"FunctionWork": {"Properties": {"MemorySize": 512, "Handler": null}}, "Extra": {"Type": "AWS::SNS::Topic"}},
            "Outputs": {"UrlWork": null},
        }}},
    }));
    let template = rendered(&app);
    let function = properties(&template, "FunctionWork");
    assert_eq!(
        (&function["MemorySize"], &function["Handler"]),
        (&json!(512), &Value::Null)
    );
    assert_eq!(resource(&template, "Extra")["Type"], "AWS::SNS::Topic");
    assert!(
        !template.outputs.contains_key("UrlWork"),
        "what is not in the template is not told"
    );
}

#[test]
fn space_for_temporary_files_is_written_where_it_is_more_than_lambda_gives_anyway() {
    let with = |mib: u64| {
        let function = json!({"ephemeral_storage": mib << 20});
        rendered(&app(json!({"functions": {"work": function}})))
    };
    let size = |template: &Template| properties(template, "FunctionWork")["EphemeralStorage"]["Size"].clone();
    assert_eq!(size(&with(513)), 513);
    assert_eq!(size(&with(10_240)), 10_240);
    let usual = with(512);
    assert_eq!((size(&usual), usual.notes.len()), (Value::Null, 0));
    let little = with(100);
    assert_eq!(size(&little), Value::Null);
    assert!(
        little.notes[0].contains("512 MiB for temporary files, not 100"),
        "{:?}",
        little.notes
    );
}

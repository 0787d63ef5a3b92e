//! Least privilege, read back from the rendered roles: each access of each kind allows exactly its actions, on exactly its resource.

use nephos_aws::deploy::template::Template;
use nephos_core::resource::ResourceKind;
use serde_json::{Value, json};

use crate::apps::{CASES, app, case, of_type, properties, rendered};

/// Allowed actions and resources of a role, one pair each, sorted.
fn allowed(template: &Template, role: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for policy in properties(template, role)["Policies"].as_array().unwrap() {
        for statement in policy["PolicyDocument"]["Statement"].as_array().unwrap() {
            assert_eq!(statement["Effect"], "Allow");
            for action in statement["Action"].as_array().unwrap() {
                for resource in statement["Resource"].as_array().unwrap() {
                    pairs.push((action.as_str().unwrap().to_owned(), text(resource)));
                }
            }
        }
    }
    pairs.sort_unstable();
    pairs
}

fn text(value: &Value) -> String {
    value["Fn::Sub"]
        .as_str()
        .or_else(|| value.as_str())
        .unwrap()
        .to_owned()
}

fn logs(function: &str) -> Vec<(String, String)> {
    ["logs:CreateLogStream", "logs:PutLogEvents"]
        .map(|action| (action.to_owned(), format!("${{Logs{function}.Arn}}")))
        .to_vec()
}

/// What a role allows besides writing its own logs.
fn beyond_logs(template: &Template, function: &str) -> Vec<(String, String)> {
    let own = logs(function);
    let all = allowed(template, &format!("Role{function}"));
    assert!(own.iter().all(|pair| all.contains(pair)), "{all:?}");
    all.into_iter().filter(|pair| !own.contains(pair)).collect()
}

fn pairs(actions: &[&str], resource: &str) -> Vec<(String, String)> {
    actions
        .iter()
        .map(|action| ((*action).to_owned(), resource.to_owned()))
        .collect()
}

/// The resource `thing` of each kind.
fn thing(kind: ResourceKind) -> Value {
    let mut thing = json!({"kind": kind.name()});
    if kind == ResourceKind::Table {
        thing["key"] = "id".into();
    }
    thing
}

#[test]
fn each_access_of_each_kind_allows_its_actions_on_its_resource_and_nothing_else() {
    let bucket = "arn:${AWS::Partition}:s3:::shop-aws-thing-${AWS::AccountId}-${AWS::Region}";
    let objects = format!("{bucket}/*");
    let mut seen = 0;
    for kind in ResourceKind::ALL {
        for access in kind.access() {
            let expected = match (kind.name(), access.name()) {
                ("bucket", "read") => {
                    let mut both = pairs(&["s3:GetObject"], &objects);
                    both.extend(pairs(&["s3:ListBucket"], bucket));
                    both
                }
                ("bucket", "write") => pairs(&["s3:AbortMultipartUpload", "s3:PutObject"], &objects),
                ("bucket", "delete") => pairs(&["s3:DeleteObject"], &objects),
                ("queue", "send") => pairs(&["sqs:SendMessage"], "${QueueThing.Arn}"),
                ("queue", "receive") => pairs(
                    &[
                        "sqs:ChangeMessageVisibility",
                        "sqs:DeleteMessage",
                        "sqs:GetQueueAttributes",
                        "sqs:ReceiveMessage",
                    ],
                    "${QueueThing.Arn}",
                ),
                ("topic", "publish") => pairs(&["sns:Publish"], "${TopicThing}"),
                ("stream", "read") => pairs(
                    &[
                        "kinesis:GetRecords",
                        "kinesis:GetShardIterator",
                        "kinesis:ListShards",
                    ],
                    "${StreamThing.Arn}",
                ),
                ("stream", "write") => {
                    pairs(&["kinesis:PutRecord", "kinesis:PutRecords"], "${StreamThing.Arn}")
                }
                ("table", "read") => pairs(
                    &["dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"],
                    "${TableThing.Arn}",
                ),
                ("table", "write") => pairs(&["dynamodb:PutItem"], "${TableThing.Arn}"),
                ("table", "delete") => pairs(&["dynamodb:DeleteItem"], "${TableThing.Arn}"),
                ("secret", "read") => pairs(&["secretsmanager:GetSecretValue"], "${SecretThing.Id}"),
                (kind, access) => panic!("{access} of a {kind} has no expectation"),
            };
            let app = app(json!({
                "resources": {"thing": thing(kind), "other": thing(kind)},
                "functions": {"work": {"uses": {"thing": [access]}}},
            }));
            assert_eq!(
                beyond_logs(&rendered(&app), "Work"),
                expected,
                "{access} of a {kind}"
            );
            seen += 1;
        }
    }
    assert_eq!(seen, 12);
}

#[test]
fn each_trigger_allows_what_lambda_does_for_it_under_the_functions_role() {
    let dead_letter = pairs(&["sqs:SendMessage"], "${QueueWorkDeadLetter.Arn}");
    for (trigger, expected) in [
        (json!({"kind": "http", "path": "/"}), vec![]),
        (
            json!({"kind": "bucket", "bucket": "b", "event": "created", "prefix": "", "suffix": ""}),
            dead_letter.clone(),
        ),
        (
            json!({"kind": "topic", "topic": "t", "filter": {}}),
            dead_letter.clone(),
        ),
        (
            json!({"kind": "schedule", "schedule": "0 6 * * *", "timezone": "UTC"}),
            dead_letter.clone(),
        ),
        (json!({"kind": "queue", "queue": "q", "batch": 1}), {
            let mut all = pairs(
                &[
                    "sqs:DeleteMessage",
                    "sqs:GetQueueAttributes",
                    "sqs:ReceiveMessage",
                ],
                "${QueueQ.Arn}",
            );
            all.extend(dead_letter.clone());
            all
        }),
        (json!({"kind": "stream", "stream": "s", "batch": 1}), {
            let mut all = pairs(
                &[
                    "kinesis:DescribeStream",
                    "kinesis:DescribeStreamSummary",
                    "kinesis:GetRecords",
                    "kinesis:GetShardIterator",
                    "kinesis:ListShards",
                ],
                "${StreamS.Arn}",
            );
            all.extend(dead_letter.clone());
            all
        }),
        (
            json!({"kind": "table", "table": "d", "events": ["inserted"], "batch": 1}),
            {
                let mut all = pairs(
                    &[
                        "dynamodb:DescribeStream",
                        "dynamodb:GetRecords",
                        "dynamodb:GetShardIterator",
                    ],
                    "${TableD.StreamArn}",
                );
                all.extend(pairs(&["dynamodb:ListStreams"], "${TableD.Arn}/stream/*"));
                all.extend(dead_letter.clone());
                all
            },
        ),
        (json!({"kind": "email", "address": "*"}), {
            let mail = "arn:${AWS::Partition}:s3:::mail-of-shop-aws-${AWS::AccountId}-${AWS::Region}/*";
            let mut all = pairs(&["s3:GetObject"], mail);
            all.extend(dead_letter.clone());
            all
        }),
        (json!({"kind": "auth", "stage": "before_token"}), vec![]),
        (json!({"kind": "voice", "skill": "k"}), vec![]),
    ] {
        let kind = trigger["kind"].clone();
        let app = app(json!({
            "resources": {
                "b": {"kind": "bucket"}, "q": {"kind": "queue"}, "t": {"kind": "topic"}, "s": {"kind": "stream"},
                "d": {"kind": "table", "key": "id"},
            },
            "functions": {"work": {"on": [trigger]}},
            "targets": {"aws": {"user_pool": "eu-west-1_a", "skills": {"k": "amzn1.ask.skill.1"}}},
        }));
        let mut expected = expected;
        expected.sort_unstable();
        assert_eq!(beyond_logs(&rendered(&app), "Work"), expected, "{kind}");
    }
}

#[test]
fn a_store_outside_the_target_is_reached_by_its_secret_alone() {
    let template = rendered(&case("face-gate"));
    let of_archive: Vec<(String, String)> = beyond_logs(&template, "Recognise")
        .into_iter()
        .filter(|(_, resource)| resource.contains("rchive") || resource.contains("evidence"))
        .collect();
    assert_eq!(
        of_archive,
        pairs(&["secretsmanager:GetSecretValue"], "${SecretArchiveKeys.Id}")
    );
    assert_eq!(
        beyond_logs(&template, "Known"),
        pairs(
            &["dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"],
            "${TableFaces.Arn}"
        )
    );
}

#[test]
fn secrets_that_exist_already_are_named_as_closely_as_can_be() {
    let granted = beyond_logs(&rendered(&case("every-trigger")), "Http");
    let account = "${AWS::Region}:${AWS::AccountId}";
    let expected = |action: &str, resource: String| (action.to_owned(), resource);
    assert_eq!(
        granted,
        [
            expected("secretsmanager:GetSecretValue", "${SecretApiKey.Id}".to_owned()),
            expected(
                "secretsmanager:GetSecretValue",
                format!("arn:${{AWS::Partition}}:secretsmanager:{account}:secret:prod/password-??????")
            ),
            expected(
                "ssm:GetParameter",
                format!("arn:${{AWS::Partition}}:ssm:{account}:parameter/prod/flag")
            ),
            expected("xray:PutTelemetryRecords", "*".to_owned()),
            expected("xray:PutTraceSegments", "*".to_owned()),
        ]
    );
}

#[test]
fn no_role_has_an_action_with_a_star_and_only_x_ray_has_no_resource() {
    let mut looked_at = 0;
    for name in CASES {
        let template = rendered(&case(name));
        for (role, _) in of_type(&template, "AWS::IAM::Role") {
            for (action, resource) in allowed(&template, role) {
                assert!(!action.contains('*'), "{name}: {role} allows {action}");
                let whole = resource == "*" || resource.ends_with(":*") || resource.contains(":::*");
                assert!(
                    !whole || action.starts_with("xray:"),
                    "{name}: {role} allows {action} on {resource}"
                );
                looked_at += 1;
            }
        }
    }
    assert!(looked_at > 50, "{looked_at}");
}

#[test]
fn every_caller_of_a_function_is_one_service_and_says_for_whom_it_calls() {
    let mut looked_at = 0;
    for name in CASES {
        let template = rendered(&case(name));
        for (id, permission) in of_type(&template, "AWS::Lambda::Permission") {
            let permission = &permission["Properties"];
            let bound = [
                "SourceArn",
                "EventSourceToken",
                "FunctionUrlAuthType",
                "InvokedViaFunctionUrl",
            ]
            .iter()
            .any(|key| !permission[*key].is_null());
            assert!(
                bound,
                "{name}: {id} lets {} call for anyone",
                permission["Principal"]
            );
            looked_at += 1;
        }
    }
    assert!(looked_at > 10, "{looked_at}");
}

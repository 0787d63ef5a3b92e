//! What each function of the examples may do on AWS: read from the rendered policies, all of it and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::{Aws, Project, done, manifest};

/// What a role allows: actions and on what, as written in the template.
type Allowed = BTreeSet<(String, String)>;

/// Every role of the rendered template, by its logical id.
fn rendered(example: &str) -> BTreeMap<String, Allowed> {
    let project = Project::of(example, &manifest(example, ""));
    let template: Value = serde_json::from_str(&done(&Aws::offline(&project, &["render"]))).unwrap();
    let resources = template["Resources"].as_object().unwrap().iter();
    resources
        .filter(|(_, resource)| resource["Type"] == "AWS::IAM::Role")
        .map(|(id, role)| (id.clone(), allowed(&role["Properties"])))
        .collect()
}

fn allowed(role: &Value) -> Allowed {
    assert!(role.get("ManagedPolicyArns").is_none(), "{role:#}");
    let policies = role["Policies"].as_array().unwrap();
    let statements = policies
        .iter()
        .flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().unwrap());
    let mut allowed = Allowed::new();
    for statement in statements {
        assert_eq!(statement["Effect"], "Allow", "{statement:#}");
        assert!(
            statement
                .get("NotAction")
                .or(statement.get("NotResource"))
                .is_none(),
            "{statement:#}"
        );
        for action in several(&statement["Action"]) {
            for resource in several(&statement["Resource"]) {
                let action = action.as_str().unwrap().to_owned();
                assert!(!action.contains('*'), "{action} is allowed with a star");
                let resource = named(resource);
                assert_ne!(resource, "*", "{action} is allowed on everything");
                allowed.insert((action, resource));
            }
        }
    }
    allowed
}

/// IAM takes one of a thing also without a list.
fn several(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(list) => list.iter().collect(),
        one => vec![one],
    }
}

/// A resource as text: what `Fn::Sub` would fill in stays as it is written, and `Fn::GetAtt` is written likewise.
fn named(resource: &Value) -> String {
    match (resource["Fn::Sub"].as_str(), resource["Fn::GetAtt"].as_array()) {
        (Some(text), _) => text.to_owned(),
        (_, Some(path)) => {
            let path: Vec<&str> = path.iter().map(|part| part.as_str().unwrap()).collect();
            format!("${{{}}}", path.join("."))
        }
        _ => resource.as_str().unwrap().to_owned(),
    }
}

/// Holds that a role allows each of `actions on resource`, and nothing else.
fn holds(roles: &mut BTreeMap<String, Allowed>, role: &str, grants: &[(&str, &str)]) {
    let expected: Allowed = grants
        .iter()
        .flat_map(|(actions, resource)| {
            actions
                .split(' ')
                .map(|action| (action.to_owned(), (*resource).to_owned()))
        })
        .collect();
    let there = roles.remove(role).unwrap_or_else(|| panic!("there is no {role}"));
    assert_eq!(there, expected, "{role}");
}

const LOGS: &str = "logs:CreateLogStream logs:PutLogEvents";
const TABLE_READ: &str = "dynamodb:GetItem dynamodb:Query dynamodb:Scan";

/// A bucket's ARN, as its name is written in the template.
fn bucket(stack: &str, name: &str, rest: &str) -> String {
    format!("arn:${{AWS::Partition}}:s3:::{stack}-{name}-${{AWS::AccountId}}-${{AWS::Region}}{rest}")
}

#[test]
fn the_functions_of_face_gate_may_do_what_they_need_and_nothing_else() {
    let mut roles = rendered("face-gate");
    let faces = "${TableFaces.Arn}";
    holds(
        &mut roles,
        "RoleRecognise",
        &[
            (LOGS, "${LogsRecognise.Arn}"),
            ("s3:ListBucket", &bucket("face-gate-aws", "snapshots", "")),
            (
                "s3:GetObject s3:DeleteObject",
                &bucket("face-gate-aws", "snapshots", "/*"),
            ),
            (TABLE_READ, faces),
            ("dynamodb:PutItem", faces),
            ("secretsmanager:GetSecretValue", "${SecretArchiveKeys.Id}"),
            ("sqs:SendMessage", "${QueueUnreadable.Arn}"),
        ],
    );
    holds(
        &mut roles,
        "RoleKnown",
        &[(LOGS, "${LogsKnown.Arn}"), (TABLE_READ, faces)],
    );
    assert!(roles.is_empty(), "{roles:#?}");
}

#[test]
fn the_functions_of_orders_may_do_what_they_need_and_nothing_else() {
    let mut roles = rendered("orders");
    let orders = "${TableOrders.Arn}";
    let receipts = bucket("orders-aws", "receipts", "/*");
    holds(
        &mut roles,
        "RolePlace",
        &[
            (LOGS, "${LogsPlace.Arn}"),
            ("sqs:SendMessage", "${QueueIncoming.Arn}"),
        ],
    );
    holds(
        &mut roles,
        "RoleStatus",
        &[(LOGS, "${LogsStatus.Arn}"), (TABLE_READ, orders)],
    );
    holds(
        &mut roles,
        "RoleFulfil",
        &[
            (LOGS, "${LogsFulfil.Arn}"),
            (TABLE_READ, orders),
            ("dynamodb:PutItem", orders),
            (
                "sqs:DeleteMessage sqs:GetQueueAttributes sqs:ReceiveMessage",
                "${QueueIncoming.Arn}",
            ),
            ("sqs:SendMessage", "${QueueFulfilDeadLetter.Arn}"),
        ],
    );
    holds(
        &mut roles,
        "RoleAnnounce",
        &[
            (LOGS, "${LogsAnnounce.Arn}"),
            (
                "dynamodb:DescribeStream dynamodb:GetRecords dynamodb:GetShardIterator",
                "${TableOrders.StreamArn}",
            ),
            ("dynamodb:ListStreams", "${TableOrders.Arn}/stream/*"),
            ("sns:Publish", "${TopicOrderEvents}"),
            ("sqs:SendMessage", "${QueueAnnounceDeadLetter.Arn}"),
        ],
    );
    holds(
        &mut roles,
        "RoleReceipt",
        &[
            (LOGS, "${LogsReceipt.Arn}"),
            ("s3:AbortMultipartUpload s3:PutObject", &receipts),
            ("sqs:SendMessage", "${QueueReceiptDeadLetter.Arn}"),
        ],
    );
    holds(
        &mut roles,
        "RoleReport",
        &[
            (LOGS, "${LogsReport.Arn}"),
            (TABLE_READ, orders),
            ("s3:AbortMultipartUpload s3:PutObject", &receipts),
            ("sqs:SendMessage", "${QueueReportDeadLetter.Arn}"),
        ],
    );
    // What is left is the schedule's: it may call that one function, and put what it cannot deliver into its queue.
    let left: Vec<&String> = roles.keys().collect();
    assert_eq!(left.len(), 1, "{roles:#?}");
    println!("{roles:#?}");
}

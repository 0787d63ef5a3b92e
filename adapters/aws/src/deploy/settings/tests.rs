//! Settings: what is read, and what each mistake is told.

use std::collections::BTreeMap;

use nephos_core::app::App;
use serde_json::{Value, json};

use super::{Architecture, HttpFront, Reserve, Settings};

fn app(settings: Value) -> App {
    let secret = serde_json::from_value(json!({"kind": "secret"})).unwrap();
    App {
        name: "shop".to_owned(),
        resources: [("keys".to_owned(), secret)].into(),
        functions: BTreeMap::new(),
        targets: [("aws".to_owned(), settings)].into(),
    }
}

fn refused(settings: Value) -> String {
    Settings::of(&app(settings), "aws").unwrap_err().to_string()
}

#[test]
fn a_target_without_settings_has_the_defaults() {
    let app = app(json!({}));
    let settings = Settings::of(&app, "aws").unwrap();
    assert_eq!(settings, Settings::default());
    assert_eq!(Settings::of(&app, "other").unwrap(), Settings::default());
    assert_eq!(settings.stack_name(&app, "aws"), "shop-aws");
    assert_eq!(settings.log_retention_days, 30);
}

#[test]
fn every_setting_is_read() {
    let settings = Settings::of(
        &app(json!({
            "region": "us-gov-east-1", "profile": "work", "architecture": "arm64", "log_retention_days": 7, "tracing": true,
            "http": "http_api", "stack": "shop-prod", "artifact_bucket": "code", "reserve_concurrency": "none",
            "permissions_boundary": "arn:aws:iam::123456789012:policy/bound", "user_pool": "eu-west-1_a1B2c3",
            "mail_rule_set": "inbound", "skills": {"kitchen": "amzn1.ask.skill.1"}, "secrets": {"keys": "prod/keys"},
            "tags": {"team": "web"}, "overrides": {"Description": "the shop"}, "response_streaming": "false",
        })),
        "aws",
    )
    .unwrap();
    let map = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    let expected = Settings {
        region: Some("us-gov-east-1".to_owned()),
        profile: Some("work".to_owned()),
        architecture: Architecture::Arm64,
        log_retention_days: 7,
        tracing: true,
        http: HttpFront::HttpApi,
        response_streaming: false,
        stack: Some("shop-prod".to_owned()),
        artifact_bucket: Some("code".to_owned()),
        reserve_concurrency: Reserve::None,
        permissions_boundary: Some("arn:aws:iam::123456789012:policy/bound".to_owned()),
        user_pool: Some("eu-west-1_a1B2c3".to_owned()),
        mail_rule_set: Some("inbound".to_owned()),
        skills: map("kitchen", "amzn1.ask.skill.1"),
        secrets: map("keys", "prod/keys"),
        tags: map("team", "web"),
        overrides: json!({"Description": "the shop"}),
    };
    assert_eq!(settings, expected);
}

#[test]
fn a_misspelt_key_is_told_the_one_that_was_meant() {
    let error = refused(json!({"regoin": "eu-west-1"}));
    assert!(error.contains("did you mean `region`?"), "{error}");
    assert!(error.contains("target.aws.regoin"), "{error}");
    let error = refused(json!({"colour": "blue"}));
    assert!(error.contains("`architecture`, `artifact_bucket`"), "{error}");
}

#[test]
fn a_misspelt_choice_is_told_the_one_that_was_meant() {
    let error = refused(json!({"architecture": "x86-64"}));
    assert!(error.contains("did you mean `x86_64`?"), "{error}");
    let error = refused(json!({"http": "load balancer"}));
    assert!(error.contains("one of `function_url`, `http_api`"), "{error}");
}

#[test]
fn values_of_the_wrong_type_or_form_are_refused_with_their_key() {
    for (settings, key, part) in [
        (json!({"region": "Ireland"}), "target.aws.region", "eu-west-1"),
        (json!({"region": 1}), "target.aws.region", "text"),
        (json!({"region": " "}), "target.aws.region", "not empty"),
        (
            json!({"log_retention_days": 2}),
            "target.aws.log_retention_days",
            "one of 1, 3, 5",
        ),
        (json!({"tracing": "yes"}), "target.aws.tracing", "true or false"),
        (json!({"stack": "Shop"}), "target.aws.stack", "lower-case"),
        (
            json!({"permissions_boundary": "bound"}),
            "target.aws.permissions_boundary",
            "ARN",
        ),
        (json!({"user_pool": "mine"}), "target.aws.user_pool", "user pool"),
        (
            json!({"skills": {"kitchen": "k"}}),
            "target.aws.skills",
            "amzn1.ask.skill.",
        ),
        (
            json!({"skills": {"kitchen": 1}}),
            "target.aws.skills.kitchen",
            "text",
        ),
        (
            json!({"skills": "kitchen"}),
            "target.aws.skills",
            "table of texts",
        ),
        (
            json!({"secrets": {"none": "arn"}}),
            "target.aws.secrets",
            "no secret",
        ),
        (
            json!({"tags": {"nephos:app": "x"}}),
            "target.aws.tags",
            "not yours",
        ),
        (json!({"overrides": []}), "target.aws.overrides", "table"),
        (
            json!({"http": "http_api", "response_streaming": true}),
            "target.aws.response_streaming",
            "buffers",
        ),
        (json!("text"), "target.aws", "table"),
    ] {
        let error = refused(settings);
        assert!(
            error.contains(&format!("key={key}")) && error.contains(part),
            "{error}"
        );
    }
}

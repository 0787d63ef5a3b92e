//! Settings: what is read, and what each mistake is told.

use std::collections::BTreeMap;

use nephos_core::app::App;
use serde_json::{Value, json};

use super::Settings;

const ID: &str = "0a1b2c3d-0000-4000-8000-0123456789ab";

fn app(settings: Value) -> App {
    let function = json!({
        "memory": 1, "timeout": {"secs": 1, "nanos": 0}, "on": [], "uses": {}, "env": {}, "dead_letter": "d", "concurrency": 1,
        "max_instances": 1, "isolation": "process",
        "retry": {"attempts": 1, "backoff": {"secs": 1, "nanos": 0}, "max_backoff": {"secs": 1, "nanos": 0}},
    });
    serde_json::from_value(json!({
        "name": "shop",
        "resources": {"keys": {"kind": "secret"}},
        "functions": {"place": function},
        "targets": {"azure": settings},
    }))
    .unwrap()
}

fn with(key: &str, value: Value) -> Value {
    let mut settings = json!({"location": "westeurope"});
    settings[key] = value;
    settings
}

fn refused(settings: Value) -> String {
    Settings::of(&app(settings), "azure").unwrap_err().to_string()
}

#[test]
fn only_the_region_must_be_said() {
    let app = app(json!({"location": "westeurope"}));
    let settings = Settings::of(&app, "azure").unwrap();
    assert_eq!(settings.stack_name(&app, "azure"), "shop-azure");
    assert_eq!(settings.group(&app), "shop");
    assert_eq!(settings.log_retention_days, 30);
    assert!(!settings.shared_key && settings.protect);
    let error = Settings::of(&app, "other").unwrap_err().to_string();
    assert!(
        error.contains("target.other.location") && error.contains("needs a region"),
        "{error}"
    );
}

#[test]
fn every_setting_is_read() {
    let settings = Settings::of(
        &app(json!({
            "location": "eastus2", "subscription": ID, "resource_group": "shops", "stack": "shop-prod", "log_retention_days": 90,
            "always_ready": {"place": 1}, "max_instances": 40, "http_concurrency": "16", "protect": false, "shared_key": true,
            "mail_secret": "keys", "auth_tenant": ID, "auth_app": ID,
            "skills": {"kitchen": "amzn1.ask.skill.1"}, "secrets": {"keys": "https://ours.vault.azure.net/secrets/keys"},
            "tags": {"team": "web"}, "overrides": {"resources": {}},
        })),
        "azure",
    )
    .unwrap();
    let map = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    let expected = Settings {
        location: "eastus2".to_owned(),
        subscription: Some(ID.to_owned()),
        resource_group: Some("shops".to_owned()),
        stack: Some("shop-prod".to_owned()),
        log_retention_days: 90,
        always_ready: BTreeMap::from([("place".to_owned(), 1)]),
        max_instances: Some(40),
        http_concurrency: Some(16),
        protect: false,
        shared_key: true,
        mail_secret: Some("keys".to_owned()),
        auth_tenant: Some(ID.to_owned()),
        auth_app: Some(ID.to_owned()),
        skills: map("kitchen", "amzn1.ask.skill.1"),
        secrets: map("keys", "https://ours.vault.azure.net/secrets/keys"),
        tags: map("team", "web"),
        overrides: json!({"resources": {}}),
    };
    assert_eq!(settings, expected);
}

#[test]
fn a_misspelt_key_is_told_the_one_that_was_meant() {
    let error = refused(with("resource-group", json!("shops")));
    assert!(error.contains("did you mean `resource_group`?"), "{error}");
}

#[test]
fn values_of_the_wrong_type_or_form_are_refused_with_their_key() {
    let tags: serde_json::Map<String, Value> = (0..47).map(|n| (format!("t{n}"), json!("x"))).collect();
    for (key, value, named, part) in [
        ("location", json!("West Europe"), "location", "small letters"),
        ("location", json!("chinaeast2"), "location", "public cloud"),
        ("subscription", json!("mine"), "subscription", "not an id"),
        ("auth_app", json!("mine"), "auth_app", "not an id"),
        ("resource_group", json!("a/b"), "resource_group", "brackets"),
        ("stack", json!("Shop"), "stack", "lower-case"),
        (
            "log_retention_days",
            json!(7),
            "log_retention_days",
            "from 30 to 730",
        ),
        ("max_instances", json!(0), "max_instances", "from 1 to 1000"),
        (
            "always_ready",
            json!({"place": 0}),
            "always_ready.place",
            "from 1 to 1000",
        ),
        ("always_ready", json!({"none": 1}), "always_ready", "no function"),
        ("shared_key", json!("yes"), "shared_key", "true or false"),
        ("mail_secret", json!("none"), "mail_secret", "no secret"),
        ("secrets", json!({"none": "x"}), "secrets", "no secret"),
        (
            "secrets",
            json!({"keys": "ours/keys"}),
            "secrets",
            "vault.azure.net",
        ),
        ("skills", json!({"kitchen": "k"}), "skills", "amzn1.ask.skill."),
        ("tags", json!({"nephos:app": "x"}), "tags", "not yours"),
        ("tags", json!({"a/b": "x"}), "tags", "takes no tag"),
        ("tags", Value::Object(tags), "tags", "46 tags"),
        ("overrides", json!([]), "overrides", "table"),
    ] {
        let error = refused(with(key, value));
        assert!(
            error.contains(&format!("key=target.azure.{named}")) && error.contains(part),
            "{error}"
        );
    }
}

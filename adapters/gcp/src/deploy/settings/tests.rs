//! Settings: what is read, and what each mistake is told.

use std::collections::BTreeMap;

use nephos_core::app::App;
use serde_json::{Value, json};

use super::Settings;

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
        "targets": {"gcp": settings},
    }))
    .unwrap()
}

fn with(key: &str, value: Value) -> Value {
    let mut settings = json!({"region": "europe-west1"});
    settings[key] = value;
    settings
}

fn refused(settings: Value) -> String {
    Settings::of(&app(settings), "gcp").unwrap_err().to_string()
}

#[test]
fn only_the_region_must_be_said() {
    let app = app(json!({"region": "europe-west1"}));
    let settings = Settings::of(&app, "gcp").unwrap();
    assert_eq!(settings.prefix(&app, "gcp"), "shop-gcp");
    assert!(settings.public && !settings.enable_apis);
    assert_eq!(settings.project, None);
    let error = Settings::of(&app, "other").unwrap_err().to_string();
    assert!(
        error.contains("target.other.region") && error.contains("needs a region"),
        "{error}"
    );
}

#[test]
fn every_setting_is_read() {
    let settings = Settings::of(
        &app(json!({
            "project": "example.com:my-shop", "region": "us-east5", "prefix": "shop-prod", "public": false, "enable_apis": true,
            "max_instances": 40, "min_instances": {"place": 1}, "concurrency": "16", "cpu": {"place": 4}, "mail_secret": "keys",
            "skills": {"kitchen": "amzn1.ask.skill.1"}, "secrets": {"keys": "projects/ours/secrets/keys/versions/7"},
            "labels": {"team": "web"}, "overrides": {"//run.googleapis.com/x": {}},
        })),
        "gcp",
    )
    .unwrap();
    let map = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    let counts = |count| BTreeMap::from([("place".to_owned(), count)]);
    let expected = Settings {
        project: Some("example.com:my-shop".to_owned()),
        region: "us-east5".to_owned(),
        prefix: Some("shop-prod".to_owned()),
        public: false,
        enable_apis: true,
        max_instances: Some(40),
        min_instances: counts(1),
        concurrency: Some(16),
        cpu: counts(4),
        mail_secret: Some("keys".to_owned()),
        skills: map("kitchen", "amzn1.ask.skill.1"),
        secrets: map("keys", "projects/ours/secrets/keys/versions/7"),
        labels: map("team", "web"),
        overrides: json!({"//run.googleapis.com/x": {}}),
    };
    assert_eq!(settings, expected);
}

#[test]
fn a_misspelt_key_is_told_the_one_that_was_meant() {
    let error = refused(with("min-instances", json!({})));
    assert!(error.contains("did you mean `min_instances`?"), "{error}");
}

#[test]
fn values_of_the_wrong_type_or_form_are_refused_with_their_key() {
    let labels: serde_json::Map<String, Value> = (0..61).map(|n| (format!("t{n}"), json!("x"))).collect();
    for (key, value, named, part) in [
        ("region", json!("Europe West"), "region", "form of a region"),
        ("region", json!("europe-west1-b"), "region", "zone's letter"),
        ("region", json!("eu"), "region", "form of a region"),
        ("project", json!("123456789012"), "project", "not by its number"),
        ("project", json!("My Shop"), "project", "by its id"),
        ("project", json!("com:my-shop"), "project", "by its id"),
        ("prefix", json!("Shop"), "prefix", "lower-case"),
        (
            "prefix",
            json!("a-prefix-of-many-letters-x"),
            "prefix",
            "at most 24",
        ),
        ("prefix", json!("goog-shop"), "prefix", "Google keeps"),
        ("public", json!("yes"), "public", "true or false"),
        ("max_instances", json!(0), "max_instances", "from 1 to 1000"),
        ("concurrency", json!(1001), "concurrency", "from 1 to 1000"),
        (
            "min_instances",
            json!({"place": 0}),
            "min_instances.place",
            "from 1 to 1000",
        ),
        (
            "min_instances",
            json!({"none": 1}),
            "min_instances",
            "no function",
        ),
        ("cpu", json!({"none": 1}), "cpu", "no function"),
        ("cpu", json!({"place": 3}), "cpu", "1, 2, 4, 6 or 8"),
        ("mail_secret", json!("none"), "mail_secret", "no secret"),
        ("secrets", json!({"none": "x"}), "secrets", "no secret"),
        (
            "secrets",
            json!({"keys": "ours/keys"}),
            "secrets",
            "projects/<project>/secrets/<name>",
        ),
        ("skills", json!({"kitchen": "k"}), "skills", "amzn1.ask.skill."),
        ("labels", json!({"nephos-app": "x"}), "labels", "not yours"),
        ("labels", json!({"Team": "x"}), "labels", "lower-case"),
        ("labels", json!({"team": "Web"}), "labels", "lower-case"),
        ("labels", Value::Object(labels), "labels", "60 labels"),
        ("overrides", json!([]), "overrides", "table"),
    ] {
        let error = refused(with(key, value));
        assert!(
            error.contains(&format!("key=target.gcp.{named}")) && error.contains(part),
            "{error}"
        );
    }
}

#[test]
fn an_app_whose_names_would_be_googles_is_told_to_choose_a_beginning() {
    let mut app = app(json!({"region": "europe-west1"}));
    app.name = "google-login".to_owned();
    let error = Settings::of(&app, "gcp").unwrap_err().to_string();
    assert!(error.contains("target.gcp.prefix"), "{error}");
    app.targets
        .insert("gcp".to_owned(), with("prefix", json!("login")));
    assert_eq!(Settings::of(&app, "gcp").unwrap().prefix(&app, "gcp"), "login");
}

#[test]
fn a_target_whose_name_is_no_part_of_a_name_is_told_to_choose_a_beginning() {
    let mut app = app(json!({"region": "europe-west1"}));
    app.targets
        .insert("GCP_eu".to_owned(), json!({"region": "europe-west1"}));
    let error = Settings::of(&app, "GCP_eu").unwrap_err().to_string();
    assert!(
        error.contains("key=target.GCP_eu.prefix") && error.contains("value=shop-GCP_eu"),
        "{error}"
    );
}

//! The schema for editors against the loader: both know the same keys.

use std::path::Path;

use crate::common::load;
use jsonschema::Validator;
use nephos_manifest::{Problem, schema};
use serde_json::{Value, json};

fn validator() -> Validator {
    jsonschema::validator_for(&schema()).unwrap()
}

fn json_of(text: &str) -> Value {
    toml::from_str(text).unwrap()
}

fn errors(manifest: &Value) -> Vec<String> {
    validator()
        .iter_errors(manifest)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

#[test]
fn the_examples_are_valid() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut count = 0;
    for entry in std::fs::read_dir(examples).unwrap() {
        let Ok(text) = std::fs::read_to_string(entry.unwrap().path().join("nephos.toml")) else {
            continue;
        };
        assert_eq!(errors(&json_of(&text)), Vec::<String>::new(), "{text}");
        count += 1;
    }
    assert!(count >= 2, "{count} examples");
}

#[test]
fn unknown_keys_are_refused_at_every_depth() {
    for text in [
        "app = 'a'\ncolour = 'red'",
        "app = 'a'\n[queue.q]\nretension = '1 day'",
        "app = 'a'\n[function.f]\nmemroy = '1 GiB'",
        "app = 'a'\n[function.f]\nretry = { attempt = 3 }",
        "app = 'a'\n[function.f]\non = [{ queue = 'q', batches = 3 }]",
        "app = 'a'\n[function.f]\non = [{ queue = 'q', topic = 't' }]",
        "app = 'a'\n[bucket.b]\nurl = 's3://x'\ncredentials = { key = 'k' }",
        "app = 'a'\n[target.aws.function.f]\nmemroy = '1 GiB'",
    ] {
        assert!(!errors(&json_of(text)).is_empty(), "{text}");
        assert!(load(text).is_err(), "{text}");
    }
}

#[test]
fn wrong_values_are_refused() {
    for text in [
        "app = 'Not A Name'",
        "app = 'a'\n[function.f]\nmemory = '512'",
        "app = 'a'\n[function.f]\ntimeout = 30",
        "app = 'a'\n[function.f]\nisolation = 'thread'",
        "app = 'a'\n[function.f]\nconcurrency = 0",
        "app = 'a'\n[function.f]\non = [{ http = 'orders' }]",
        "app = 'a'\n[table.t]\nsort = 'at'",
    ] {
        assert!(!errors(&json_of(text)).is_empty(), "{text}");
        assert!(load(text).is_err(), "{text}");
    }
}

/// A value for each key of a definition; what the loader makes of it tells whether it knows the key.
#[test]
fn the_loader_knows_each_key_of_the_schema() {
    let schema = schema();
    for (definition, table) in [
        ("Bucket", "[bucket.x]"),
        ("Queue", "[queue.x]"),
        ("Topic", "[topic.x]"),
        ("Stream", "[stream.x]"),
        ("Table", "[table.x]"),
        ("Secret", "[secret.x]"),
        ("Function", "[function.x]"),
        ("Retry", "[function.x.retry]"),
    ] {
        let keys = schema["$defs"][definition]["properties"]
            .as_object()
            .cloned()
            .unwrap_or_default();
        let text: String = keys.keys().map(|key| format!("{key} = [[]]\n")).collect();
        let text = format!("app = 'a'\n{table}\n{text}unheard-of = 1\n");
        let report = load(&text).unwrap_err();
        let unknown: Vec<&str> = report
            .problems()
            .iter()
            .map(Problem::message)
            .filter(|message| message.starts_with("unknown key"))
            .collect();
        assert_eq!(unknown.len(), 1, "{definition}: {unknown:?}");
        assert!(unknown[0].starts_with("unknown key `unheard-of`"), "{unknown:?}");
    }
}

/// The other way round: the loader lists its keys when it refuses one.
#[test]
fn the_schema_has_each_key_of_the_loader() {
    let schema = schema();
    for (definition, table) in [
        ("Bucket", "[bucket.x]"),
        ("Queue", "[queue.x]"),
        ("Stream", "[stream.x]"),
        ("Table", "[table.x]"),
        ("Secret", "[secret.x]"),
        ("Function", "[function.x]"),
        ("Retry", "[function.x.retry]"),
    ] {
        let report = load(&format!("app = 'a'\n{table}\nzzzzzz = 1\n")).unwrap_err();
        let problem = report
            .problems()
            .iter()
            .find(|problem| problem.message().starts_with("unknown key"))
            .unwrap();
        let listed: Vec<&str> = problem.advice().unwrap().split('`').skip(1).step_by(2).collect();
        let keys = schema["$defs"][definition]["properties"].as_object().unwrap();
        let mut known: Vec<&str> = keys.keys().map(String::as_str).collect();
        known.sort_unstable();
        assert_eq!(listed, known, "{definition}");
    }
}

#[test]
fn keys_have_descriptions_and_examples_and_no_null() {
    let schema = schema();
    let function = &schema["$defs"]["Function"]["properties"];
    for (name, property) in function.as_object().unwrap() {
        assert!(property["description"].is_string(), "{name}");
    }
    assert_eq!(
        schema["$defs"]["Duration"]["examples"],
        json!(["30 s", "5 minutes", "250 ms"])
    );
    assert!(!schema.to_string().contains("\"null\""));
}

//! The golden templates under cfn-lint, which has AWS's own schemas of all resource types.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::apps::{CASES, case, rendered};

/// Warnings that are known, each with its reason. An error is never known.
const KNOWN: [(&str, &str); 0] = [];

fn program() -> PathBuf {
    let tools = std::env::var("NEPHOS_TOOLS").expect(
        "NEPHOS_TOOLS names the folder of the tools that tests need; run `cargo xtask setup`, then `cargo xtask test`, which sets it",
    );
    let program = Path::new(&tools).join("python/bin/cfn-lint");
    assert!(
        program.exists(),
        "{} is not there; run `cargo xtask setup`",
        program.display()
    );
    program
}

/// What cfn-lint finds in these templates: file, rule, level, message.
fn findings(templates: &[(&str, String)]) -> Vec<(String, String, String, String)> {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(program());
    command.args(["--format", "json", "--regions", "eu-west-1", "--"]);
    for (name, text) in templates {
        let path = dir.path().join(format!("{name}.json"));
        std::fs::write(&path, text).unwrap();
        command.arg(path);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let list: Value = serde_json::from_str(&said).unwrap_or_else(|error| {
        panic!(
            "cfn-lint said no JSON ({error}): {said}{}",
            String::from_utf8_lossy(&output.stderr)
        )
    });
    list.as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            let file = Path::new(finding["Filename"].as_str().unwrap());
            (
                file.file_stem().unwrap().to_string_lossy().into_owned(),
                finding["Rule"]["Id"].as_str().unwrap().to_owned(),
                finding["Level"].as_str().unwrap().to_owned(),
                format!("{} at {}", finding["Message"], finding["Location"]["Path"]),
            )
        })
        .collect()
}

#[test]
fn cfn_lint_finds_nothing_that_is_not_known() {
    let templates: Vec<(&str, String)> = CASES
        .iter()
        .map(|name| (*name, rendered(&case(name)).to_json()))
        .collect();
    let unknown: Vec<String> = findings(&templates)
        .into_iter()
        .filter(|(_, rule, level, _)| level == "Error" || KNOWN.iter().all(|(known, _)| known != rule))
        .map(|(file, rule, level, message)| format!("{file}: {level} {rule}: {message}"))
        .collect();
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
}

#[test]
fn cfn_lint_rejects_each_mistake_that_is_made_on_purpose() {
    let good = rendered(&case("orders"));
    let seeds: [(&str, &str, &str, Value); 6] = [
        (
            "runtime",
            "/Resources/FunctionPlace/Properties",
            "Runtime",
            json!("provided.al1999"),
        ),
        (
            "memory",
            "/Resources/FunctionPlace/Properties",
            "MemorySize",
            json!(64),
        ),
        (
            "unknown-key",
            "/Resources/QueueIncoming/Properties",
            "Visibility",
            json!(30),
        ),
        (
            "missing",
            "/Resources/LiveFulfil/Properties",
            "FunctionVersion",
            json!({"Ref": "Nothing"}),
        ),
        (
            "type",
            "/Resources/TableOrders",
            "Type",
            json!("AWS::DynamoDB::Tabel"),
        ),
        (
            "key",
            "/Resources/TableOrders/Properties/KeySchema/0",
            "KeyType",
            json!("FIRST"),
        ),
    ];
    let mut templates = Vec::new();
    for (name, place, key, wrong) in seeds {
        let mut body = good.body.clone();
        body.pointer_mut(place)
            .and_then(Value::as_object_mut)
            .unwrap_or_else(|| panic!("nothing at {place}"))
            .insert(key.to_owned(), wrong);
        templates.push((name, body.to_string()));
    }
    let found = findings(&templates);
    for (name, _) in &templates {
        assert!(
            found
                .iter()
                .any(|(file, _, level, _)| file == name && level == "Error"),
            "cfn-lint takes the mistake `{name}`"
        );
    }
}

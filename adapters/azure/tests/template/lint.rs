//! The golden templates against the typed models of Azure's own clients, which name every field that its interfaces take.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::apps::{CASES, case, rendered};

fn tools() -> PathBuf {
    let tools = std::env::var("NEPHOS_TOOLS").expect(
        "NEPHOS_TOOLS names the folder of the tools that tests need; run `cargo xtask setup`, then `cargo xtask test`, which sets it",
    );
    PathBuf::from(tools).join("python")
}

/// Where the packages of Python are: below a folder that is named for Python's version.
fn site_packages() -> PathBuf {
    let lib = tools().join("lib");
    let found = std::fs::read_dir(&lib)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask setup`", lib.display()))
        .map(|entry| entry.unwrap().path().join("site-packages"))
        .find(|path| path.join("azure/mgmt/web").exists());
    found.unwrap_or_else(|| {
        panic!(
            "azure-mgmt-web is not in {}; run `cargo xtask setup`",
            lib.display()
        )
    })
}

/// What the check finds in these templates: file, level, what and where.
fn findings(templates: &[(&str, String)]) -> Vec<(String, String, String)> {
    let dir = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../xtask/tools/arm_check.py");
    let mut command = Command::new(tools().join("bin/python"));
    command.arg(script).arg("--models").arg(site_packages());
    for (name, text) in templates {
        let path = dir.path().join(format!("{name}.json"));
        std::fs::write(&path, text).unwrap();
        command.arg(path);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let list: Value = serde_json::from_str(&said).unwrap_or_else(|error| {
        panic!(
            "the check said no JSON ({error}): {said}{}",
            String::from_utf8_lossy(&output.stderr)
        )
    });
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    list.as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            (
                text(&finding["file"]),
                text(&finding["level"]),
                format!("{}: {}", text(&finding["where"]), text(&finding["what"])),
            )
        })
        .collect()
}

#[test]
fn the_models_have_every_field_that_the_templates_set() {
    let templates: Vec<(&str, String)> = CASES
        .iter()
        .map(|name| (*name, rendered(&case(name)).to_json()))
        .collect();
    assert_eq!(findings(&templates), []);
}

#[test]
fn the_check_rejects_each_mistake_that_is_made_on_purpose() {
    let good = rendered(&case("every-trigger"));
    let subscription = good.body["resources"]
        .as_object()
        .unwrap()
        .keys()
        .find(|id| id.starts_with("SubscriptionTopic"))
        .unwrap()
        .clone();
    let delivery = format!("{subscription}/properties/deliveryWithResourceIdentity/destination");
    // Which file, where, which field, what is put there (null takes it away), and what must be said of it.
    let seeds: [(&str, &str, &str, Value, &str); 20] = [
        (
            "unknown",
            "FunctionHttp/properties",
            "serverFarmID",
            json!("x"),
            "no such field",
        ),
        (
            "deep",
            "FunctionHttp/properties/functionAppConfig/scaleAndConcurrency",
            "instanceMemory",
            json!(512),
            "no such field",
        ),
        (
            "number",
            "FunctionHttp/properties/functionAppConfig/scaleAndConcurrency",
            "maximumInstanceCount",
            json!("10"),
            "must be int",
        ),
        (
            "flag",
            "FunctionHttp/properties",
            "httpsOnly",
            json!("yes"),
            "must be bool",
        ),
        ("text", "Courier", "location", json!(1), "must be str"),
        (
            "object",
            "Storage",
            "sku",
            json!("Standard_LRS"),
            "must be an object",
        ),
        (
            "list",
            "FunctionHttp/properties/siteConfig",
            "appSettings",
            json!({"A": "b"}),
            "must be a list",
        ),
        (
            "read-only",
            "FunctionHttp/properties",
            "state",
            json!("Running"),
            "only the service sets it",
        ),
        (
            "older-read-only",
            &format!("{subscription}/properties"),
            "topic",
            json!("x"),
            "only the service sets it",
        ),
        ("missing", "Storage", "kind", Value::Null, "needs kind"),
        (
            "missing-deep",
            "Vault/properties",
            "tenantId",
            Value::Null,
            "needs tenantId",
        ),
        ("older-missing", "Insights", "kind", Value::Null, "needs kind"),
        (
            "literal",
            "Cosmos/properties",
            "databaseAccountOfferType",
            json!("Basic"),
            "must be one of",
        ),
        (
            "duration",
            "QueueOrderedJobs/properties",
            "lockDuration",
            json!("30 seconds"),
            "must be datetime.timedelta",
        ),
        (
            "kind",
            &delivery,
            "endpointType",
            json!("Pigeon"),
            "must be one of",
        ),
        (
            "older-unknown",
            &format!("{delivery}/properties"),
            "queue",
            json!("x"),
            "no such field",
        ),
        (
            "version",
            "Courier",
            "apiVersion",
            json!("2018-11-30"),
            "models are of",
        ),
        (
            "type",
            "Cosmos",
            "type",
            json!("Microsoft.DocumentDB/databaseAccount"),
            "no models of the type",
        ),
        (
            "reference",
            "Insights/properties",
            "WorkspaceResourceId",
            json!("[reference('Nobody').id]"),
            "no resource 'Nobody'",
        ),
        (
            "function",
            "Insights/properties",
            "WorkspaceResourceId",
            json!("[resourceld('x')]"),
            "no known function",
        ),
    ];
    let warned = (
        "enumeration",
        "Storage/sku",
        "name",
        json!("Standard_XXX"),
        "is none of",
    );
    let mut templates = Vec::new();
    for (name, place, key, wrong, _) in seeds.iter().chain([&warned]) {
        let mut body = good.body.clone();
        let table = body
            .pointer_mut(&format!("/resources/{place}"))
            .and_then(Value::as_object_mut)
            .unwrap_or_else(|| panic!("nothing at {place}"));
        if wrong.is_null() {
            table
                .remove(*key)
                .unwrap_or_else(|| panic!("no {key} at {place}"));
        } else {
            table.insert((*key).to_owned(), wrong.clone());
        }
        templates.push((*name, body.to_string()));
    }
    let found = findings(&templates);
    for (name, _, _, _, expected) in seeds.iter().chain([&warned]) {
        let level = if *name == warned.0 { "warning" } else { "error" };
        assert!(
            found
                .iter()
                .any(|(file, found, what)| file == name && found == level && what.contains(expected)),
            "the check takes the mistake `{name}`: {found:#?}"
        );
    }
}

//! The golden templates against the typed models of Azure's own clients, which name every field that its interfaces take.

use nephos_conformance::arm_models;
use serde_json::{Value, json};

use crate::apps::{CASES, case, rendered};

#[test]
fn the_models_have_every_field_that_the_templates_set() {
    let templates: Vec<(&str, Value)> = CASES
        .iter()
        .map(|name| (*name, rendered(&case(name)).body))
        .collect();
    let named = templates.iter().map(|(name, body)| (*name, body));
    assert_eq!(arm_models::templates(named).unwrap(), []);
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
        templates.push((*name, body));
    }
    let found = arm_models::templates(templates.iter().map(|(name, body)| (*name, body))).unwrap();
    for (name, _, _, _, expected) in seeds.iter().chain([&warned]) {
        let level = if *name == warned.0 { "warning" } else { "error" };
        assert!(
            found
                .iter()
                .any(|one| one.file == *name && one.level == level && one.what.contains(expected)),
            "the check takes the mistake `{name}`: {found:#?}"
        );
    }
}

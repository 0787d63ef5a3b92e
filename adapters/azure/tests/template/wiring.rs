//! Templates and packages together: what one names, the other makes.

use std::collections::{BTreeMap, BTreeSet};

use nephos_azure::deploy::package::contents;
use nephos_azure::deploy::settings::Settings;
use nephos_azure::deploy::template::{OUTPUT_FUNCTIONS, OUTPUT_RESOURCES};
use nephos_azure::package::Package;
use nephos_core::app::Trigger;
use nephos_core::wiring::Wiring;
use serde_json::Value;

use crate::apps::{CASES, TARGET, app, case, of_type, properties, rendered, resource};

/// The last parts of the names of all resources of a type.
fn names(template: &nephos_azure::deploy::template::Template, ty: &str) -> BTreeSet<String> {
    of_type(template, ty)
        .into_iter()
        .map(|(_, resource)| {
            let name = resource["name"].as_str().unwrap();
            name.rsplit('/').next().unwrap().to_owned()
        })
        .collect()
}

#[test]
fn what_triggers_are_bound_to_is_made_by_the_template() {
    let mut seen = BTreeSet::new();
    for name in CASES {
        let app = case(name);
        let template = rendered(&app);
        let settings = Settings::of(&app, TARGET).unwrap();
        let queues = names(
            &template,
            "Microsoft.Storage/storageAccounts/queueServices/queues",
        );
        let ordered = names(&template, "Microsoft.ServiceBus/namespaces/queues");
        let hubs = names(&template, "Microsoft.EventHub/namespaces/eventhubs");
        let groups = names(
            &template,
            "Microsoft.EventHub/namespaces/eventhubs/consumergroups",
        );
        let tables = names(
            &template,
            "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers",
        );
        for content in contents(&app, TARGET, &settings).unwrap() {
            let function = &content.folder;
            let id = format!("Function{}", camel(function));
            let set: BTreeMap<&str, &Value> = properties(&template, &id)["siteConfig"]["appSettings"]
                .as_array()
                .unwrap()
                .iter()
                .map(|setting| (setting["name"].as_str().unwrap(), &setting["value"]))
                .collect();
            for (file, text) in &content.files {
                let Some(folder) = file.strip_suffix("/function.json") else {
                    continue;
                };
                let document: Value = serde_json::from_str(text).unwrap();
                let binding = &document["bindings"][0];
                let field = |name: &str| binding[name].as_str().unwrap_or_default();
                let bound = match field("type") {
                    "httpTrigger" => folder == "http" && set.contains_key("AzureWebJobsDisableHomepage"),
                    "timerTrigger" => field("schedule").split(' ').count() == 6,
                    "queueTrigger" => {
                        queues.contains(field("queueName"))
                            && queues.contains(&format!("{}-poison", field("queueName")))
                    }
                    "serviceBusTrigger" => ordered.contains(field("queueName")),
                    "eventHubTrigger" => {
                        hubs.contains(field("eventHubName")) && groups.contains(field("consumerGroup"))
                    }
                    "cosmosDBTrigger" => {
                        tables.contains(field("containerName"))
                            && tables.contains(field("leaseContainerName"))
                    }
                    other => panic!("{other}"),
                };
                assert!(bound, "{name}: {function}: {binding}");
                if let Some(connection) = binding["connection"].as_str() {
                    for part in ["clientId", "credential"] {
                        assert!(
                            set.contains_key(format!("{connection}__{part}").as_str()),
                            "{set:?}"
                        );
                    }
                }
                seen.insert(field("type").to_owned());
            }
        }
    }
    assert_eq!(seen.len(), 6, "{seen:?}");
}

#[test]
fn what_functions_are_told_is_what_the_outputs_tell() {
    for name in CASES {
        let app = case(name);
        let template = rendered(&app);
        let settings = Settings::of(&app, TARGET).unwrap();
        let outputs = |key: &str| {
            template.body["outputs"][key]["value"]
                .as_object()
                .unwrap()
                .clone()
        };
        let (functions, resources) = (outputs(OUTPUT_FUNCTIONS), outputs(OUTPUT_RESOURCES));
        assert!(functions.keys().eq(app.functions.keys()));
        let mut told: BTreeMap<String, usize> = BTreeMap::new();
        for content in contents(&app, TARGET, &settings).unwrap() {
            let function = &content.function;
            let document: Value = serde_json::from_str(&content.files["nephos.json"]).unwrap();
            let wiring: Wiring = serde_json::from_value(document["wiring"].clone()).unwrap();
            for binding in &wiring.bindings {
                if binding.url.is_none() {
                    let physical = binding.properties["physical"].as_str();
                    assert_eq!(resources[&binding.name], physical, "{name}: {function}");
                }
            }
            for (id, source) in &wiring.sources {
                let is_skill = settings.skills.get(source) == Some(id);
                assert!(is_skill || app.resources.contains_key(source), "{source}");
            }
            let triggers: BTreeMap<String, Trigger> =
                serde_json::from_value(document["triggers"].clone()).unwrap();
            for trigger in triggers.values() {
                assert!(app.functions[function].on.contains(trigger));
            }
            *told.entry(function.clone()).or_default() += triggers.len() + wiring.routes.len();
        }
        // All that calls a function is told to one of its sites.
        for (function, spec) in &app.functions {
            assert_eq!(told[function], spec.on.len(), "{name}: {function}");
        }
    }
}

#[test]
fn those_who_call_over_http_are_known_by_what_the_package_says() {
    let app = case("every-trigger");
    let settings = Settings::of(&app, TARGET).unwrap();
    let contents = contents(&app, TARGET, &settings).unwrap();
    let of = |folder: &str| -> &str {
        let content = contents.iter().find(|content| content.folder == folder).unwrap();
        &content.files["nephos.json"]
    };
    let callers = |function: &str| -> Value {
        let document: Value = serde_json::from_str(of(function)).unwrap();
        assert_eq!(document["forwarding"], true);
        document["callers"].clone()
    };
    assert_eq!(
        callers("email")["mail"],
        serde_json::json!({"secret": "https://ours.vault.azure.net/secrets/password"})
    );
    assert_eq!(
        callers("auth")["auth"]["app"],
        "22222222-0000-4000-8000-0123456789ab"
    );
    let voice: Package = Package::read(of("voice").as_bytes()).unwrap();
    assert_eq!(voice.wiring.sources["amzn1.ask.skill.0a1b2c3d"], "kitchen");
    assert_eq!(callers("http"), Value::Null);
}

#[test]
fn keys_and_filters_of_a_bucket_become_the_subscriptions() {
    let template = rendered(&case("every-trigger"));
    let subscriptions = of_type(&template, "Microsoft.EventGrid/systemTopics/eventSubscriptions");
    let filters: BTreeSet<String> = subscriptions
        .iter()
        .map(|(_, subscription)| {
            let filter = &subscription["properties"]["filter"];
            format!(
                "{} {} {}",
                filter["subjectBeginsWith"].as_str().unwrap(),
                filter["subjectEndsWith"].as_str().unwrap_or("-"),
                filter["includedEventTypes"].as_array().unwrap().len()
            )
        })
        .collect();
    let begins = "/blobServices/default/containers/uploads/blobs/";
    assert_eq!(
        filters,
        [format!("{begins}in/ .jpg 2"), format!("{begins}raw/ - 1")].into()
    );
}

#[test]
fn a_variable_in_brackets_is_no_expression_and_overrides_have_the_last_word() {
    let template = rendered(&case("every-trigger"));
    let settings = properties(&template, "FunctionHttp")["siteConfig"]["appSettings"]
        .as_array()
        .unwrap();
    let list = settings.iter().find(|setting| setting["name"] == "LIST").unwrap();
    assert_eq!(list["value"], "[[1, 2]");
    assert_eq!(
        properties(&template, "FunctionHttp")["siteConfig"]["http20Enabled"],
        false
    );
    let other = &properties(&template, "FunctionAuth")["siteConfig"];
    assert_eq!(other.get("http20Enabled"), None);
    assert_eq!(resource(&template, "FunctionHttp")["tags"]["team"], "web");
    assert_eq!(
        resource(&template, "FunctionHttp")["tags"]["nephos:kind"],
        "function"
    );
}

#[test]
fn tables_have_their_key_and_expire_only_where_something_can() {
    let app = app(serde_json::json!({
        "resources": {
            "plain": {"kind": "table", "key": "face-id"}, "brief": {"kind": "table", "key": "id", "ttl": "until"}, "watched": {"kind": "table", "key": "id"},
        },
        "functions": {"work": {"on": [{"kind": "table", "table": "watched", "events": ["inserted"], "batch": 1}]}},
    }));
    let template = rendered(&app);
    let of = |id: &str| properties(&template, id)["resource"].clone();
    assert_eq!(
        of("TablePlain")["partitionKey"]["paths"],
        serde_json::json!(["/\"face-id\""])
    );
    assert_eq!(of("TableBrief")["defaultTtl"], -1);
    for id in ["TablePlain", "TableWatched"] {
        assert_eq!(of(id).get("defaultTtl"), None, "{id}");
    }
}

/// `queue-in-order` → `QueueInOrder`.
fn camel(name: &str) -> String {
    name.split('-')
        .map(|word| word[..1].to_uppercase() + &word[1..])
        .collect()
}

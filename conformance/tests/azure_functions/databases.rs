//! Cosmos DB: changes in their order, batches, tries, and the place that is kept.

use nephos_conformance::azure_functions::cosmos::{CosmosAccount, CosmosServer};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::app::{App, invoked, logged, triggered, unique};

static SERVER: OnceCell<CosmosServer> = OnceCell::const_new();

async fn account() -> CosmosAccount {
    SERVER
        .get_or_init(|| async { CosmosServer::start().await.unwrap() })
        .await
        .account()
}

/// A database with a container, and an app whose function hears of its changes.
async fn app(trigger: Value) -> (App, CosmosAccount, String) {
    let (mut app, _) = App::with_storage().await;
    let cosmos = account().await;
    let database = unique("db");
    cosmos.create_database(&database).await.unwrap();
    cosmos
        .create_container(&database, "things", "/key")
        .await
        .unwrap();
    let mut whole = json!({
        "type": "cosmosDBTrigger", "name": "documents", "connection": "DATA", "databaseName": database,
        "containerName": "things", "leaseContainerName": "leases", "createLeaseContainerIfNotExists": true,
    });
    whole
        .as_object_mut()
        .unwrap()
        .extend(trigger.as_object().unwrap().clone());
    let mut document = triggered(whole);
    document["retry"] = json!({"strategy": "exponentialBackoff", "maxRetryCount": 1, "minimumInterval": "00:00:00.01", "maximumInterval": "00:00:01"});
    app.function("changed", &document);
    app.setting("DATA__accountEndpoint", &cosmos.endpoint);
    app.services.cosmos = Some(cosmos.clone());
    (app, cosmos, database)
}

/// The documents of an invocation.
fn documents(invocation: &Value) -> Vec<Value> {
    let text: Value = serde_json::from_str(invocation["Data"]["documents"].as_str().unwrap()).unwrap();
    serde_json::from_str(text.as_str().unwrap()).unwrap()
}

fn ids(invocation: &Value) -> Vec<String> {
    documents(invocation)
        .iter()
        .map(|one| one["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_told_once_and_from_the_start_of_the_function_on() {
    let (app, cosmos, database) = app(json!({})).await;
    let put = async |id: &str, value: u32| {
        let document = json!({"id": id, "key": id, "value": value});
        cosmos.upsert(&database, "things", id, &document).await.unwrap();
    };
    put("old", 1).await;
    let options = app.options();
    let host = app.start_with(options.clone()).await;
    put("new", 1).await;
    let first = invoked(&host, 1).await.remove(0);
    let document = documents(&first).remove(0);
    assert_eq!((&document["id"], &document["value"]), (&json!("new"), &json!(1)));
    for name in ["_rid", "_etag", "_ts", "_lsn"] {
        assert!(!document[name].is_null(), "{name}");
    }
    put("new", 2).await;
    assert_eq!(documents(&invoked(&host, 2).await[1])[0]["value"], 2);
    host.stop(std::time::Duration::from_secs(5)).await;
    drop(host);

    // What changed while no host ran is told by the next one, and nothing twice.
    put("later", 1).await;
    let host = app.start_with(options).await;
    assert_eq!(ids(&invoked(&host, 1).await[0]), ["later"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_fails_too_often_is_passed_over() {
    let (app, cosmos, database) = app(json!({"startFromBeginning": true, "maxItemsPerInvocation": 1})).await;
    for id in ["do-fail-always", "good"] {
        cosmos
            .upsert(&database, "things", id, &json!({"id": id, "key": id}))
            .await
            .unwrap();
    }
    let host = app.start().await;
    let all = invoked(&host, 3).await;
    logged(&host, "a batch of 1 is passed over").await;
    let mut told: Vec<String> = all.iter().flat_map(ids).collect();
    told.sort();
    assert_eq!(told, ["do-fail-always", "do-fail-always", "good"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_is_not_there_is_refused() {
    let (mut app, _, database) = app(json!({"containerName": "nothing"})).await;
    app.write();
    let error = nephos_conformance::azure_functions::Host::start(app.path(), app.options())
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&format!("`nothing` of database `{database}` does not exist")),
        "{error}"
    );
    app.settings.retain(|(name, _)| !name.starts_with("DATA"));
    let error = nephos_conformance::azure_functions::Host::start(app.path(), app.options())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("no app setting `DATA`"), "{error}");
}

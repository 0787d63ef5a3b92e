//! Tests of what is asked with a token, and of answers that no emulator gives.

use std::collections::BTreeMap;
use std::time::Duration;

use nephos_core::ErrorKind;
use nephos_core::resource::bucket::SignedMethod;
use nephos_core::resource::queue::Receipt;
use nephos_core::resource::table::{Condition, Key, Query, Write};
use nephos_core::resource::{Binding, Drivers as _, ResourceKind};
use nephos_core::wiring::PHYSICAL;
use serde_json::{Value, json};

use super::AzureDrivers;
use crate::config::fake::{Service, TOKEN};
use crate::error::{CODE, RETRY_AFTER};

const TABLE: &str = "https://acct.documents.azure.com/dbs/app/colls/faces";
const QUEUE: &str = "https://acct.queue.core.windows.net/jobs";

fn binding(kind: ResourceKind, physical: &str) -> Binding {
    let properties = [(PHYSICAL, physical), ("key", "face"), ("sort", "at")];
    Binding {
        name: "it".to_owned(),
        kind,
        access: kind.access().iter().copied().collect(),
        url: None,
        properties: properties
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into_iter()
            .collect::<BTreeMap<_, _>>(),
    }
}

fn drivers(service: &Service) -> AzureDrivers {
    AzureDrivers::new(&service.config())
}

#[tokio::test]
async fn each_service_is_asked_with_a_token_for_itself() {
    let service = Service::answering(&[(201, &[("etag", "\"1\"")], "")]);
    let drivers = drivers(&service);
    let topic = "https://news-1.westeurope-1.eventgrid.azure.net/api/events";
    let topic = drivers.topic(&binding(ResourceKind::Topic, topic)).unwrap();
    topic.publish_batch(&["x".into()]).await.unwrap();
    let bus = "sb://ns.servicebus.windows.net/it";
    let queue = drivers.queue(&binding(ResourceKind::Queue, bus)).unwrap();
    queue.send_batch(&["x".into()]).await.unwrap();
    let stream = drivers.stream(&binding(ResourceKind::Stream, bus)).unwrap();
    let record = nephos_core::resource::stream::Append::new("k", "x");
    stream.append_batch(&[record]).await.unwrap();
    let table = drivers.table(&binding(ResourceKind::Table, TABLE)).unwrap();
    let put = Write::Put {
        item: json!({"face": "a", "at": "1"}),
        condition: Condition::Always,
    };
    table.write(&[put]).await.unwrap();

    let headers: Vec<String> = service
        .asked()
        .iter()
        .map(|asked| asked.header("authorization").unwrap_or_default().to_owned())
        .collect();
    assert_eq!(
        headers[..3],
        [
            format!("Bearer {TOKEN}https://eventgrid.azure.net/.default"),
            format!("Bearer {TOKEN}https://servicebus.azure.net/.default"),
            format!("Bearer {TOKEN}https://eventhubs.azure.net/.default"),
        ]
    );
    // <https://learn.microsoft.com/rest/api/cosmos-db/access-control-on-cosmosdb-resources>
    let plain = percent_encoding::percent_decode_str(&headers[3])
        .decode_utf8()
        .unwrap();
    assert_eq!(
        plain,
        format!("type=aad&ver=1.0&sig={TOKEN}https://acct.documents.azure.com/.default")
    );
    let put = &service.asked()[3];
    assert_eq!(
        (put.method.as_str(), put.url.as_str()),
        (
            "POST",
            "https://acct.documents.azure.com/dbs/app/colls/faces/docs"
        )
    );
    assert_eq!(put.header("x-ms-documentdb-partitionkey"), Some("[\"a\"]"));
    assert!(put.header("x-ms-date").is_some());
}

#[tokio::test]
async fn no_driver_asks_again_by_itself() {
    let service = Service::answering(&[(
        503,
        &[("x-ms-error-code", "ServerBusy"), ("retry-after", "3")],
        "",
    )]);
    let drivers = drivers(&service);
    let queue = drivers.queue(&binding(ResourceKind::Queue, QUEUE)).unwrap();
    let table = drivers.table(&binding(ResourceKind::Table, TABLE)).unwrap();
    let secret = "https://v.vault.azure.net/secrets/it";
    let secret = drivers.secret(&binding(ResourceKind::Secret, secret)).unwrap();
    let errors = [
        queue.send_batch(&["x".into()]).await.unwrap_err(),
        table.get(&Key::sorted("a", "1")).await.unwrap_err(),
        secret.get(None).await.unwrap_err(),
    ];
    for error in errors {
        assert!(error.is_retryable(), "{error:?}");
        let facts: Vec<_> = error.context().collect();
        assert!(
            facts.contains(&(CODE, "ServerBusy")) && facts.contains(&(RETRY_AFTER, "3")),
            "{error}"
        );
    }
    assert_eq!(service.asked().len(), 3);
}

#[tokio::test]
async fn a_secret_is_read_with_the_token_that_its_vault_asks_for_and_never_shown() {
    let challenge = "Bearer authorization=\"https://login.microsoftonline.com/tenant\", resource=\"https://vault.azure.net\"";
    let found = json!({
        "value": "hush",
        "id": "https://v.vault.azure.net/secrets/it/0123456789abcdef0123456789abcdef",
    })
    .to_string();
    let service = Service::answering(&[(401, &[("www-authenticate", challenge)], ""), (200, &[], &found)]);
    let physical = "https://v.vault.azure.net/secrets/it";
    let secret = drivers(&service)
        .secret(&binding(ResourceKind::Secret, physical))
        .unwrap();
    let value = secret.get(None).await.unwrap();
    assert_eq!(value.expose_text().unwrap(), "hush");
    assert_eq!(value.version(), Some("0123456789abcdef0123456789abcdef"));
    assert!(!format!("{value:?} {secret:?}").contains("hush"));
    let version = "fedcba9876543210fedcba9876543210";
    secret.get(Some(version)).await.unwrap();
    let asked = service.asked();
    assert_eq!(asked[0].header("authorization"), None);
    assert_eq!(
        asked[1].header("authorization"),
        Some(format!("Bearer {TOKEN}https://vault.azure.net/.default").as_str())
    );
    assert!(asked[2].url.contains(version), "{}", asked[2].url);

    // What cannot be read is not shown.
    let service = Service::answering(&[(200, &[], r#"{"value": ["hush"]}"#)]);
    let secret = drivers(&service)
        .secret(&binding(ResourceKind::Secret, physical))
        .unwrap();
    let error = secret.get(None).await.unwrap_err();
    assert!(
        !format!("{error:?} {}", error.chain()).contains("hush"),
        "{error:?}"
    );

    let missing =
        r#"{"error":{"code":"SecretNotFound","message":"A secret with (name/id) it was not found"}}"#;
    let service = Service::answering(&[(404, &[], missing)]);
    let secret = drivers(&service)
        .secret(&binding(ResourceKind::Secret, physical))
        .unwrap();
    assert_eq!(secret.get(None).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_url_is_signed_with_a_key_that_a_token_buys_once() {
    let now = chrono::Utc::now();
    let until = (now + chrono::TimeDelta::days(6)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let key = format!(
        "<UserDelegationKey><SignedOid>oid</SignedOid><SignedTid>tid</SignedTid><SignedStart>2026-01-01T00:00:00Z</SignedStart><SignedExpiry>{until}</SignedExpiry><SignedService>b</SignedService><SignedVersion>2021-12-02</SignedVersion><Value>c2VjcmV0</Value></UserDelegationKey>"
    );
    let service = Service::answering(&[(200, &[], &key)]);
    let physical = "https://acct.blob.core.windows.net/photos";
    let bucket = drivers(&service)
        .bucket(&binding(ResourceKind::Bucket, physical))
        .unwrap();
    for method in [SignedMethod::Get, SignedMethod::Put] {
        let signed = bucket
            .signed_url(method, "a b.jpg", Duration::from_secs(60))
            .await
            .unwrap();
        assert!(
            signed
                .url
                .starts_with("https://acct.blob.core.windows.net/photos/a%20b.jpg?"),
            "{}",
            signed.url
        );
        assert!(
            signed.url.contains("skoid=oid") && signed.url.contains("spr=https"),
            "{}",
            signed.url
        );
    }
    let asked = service.asked();
    assert_eq!(asked.len(), 1, "the key is kept");
    assert_eq!(
        asked[0].url,
        "https://acct.blob.core.windows.net/?restype=service&comp=userdelegationkey"
    );
    assert_eq!(
        asked[0].header("authorization"),
        Some(format!("Bearer {TOKEN}https://storage.azure.com/.default").as_str())
    );

    let denied = "<Error><Code>AuthorizationPermissionMismatch</Code><Message>no</Message></Error>";
    let service = Service::answering(&[(403, &[], denied)]);
    let bucket = drivers(&service)
        .bucket(&binding(ResourceKind::Bucket, physical))
        .unwrap();
    let error = bucket
        .signed_url(SignedMethod::Get, "a", Duration::from_secs(60))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
}

#[tokio::test]
async fn a_table_that_is_not_there_is_no_item_that_is_not_there() {
    let missing = r#"{"code":"NotFound","message":"Owner resource does not exist"}"#;
    let service = Service::answering(&[(404, &[("x-ms-substatus", "1003")], missing)]);
    let table = drivers(&service)
        .table(&binding(ResourceKind::Table, TABLE))
        .unwrap();
    let key = Key::sorted("a", "1");
    let delete = Write::Delete {
        key: key.clone(),
        condition: Condition::Always,
    };
    for error in [
        table.get(&key).await.unwrap_err(),
        table.write(std::slice::from_ref(&delete)).await.unwrap_err(),
        table.query(&Query::partition("a")).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
        assert!(error.message().contains("deploy"), "{error}");
    }
    let service = Service::answering(&[(404, &[("x-ms-substatus", "0")], "{}")]);
    let table = drivers(&service)
        .table(&binding(ResourceKind::Table, TABLE))
        .unwrap();
    assert_eq!(table.get(&key).await.unwrap(), None);
    table.write(&[delete]).await.unwrap();
}

#[tokio::test]
async fn a_transaction_is_asked_for_as_one_and_repeated_in_another_form_if_the_items_are_there() {
    // As Cosmos DB answers: nothing was done because of the second, then all of it.
    let refused = r#"[{"statusCode":424},{"statusCode":409,"subStatusCode":0}]"#;
    let done = r#"[{"statusCode":201,"eTag":"\"1\""},{"statusCode":200,"eTag":"\"2\""}]"#;
    let service = Service::answering(&[(207, &[], refused), (200, &[], done)]);
    let table = drivers(&service)
        .table(&binding(ResourceKind::Table, TABLE))
        .unwrap();
    let put = |at: &str| Write::Put {
        item: json!({"face": "a", "at": at}),
        condition: Condition::Always,
    };
    let versions = table.write(&[put("1"), put("2")]).await.unwrap();
    assert_eq!(
        versions
            .iter()
            .flatten()
            .map(|version| version.0.as_str())
            .collect::<Vec<_>>(),
        ["\"1\"", "\"2\""]
    );
    let asked = service.asked();
    assert_eq!(asked.len(), 2);
    for (asked, kinds) in asked.iter().zip([["Create", "Create"], ["Create", "Upsert"]]) {
        assert_eq!(asked.header("x-ms-cosmos-batch-atomic"), Some("True"));
        assert_eq!(asked.header("x-ms-documentdb-partitionkey"), Some("[\"a\"]"));
        let operations: Vec<Value> = serde_json::from_slice(&asked.body).unwrap();
        let told: Vec<&str> = operations
            .iter()
            .filter_map(|one| one["operationType"].as_str())
            .collect();
        assert_eq!(told, kinds);
        assert!(operations.iter().all(|one| one.get("partitionKey").is_none()));
    }

    let service = Service::answering(&[(429, &[("x-ms-retry-after-ms", "20")], "{}")]);
    let table = drivers(&service)
        .table(&binding(ResourceKind::Table, TABLE))
        .unwrap();
    let error = table.write(&[put("1"), put("2")]).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.is_retryable()),
        (ErrorKind::Unavailable, true),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_message_that_storage_does_not_find_is_gone_while_its_lease_lasts_and_lost_later() {
    let missing = "<Error><Code>MessageNotFound</Code><Message>no</Message></Error>";
    let service = Service::answering(&[(404, &[], missing)]);
    let queue = drivers(&service)
        .queue(&binding(ResourceKind::Queue, QUEUE))
        .unwrap();
    let receipt = |millis: i64| {
        Receipt(format!(
            "{}.a-1.proof",
            chrono::Utc::now().timestamp_millis() + millis
        ))
    };
    queue.ack(&[receipt(60_000)]).await.unwrap();
    queue.nack(&receipt(60_000), Duration::ZERO).await.unwrap();
    for error in [
        queue
            .extend(&receipt(60_000), Duration::from_secs(1))
            .await
            .unwrap_err(),
        queue.ack(&[receipt(-1)]).await.unwrap_err(),
        queue.nack(&receipt(-1), Duration::ZERO).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
    }
    // Of several, each is done with, and the one that was lost is told.
    let before = service.asked().len();
    queue.ack(&[receipt(-1), receipt(60_000)]).await.unwrap_err();
    assert_eq!(service.asked().len(), before + 2);
}

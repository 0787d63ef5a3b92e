//! Tables: what others wrote, versions, pages.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use nephos_aws::harness::emulator::Emulator;
use nephos_core::ErrorKind;
use nephos_core::resource::ResourceKind;
use nephos_core::resource::table::{Condition, Query, Table, Write};
use serde_json::{Value, json};

async fn create(emulator: &Emulator) -> (Client, Table) {
    let client = Client::new(&emulator.config());
    let mut request = client
        .create_table()
        .table_name("faces")
        .billing_mode(BillingMode::PayPerRequest);
    for (name, key) in [("id", KeyType::Hash), ("sort", KeyType::Range)] {
        let definition = AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(ScalarAttributeType::S);
        let element = KeySchemaElement::builder().attribute_name(name).key_type(key);
        request = request
            .attribute_definitions(definition.build().unwrap())
            .key_schema(element.build().unwrap());
    }
    request.send().await.unwrap();
    let properties = [("key", "id"), ("sort", "sort"), ("ttl", "expires")];
    let table = super::open(emulator, ResourceKind::Table, "faces", &properties)
        .table("it")
        .unwrap();
    (client, table)
}

fn key() -> nephos_core::resource::table::Key {
    nephos_core::resource::table::Key::sorted("p", "1")
}

#[tokio::test]
async fn an_item_that_others_wrote_has_a_version_that_a_write_can_name() {
    let emulator = Emulator::start().await.unwrap();
    let (client, table) = create(&emulator).await;
    client
        .put_item()
        .table_name("faces")
        .item("id", AttributeValue::S("p".into()))
        .item("sort", AttributeValue::S("1".into()))
        .item("names", AttributeValue::Ss(vec!["a".into()]))
        .send()
        .await
        .unwrap();
    let stored = table.get_stored::<Value>(key()).await.unwrap().unwrap();
    assert_eq!(stored.item, json!({"id": "p", "sort": "1", "names": ["a"]}));

    let item = json!({"id": "p", "sort": "1", "n": 2});
    table.put_if_version(&item, &stored.version).await.unwrap();
    let error = table.put_if_version(&item, &stored.version).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let missing = json!({"id": "p", "sort": "other"});
    let error = table.put_if_version(&missing, &stored.version).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn the_version_is_no_attribute_that_programs_see_or_set() {
    let emulator = Emulator::start().await.unwrap();
    let (client, table) = create(&emulator).await;
    table.put(&json!({"id": "p", "sort": "1"})).await.unwrap();
    let raw = client.scan().table_name("faces").send().await.unwrap();
    assert!(raw.items()[0].contains_key(nephos_aws::payload::VERSION));
    let seen = table.get::<Value>(key()).await.unwrap().unwrap();
    assert_eq!(seen, json!({"id": "p", "sort": "1"}));
    let error = table
        .put(&json!({"id": "p", "sort": "1", "nephos-version": "mine"}))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn pages_are_full_although_expired_items_lie_between() {
    let emulator = Emulator::start().await.unwrap();
    let (_, table) = create(&emulator).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    for n in 0..12 {
        let expires = if n % 3 == 0 { json!(null) } else { json!(now - 10) };
        table
            .put(&json!({"id": "p", "sort": format!("{n:02}"), "expires": expires}))
            .await
            .unwrap();
    }
    let mut query = Query::partition("p").limit(2);
    let mut pages = Vec::new();
    loop {
        let page = table.query::<Value>(&query).await.unwrap();
        pages.push(
            page.items
                .iter()
                .map(|stored| stored.item["sort"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>(),
        );
        match page.next {
            Some(next) => query = query.cursor(Some(next)),
            None => break,
        }
    }
    assert_eq!(pages, [["00", "03"], ["06", "09"]]);
    assert_eq!(table.scan::<Value>(100, None).await.unwrap().items.len(), 4);
}

#[tokio::test]
async fn a_page_may_be_larger_than_one_answer_of_dynamodb() {
    let emulator = Emulator::start().await.unwrap();
    let (client, table) = create(&emulator).await;
    for n in 0..14 {
        table
            .put(&json!({"id": "p", "sort": format!("{n:02}"), "text": "x".repeat(100_000)}))
            .await
            .unwrap();
    }
    let bare = client
        .query()
        .table_name("faces")
        .key_condition_expression("id = :p")
        .expression_attribute_values(":p", AttributeValue::S("p".into()))
        .send()
        .await
        .unwrap();
    assert!(
        bare.last_evaluated_key().is_some(),
        "one answer holds 1 MB at most"
    );
    let page = table.query::<Value>(&Query::partition("p")).await.unwrap();
    assert_eq!((page.items.len(), page.next), (14, None));
}

#[tokio::test]
async fn a_batch_has_as_many_writes_as_declared() {
    let emulator = Emulator::start().await.unwrap();
    let (_, table) = create(&emulator).await;
    let count = table.capabilities().max_batch;
    let batch = (0..count)
        .map(|n| Write::Put {
            item: json!({"id": "p", "sort": n.to_string()}),
            condition: Condition::Absent,
        })
        .collect();
    assert_eq!(table.write_batch(batch).await.unwrap().len(), count);
    let page = table
        .query::<Value>(&Query::partition("p").limit(count))
        .await
        .unwrap();
    assert_eq!(page.items.len(), count);
}

#[tokio::test]
async fn a_table_that_is_not_there_is_not_found() {
    let emulator = Emulator::start().await.unwrap();
    let table = super::open(&emulator, ResourceKind::Table, "no-such", &[("key", "id")])
        .table("it")
        .unwrap();
    let error = table.get::<Value>("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
}

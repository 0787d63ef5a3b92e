//! The examples `orders` and `face-gate` on Azure: from the first request or upload to the last effect, read back by Azure's own SDK.

use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::examples::{binary, example};
use crate::python::python;
use crate::store::Store;

/// An app of an example with what a test adds to its manifest, in a cloud.
async fn app(name: &str, more: &str) -> Cloud {
    let project = tempfile::tempdir().unwrap();
    let own = std::fs::read_to_string(example(name).join("nephos.toml")).unwrap();
    // Names that all of Azure shares follow from the subscription.
    let own = own.replace(
        "location = \"westeurope\"\n",
        "location = \"westeurope\"\nsubscription = \"6f1c8d3a-0000-4000-8000-000000000001\"\n",
    );
    std::fs::write(project.path().join("nephos.toml"), format!("{own}\n{more}")).unwrap();
    let name = name.to_owned();
    let binary = tokio::task::spawn_blocking(move || binary(&name, "azure"))
        .await
        .unwrap();
    Cloud::start(project.path(), &binary).await
}

/// The JSON of messages of a queue, once there are so many.
async fn letters(connection: &str, queue: &str, count: usize) -> Vec<Value> {
    let found = python(json!(["messages", connection, queue, count])).await;
    let texts = found.as_array().unwrap().iter();
    texts
        .map(|text| serde_json::from_str(text.as_str().unwrap()).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_goes_all_the_way_to_its_receipt_and_the_report_comes_by_the_clock() {
    let cloud = app("orders", "").await;
    let (connection, cosmos) = (cloud.cloud.account().connection_string(), cloud.cloud.cosmos());
    let place = cloud.site("place").url();
    let order = async |id: &str, quantity: u32| {
        let body = json!({"id": id, "article": "lamp", "quantity": quantity}).to_string();
        let headers = json!({"content-type": "application/json"});
        let answer = python(json!(["post", format!("{place}/orders"), headers, body])).await;
        answer[0].as_u64().unwrap()
    };
    assert_eq!(order("a-1", 2).await, 202, "{}", cloud.logs());
    let row = python(json!(["item", cosmos, "orders", "orders", "id", "a-1"])).await;
    assert_eq!(
        (&row["status"], &row["quantity"], &row["article"]),
        (&json!("accepted"), &json!(2), &json!("lamp")),
        "{row}\n{}",
        cloud.logs()
    );
    let receipt = python(json!(["blob", connection, "receipts", "a-1.txt"])).await;
    assert_eq!(receipt, "Order a-1: 2 × lamp\n", "{}", cloud.logs());
    let status = cloud.site("status").url();
    let told = python(json!(["get", format!("{status}/orders/a-1")])).await;
    assert_eq!(told[0], 200, "{told}");
    assert!(told[1].as_str().unwrap().contains("\"accepted\""), "{told}");
    assert_eq!(
        python(json!(["get", format!("{status}/orders/a-9")])).await[0],
        404
    );
    assert!((400..500).contains(&order("a-3", 0).await));

    assert_eq!(order("a-2", 5000).await, 202);
    let letters = letters(&connection, "fulfil-dead-letter", 1).await;
    let text = json!(letters).to_string();
    assert!(
        text.contains("5000 is more than the warehouse holds") && text.contains("a-2"),
        "{text}\n{}",
        cloud.logs()
    );
    let rows = python(json!(["items", cosmos, "orders", "orders"])).await;
    assert_eq!(rows.as_array().unwrap().len(), 1, "the refused order was written");

    let host = cloud.site("report");
    let timer = host.functions().next().unwrap().name.clone();
    host.fire_timer(&timer).await.unwrap();
    let report = python(json!(["blob", connection, "receipts", "report.json"])).await;
    let report: Value = serde_json::from_str(report.as_str().unwrap()).unwrap();
    assert_eq!(report, json!({"orders": 1, "articles": 2}));
}

#[tokio::test(flavor = "multi_thread")]
async fn faces_are_found_stored_once_and_archived_with_a_third_party_and_a_broken_file_is_kept() {
    let store = tokio::task::spawn_blocking(|| Store::start("evidence"))
        .await
        .unwrap();
    let elsewhere = format!(
        "[target.azure.bucket.archive]\nendpoint = \"{}\"\n",
        store.endpoint()
    );
    let cloud = app("face-gate", &elsewhere).await;
    let (connection, cosmos) = (cloud.cloud.account().connection_string(), cloud.cloud.cosmos());
    cloud.cloud.vault().set("archive-keys", &Store::keys());

    let put = async |key: &str, photo: &str| {
        let photo = example("face-gate").join("photos").join(photo);
        python(json!(["put_file", connection, "snapshots", key, photo])).await;
    };
    // The picture is deleted last: when it is gone, all is done.
    let scrubbed = async |key: &str| {
        let gone = python(json!(["gone", connection, "snapshots", key])).await;
        assert_eq!(gone, true, "{key} is not scrubbed\n{}", cloud.logs());
    };
    let archived = |key: &str| {
        let call = json!({"Bucket": "evidence", "Key": key});
        let archive = store.sdk();
        tokio::task::block_in_place(move || archive.ask("s3", "head_object", call).is_ok())
    };
    let faces = async || python(json!(["items", cosmos, "face-gate", "faces"])).await;

    put("gate/08-00.jpg", "obama-oval-office-2012.jpg").await;
    scrubbed("gate/08-00.jpg").await;
    assert!(archived("gate/08-00.jpg"));
    let first = faces().await;
    assert_eq!(first.as_array().unwrap().len(), 1, "{first:#}");
    assert_eq!(first[0]["sightings"], 1);
    let seen_in = first[0]["first_seen_in"].as_str().unwrap();
    assert!(seen_in.starts_with("gate/08-00.jpg#0@"), "{seen_in}");

    put("gate/09-00.jpg", "obama-blue-room-2010.jpg").await;
    scrubbed("gate/09-00.jpg").await;
    let again = faces().await;
    assert_eq!(
        again.as_array().unwrap().len(),
        1,
        "the known face was stored again"
    );
    assert_eq!(
        (&again[0]["sightings"], &again[0]["face_id"]),
        (&json!(2), &first[0]["face_id"])
    );

    put("gate/09-05.jpg", "coffee-no-face.jpg").await;
    scrubbed("gate/09-05.jpg").await;
    assert!(archived("gate/09-05.jpg"));
    assert_eq!(
        faces().await[0]["sightings"],
        2,
        "a picture without a face changed what is known"
    );

    put("gate/09-10.jpg", "broken.jpg").await;
    let letters = letters(&connection, "unreadable", 1).await;
    let text = json!(letters).to_string();
    assert!(
        text.contains("the file is not a picture that can be read") && text.contains("gate/09-10.jpg"),
        "{text}\n{}",
        cloud.logs()
    );
    let left = python(json!(["blobs", connection, "snapshots"])).await;
    assert_eq!(left, json!(["gate/09-10.jpg"]), "the broken file is lost");
    assert!(!archived("gate/09-10.jpg"));

    let known = cloud.site("known").url();
    let answer = python(json!(["get", format!("{known}/faces")])).await;
    assert_eq!(answer[0], 200, "{answer}");
    let listed: Value = serde_json::from_str(answer[1].as_str().unwrap()).unwrap();
    let expected = json!([{"face_id": first[0]["face_id"], "first_seen_in": seen_in, "sightings": 2}]);
    assert_eq!(listed, expected);
}

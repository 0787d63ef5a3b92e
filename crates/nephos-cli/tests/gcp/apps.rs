//! The examples `orders` and `face-gate` on Google Cloud: from the first request or upload to the last effect, read back by Google's own clients.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::account::done;
use crate::cloud::Cloud;
use crate::examples::{binary, example};
use crate::store::Store;

/// An example with what a test adds to its manifest, deployed.
async fn deployed(name: &str, more: &str) -> Cloud {
    let built = name.to_owned();
    let binary = tokio::task::spawn_blocking(move || binary(&built, "gcp"))
        .await
        .unwrap();
    let cloud = Cloud::start(name, more, &binary).await;
    cloud.deploy().await;
    cloud
}

/// The program that a file of Lambda's or of Azure's packages holds.
fn unpacked(zip: &[u8], name: &str) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(zip)).unwrap();
    let mut bytes = Vec::new();
    archive.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// What the image holds is, byte for byte, what is built for the other targets, and what goes there.
fn is_the_same_everywhere(cloud: &Cloud) {
    let program = cloud.program("place");
    for target in ["aws", "azure"] {
        let other = std::fs::read(binary("orders", target)).unwrap();
        assert!(other == program, "the binary for {target} is another");
    }
    let lambda = nephos_aws::deploy::artifact::zip(&program).unwrap();
    assert!(
        unpacked(&lambda.bytes, "bootstrap") == program,
        "Lambda's zip holds another program"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_goes_all_the_way_to_its_receipt_and_the_report_comes_by_the_clock() {
    let cloud = deployed("orders", "").await;
    tokio::task::block_in_place(|| is_the_same_everywhere(&cloud));
    let place = cloud.url("place").await;
    let order = async |id: &str, quantity: u32| {
        let body = json!({"id": id, "article": "lamp", "quantity": quantity}).to_string();
        let headers = json!({"content-type": "application/json"});
        let answer = cloud
            .ask(json!(["post", format!("{place}/orders"), headers, body]))
            .await;
        answer[0].as_u64().unwrap()
    };
    assert_eq!(order("a-1", 2).await, 202, "{}", cloud.logs());
    let row = cloud
        .ask(json!(["item", cloud.name("orders"), "orders", "id", "a-1"]))
        .await;
    assert_eq!(
        (&row["status"], &row["quantity"], &row["article"]),
        (&json!("accepted"), &json!(2), &json!("lamp")),
        "{row}\n{}",
        cloud.logs()
    );
    assert_eq!(cloud.text("receipts", "a-1.txt").await, "Order a-1: 2 × lamp\n");
    let status = cloud.url("status").await;
    let told = cloud.ask(json!(["get", format!("{status}/orders/a-1")])).await;
    assert_eq!(told[0], 200, "{told}");
    assert!(told[1].as_str().unwrap().contains("\"accepted\""), "{told}");
    let told = cloud.ask(json!(["get", format!("{status}/orders/a-9")])).await;
    assert_eq!(told[0], 404, "{told}");
    assert!((400..500).contains(&order("a-3", 0).await));

    assert_eq!(order("a-2", 5000).await, 202);
    let letters = json!(cloud.messages("fulfil-dead-letter", 1).await).to_string();
    assert!(
        letters.contains("5000 is more than the warehouse holds") && letters.contains("a-2"),
        "{letters}\n{}",
        cloud.logs()
    );
    assert_eq!(
        cloud.items("orders").await.len(),
        1,
        "the refused order was written"
    );

    // By hand, as Pub/Sub would push it; the same order a second time is written once.
    for _ in 0..2 {
        let message = json!({"id": "a-4", "article": "lamp", "quantity": 3}).to_string();
        let push = json!({
            "message": {"data": STANDARD.encode(message), "messageId": "1", "publishTime": "2026-02-03T12:00:00Z", "attributes": {"nephos-content-type": "application/json"}},
            "subscription": format!("projects/nephos-tests/subscriptions/{}", cloud.name("incoming")),
        });
        cloud.invoke("fulfil", &push).await;
    }
    assert_eq!(cloud.text("receipts", "a-4.txt").await, "Order a-4: 3 × lamp\n");

    cloud.fire().await;
    let report: Value = serde_json::from_str(&cloud.text("receipts", "report.json").await).unwrap();
    assert_eq!(report, json!({"orders": 2, "articles": 5}));
    // Nobody calls with an event but Google's services, as the app's own account.
    let fulfil = cloud.url("fulfil").await;
    let refused = cloud.ask(json!(["post", fulfil, {}, "{}"])).await;
    assert_eq!(refused[0], 403, "{refused}");
    cloud.was_understood();
}

#[tokio::test(flavor = "multi_thread")]
async fn faces_are_found_stored_once_and_archived_with_a_third_party_and_a_broken_file_is_kept() {
    let store = tokio::task::spawn_blocking(|| Store::start("evidence"))
        .await
        .unwrap();
    let elsewhere = format!(
        "[target.gcp.bucket.archive]\nendpoint = \"{}\"\n",
        store.endpoint()
    );
    let cloud = deployed("face-gate", &elsewhere).await;
    cloud
        .ask(json!(["set_secret", cloud.name("archive-keys"), Store::keys()]))
        .await;

    let snapshots = cloud.bucket("snapshots");
    let put = async |key: &str, photo: &str| {
        let photo = example("face-gate").join("photos").join(photo);
        cloud.ask(json!(["put_file", snapshots, key, photo])).await;
    };
    // The picture is deleted last: when it is gone, all is done.
    let scrubbed = async |key: &str| {
        let gone = cloud.ask(json!(["gone", snapshots, key])).await;
        assert_eq!(gone, true, "{key} is not scrubbed\n{}", cloud.logs());
    };
    let archived = |key: &str| {
        let call = json!({"Bucket": "evidence", "Key": key});
        let archive = store.sdk();
        tokio::task::block_in_place(move || archive.ask("s3", "head_object", call).is_ok())
    };

    put("gate/08-00.jpg", "obama-oval-office-2012.jpg").await;
    scrubbed("gate/08-00.jpg").await;
    assert!(archived("gate/08-00.jpg"));
    let first = cloud.items("faces").await;
    assert_eq!(first.len(), 1, "{first:#?}");
    assert_eq!(first[0]["sightings"], 1);
    let seen_in = first[0]["first_seen_in"].as_str().unwrap();
    assert!(seen_in.starts_with("gate/08-00.jpg#0@"), "{seen_in}");

    put("gate/09-00.jpg", "obama-blue-room-2010.jpg").await;
    scrubbed("gate/09-00.jpg").await;
    let again = cloud.items("faces").await;
    assert_eq!(again.len(), 1, "the known face was stored again");
    assert_eq!(
        (&again[0]["sightings"], &again[0]["face_id"]),
        (&json!(2), &first[0]["face_id"])
    );

    put("gate/09-05.jpg", "coffee-no-face.jpg").await;
    scrubbed("gate/09-05.jpg").await;
    assert!(archived("gate/09-05.jpg"));
    assert_eq!(
        cloud.items("faces").await[0]["sightings"],
        2,
        "a picture without a face changed what is known"
    );

    put("gate/09-10.jpg", "broken.jpg").await;
    let letters = json!(cloud.messages("unreadable", 1).await).to_string();
    assert!(
        letters.contains("the file is not a picture that can be read") && letters.contains("gate/09-10.jpg"),
        "{letters}\n{}",
        cloud.logs()
    );
    let left = cloud.ask(json!(["names", snapshots])).await;
    assert_eq!(left, json!(["gate/09-10.jpg"]), "the broken file is lost");
    assert!(!archived("gate/09-10.jpg"));

    let known = cloud.url("known").await;
    let answer = cloud.ask(json!(["get", format!("{known}/faces")])).await;
    assert_eq!(answer[0], 200, "{answer}");
    let listed: Value = serde_json::from_str(answer[1].as_str().unwrap()).unwrap();
    let expected = json!([{"face_id": first[0]["face_id"], "first_seen_in": seen_in, "sightings": 2}]);
    assert_eq!(listed, expected);
    let logs = done(
        &cloud
            .google
            .run(&cloud.project, &["logs", "recognise", "--since", "1h"])
            .await,
    );
    assert!(logs.contains("gate/08-00.jpg: archived"), "{logs}");
    cloud.was_understood();
}

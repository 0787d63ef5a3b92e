//! Google's emulators, behind the gate that refuses what Google's documents do not know.

use std::sync::Arc;

use nephos_conformance::discovery::Documents;
use nephos_conformance::google_cloud::Checked;
use nephos_conformance::google_cloud::emulators::Emulator;
use serde_json::{Value, json};

#[tokio::test]
async fn what_googles_documents_do_not_know_is_refused_although_the_emulator_takes_it() {
    let emulator = Emulator::PubSub.start().await.unwrap();
    let documents = Arc::new(Documents::installed().unwrap());
    let gate = Checked::start("pubsub.googleapis.com", &emulator.endpoint(), documents)
        .await
        .unwrap();
    // An error says that another test has chosen already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let put = async |base: String, path: &str, body: Value| {
        let url = format!("{base}/v1/projects/shop/{path}");
        let request = client.put(url).header("content-type", "application/json");
        let answer = request.body(body.to_string()).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let topic = json!({"labels": {"a": "b"}});
    let (status, told) = put(gate.url(), "topics/news", topic).await;
    assert_eq!(status, 200, "{told}");
    let known: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(known["name"], "projects/shop/topics/news");
    for (path, body, place) in [
        ("topics/news?force=1", json!({}), "force"),
        ("topics/news", json!({"lables": {}}), "lables"),
        (
            "subscriptions/news",
            json!({"topic": "projects/shop/topics/news", "ackDeadlineSeconds": "ten"}),
            "ackDeadlineSeconds",
        ),
        ("topic/news", json!({}), "path"),
    ] {
        let (status, told) = put(gate.url(), path, body).await;
        assert_eq!(status, 400, "{told}");
        assert!(
            told.contains(place) && told.contains("INVALID_ARGUMENT"),
            "{told}"
        );
    }
    // The emulator itself takes what nobody knows.
    let (status, told) = put(emulator.endpoint(), "topics/more?force=1", json!({})).await;
    assert_eq!(status, 200, "{told}");
}

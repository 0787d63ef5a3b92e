//! The gate that refuses what Google's documents do not know, whatever is behind it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nephos_conformance::discovery::Documents;
use nephos_conformance::google_cloud::Checked;
use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use crate::client::read;

/// Something that takes everything, as emulators do, and counts what it is asked.
async fn takes_everything() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let counted = Arc::clone(&counted);
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                while read(&mut stream).await.is_some() {
                    counted.fetch_add(1, Ordering::SeqCst);
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{\"taken\": true}";
                    if stream.get_mut().write_all(answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (url, count)
}

#[tokio::test]
async fn what_googles_documents_do_not_know_is_refused_before_the_emulator_is_asked() {
    let (base, asked) = takes_everything().await;
    let documents = Arc::new(Documents::installed().unwrap());
    let gate = Checked::start("pubsub.googleapis.com", &base, documents)
        .await
        .unwrap();
    // An error says that another test has chosen already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let put = async |path: &str, body: Value| {
        let url = format!("{}/v1/projects/shop/{path}", gate.url());
        let request = client.put(url).header("content-type", "application/json");
        let answer = request.body(body.to_string()).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let topic = json!({"labels": {"a": "b"}});
    let (status, told) = put("topics/news", topic).await;
    assert_eq!((status, told.as_str()), (200, "{\"taken\": true}"));
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
        let (status, told) = put(path, body).await;
        assert_eq!(status, 400, "{told}");
        assert!(
            told.contains(place) && told.contains("INVALID_ARGUMENT"),
            "{told}"
        );
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

//! A voice request as its service sends it: signed, with a certificate chain to fetch, by a program that is not ours.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::python::python;

/// The store of the service's certificate chain, and a chain in it.
const STORE: &str = "s3.amazonaws.com";
const CHAIN: &str = "https://s3.amazonaws.com/echo.api/echo-api-cert.pem";
/// Whom the chain must be for.
const SIGNER: &str = "echo-api.amazon.com";

/// Asks the example's skill for the sign of `sign`, and gives status and body of the answer.
async fn ask(cloud: &Cloud, signer: &str, sign: &str, skill: &str) -> (u64, String) {
    let (place, chain) = store(cloud);
    let document = json!({
        "version": "1.0",
        "session": {"new": true, "sessionId": "s", "application": {"applicationId": skill}, "user": {"userId": "u"}},
        "request": {
            "type": "IntentRequest", "requestId": "r", "locale": "en-GB", "timestamp": chrono::Utc::now(),
            "intent": {"name": "GetHoroscope", "confirmationStatus": "NONE", "slots": {"ZodiacSign": {"name": "ZodiacSign", "value": sign}}},
        },
    });
    let edge = cloud.emulators.edge();
    let url = format!("{}/.nephos/voice/horoscope", cloud.site("skill").url());
    let call = json!([
        "speak",
        url,
        CHAIN,
        chain,
        edge.certificate_pem(),
        edge.key_pem(),
        signer,
        document.to_string()
    ]);
    let answer: Value = python(call).await;
    drop(place);
    let body = answer[1].as_str().unwrap().to_owned();
    (answer[0].as_u64().unwrap(), body)
}

/// What the store gives: the bytes of a file, which the caller writes before it calls.
fn store(cloud: &Cloud) -> (tempfile::TempDir, std::path::PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let chain = place.path().join("chain.pem");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    cloud
        .emulators
        .edge()
        .route(STORE, &format!("http://{}", listener.local_addr().unwrap()));
    let file = chain.clone();
    // One request, which has no body; the thread ends with it, or with the test.
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let read = stream.read(&mut [0; 4096]).unwrap();
        assert_ne!(read, 0);
        let chain = std::fs::read(&file).unwrap();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            chain.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&chain).unwrap();
    });
    (place, chain)
}

/// A request of the service is answered in its own words; those signed by another, or of another skill, are not.
pub(crate) async fn spoken(cloud: &Cloud) {
    let skill = "amzn1.ask.skill.5ecfcbb2-2a37-4d4e-9f6c-example";
    let (status, body) = ask(cloud, "echo-api.example.com", "Aries", skill).await;
    assert_eq!(status, 401, "{body}");
    let (status, body) = ask(cloud, SIGNER, "Virgo", skill).await;
    assert_eq!(status, 200, "{body}\n{}", cloud.logs());
    assert!(body.contains("A good day for Virgo."), "{body}");
    // Signed by the same, but the chain that is kept is of another key.
    let (status, body) = ask(cloud, SIGNER, "Leo", skill).await;
    assert_eq!(status, 401, "{body}");
}

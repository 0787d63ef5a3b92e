//! Who asks, as a function on Cloud Run finds it: a process of its own, with the variables of one, asks the metadata server for a token, and Google's hosts with it.

use std::process::Stdio;
use std::sync::Arc;

use nephos_conformance::discovery::Documents;
use nephos_conformance::edge::Edge;
use nephos_conformance::google_cloud::{Control, Options};
use nephos_core::env::Environment;
use nephos_core::resource::ResourceKind;
use nephos_gcp::config::Config;
use nephos_gcp::harness::operator;
use nephos_gcp::resources::rest::Rest;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::process::Command;

use super::open;

const SECRET: &str = "projects/nephos-tests/secrets/key";

/// The one test here, and the variable that says that its process is the function.
const TEST: &str = "identity::a_function_asks_as_the_service_account_that_the_metadata_server_tells";
const FUNCTION: &str = "NEPHOS_GCP_TEST_FUNCTION";

/// A metadata server with this token: <https://cloud.google.com/compute/docs/metadata/overview>
async fn metadata(token: String) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let token = token.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    match stream.read_u8().await {
                        Ok(byte) => head.push(byte),
                        Err(_) => return,
                    }
                }
                let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
                let is_asked = head
                    .starts_with("get /computemetadata/v1/instance/service-accounts/default/token")
                    && head.contains("metadata-flavor: google");
                let (status, body) = if is_asked {
                    let token = json!({"access_token": token, "expires_in": 3599, "token_type": "Bearer"});
                    ("200 OK", token.to_string())
                } else {
                    ("404 Not Found", String::new())
                };
                let answer = format!(
                    "HTTP/1.1 {status}\r\nmetadata-flavor: Google\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                // A client that went away is its own matter.
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    address
}

/// What a process says that has these variables: it runs the same test, and is told to be the function.
async fn run(variables: &[(&str, &str)]) -> String {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture"])
        .env_clear()
        .env(FUNCTION, "1")
        .env("HOME", home.path())
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = text.lines().find_map(|line| line.split_once("the secret is "));
    let (_, told) = told.unwrap_or_else(|| panic!("{text}\n{}", String::from_utf8_lossy(&output.stderr)));
    told.to_owned()
}

/// What the function does.
async fn function() {
    let config = Config::load(&Environment::of_process()).unwrap();
    let secret = open(&config, ResourceKind::Secret, SECRET, &[])
        .secret("it")
        .unwrap();
    match secret.get().await {
        Ok(value) => println!("the secret is {}", value.expose_text().unwrap()),
        Err(error) => println!("the secret is not told: {} {}", error.kind(), error.message()),
    }
}

#[tokio::test]
async fn a_function_asks_as_the_service_account_that_the_metadata_server_tells() {
    if std::env::var_os(FUNCTION).is_some() {
        return function().await;
    }
    let documents = Arc::new(Documents::installed().unwrap());
    let control = Control::start(Options::default(), documents).await.unwrap();
    let edge = Edge::start().await.unwrap();
    control.route(&edge);
    let config = operator::config(&Environment::default(), &control.token(), &edge).unwrap();
    let rest = Rest::new(&config, "https://secretmanager.googleapis.com/v1").unwrap();
    let body = json!({"replication": {"automatic": {}}});
    let path = "/projects/nephos-tests/secrets?secretId=key";
    let _: Value = rest.post("test", path, &body).await.unwrap();
    let body = json!({"payload": {"data": "c2VzYW1l"}});
    let _: Value = rest
        .post("test", &format!("/{SECRET}:addVersion"), &body)
        .await
        .unwrap();

    let [(proxy, at), (certificates, file)] = edge.environment();
    let server = metadata(control.token()).await;
    let shared = [(proxy, at.as_str()), (certificates, file.as_str())];
    let with = |name, value| [&shared[..], &[(name, value)]].concat();
    assert_eq!(run(&with("GCE_METADATA_HOST", &server)).await, "sesame");

    // Somebody else's token.
    let server = metadata("ya29.nobody".to_owned()).await;
    let told = run(&with("GCE_METADATA_HOST", &server)).await;
    assert!(told.contains("unauthenticated"), "{told}");
    assert!(!told.contains("nobody"), "{told}");

    // A file that is not there is not passed over.
    let told = run(&with("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/file.json")).await;
    assert!(told.contains("check GOOGLE_APPLICATION_CREDENTIALS"), "{told}");
}

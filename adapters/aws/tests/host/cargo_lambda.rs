//! `cargo lambda watch` as a second Lambda, which shares no code with the test's own.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use crate::api::{PATIENCE, command};

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn tool() -> PathBuf {
    let tools = std::env::var("NEPHOS_TOOLS").expect(
        "NEPHOS_TOOLS names the folder of the tools that tests need; run `cargo xtask setup`, then `cargo xtask test`, which sets it",
    );
    let tool = PathBuf::from(tools).join("python/bin/cargo-lambda");
    assert!(
        tool.exists(),
        "{} is not there; run `cargo xtask setup`",
        tool.display()
    );
    tool
}

async fn post(port: u16, event: &Value) -> Option<(u16, Value)> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection);
    let request = http::Request::post("/2015-03-31/functions/_/invocations")
        .header("host", "127.0.0.1")
        .header("content-type", "application/json")
        .body(Full::new(bytes::Bytes::from(event.to_string())))
        .unwrap();
    let response = sender.send_request(request).await.ok()?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.ok()?.to_bytes();
    Some((status, serde_json::from_slice(&body).ok()?))
}

pub(crate) async fn invoke() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    // It wants a package to watch, and builds nothing of it.
    let folder = tempfile::tempdir().unwrap();
    let manifest = "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n";
    std::fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    std::fs::create_dir(folder.path().join("src")).unwrap();
    std::fs::write(folder.path().join("src/main.rs"), "fn main() {}\n").unwrap();
    let mut lambda = Command::new(tool());
    lambda
        .args(["lambda", "watch", "--only-lambda-apis", "-A", "127.0.0.1", "-P"])
        .arg(port.to_string())
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _lambda = Killed(lambda.spawn().unwrap());
    let listens = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, listens)
        .await
        .expect("cargo lambda does not start");
    let _function = Killed(
        command(format_args!("http://127.0.0.1:{port}/.rt"), "probe", &[])
            .spawn()
            .unwrap(),
    );
    let invoke = |event: Value| async move {
        let answer = tokio::time::timeout(PATIENCE, post(port, &event));
        answer.await.expect("no answer").expect("no HTTP")
    };
    let (status, answer) = invoke(json!({"n": 1})).await;
    assert_eq!((status, &answer["event"]["n"]), (200, &json!(1)), "{answer}");
    let (_, answer) = invoke(json!({"do": "fail"})).await;
    assert_eq!(answer["errorMessage"], "the warehouse did not answer", "{answer}");
    let (_, answer) = invoke(json!({"do": "panic"})).await;
    assert_eq!(answer["errorType"], "panicked", "{answer}");
    // Its deadline lies in the past.
    let (status, answer) = invoke(json!({"do": "wait"})).await;
    assert_eq!((status, &answer["remaining_ms"]), (200, &Value::Null), "{answer}");
}

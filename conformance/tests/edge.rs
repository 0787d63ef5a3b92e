//! The proxy by which stand-ins have a provider's own host names, asked by a client that knows nothing of it: Python's, told by variables alone.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Output};

use nephos_conformance::edge::Edge;

/// Answers each request with what it was: its first line, its host, its body.
fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/below", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let (mut first, mut host, mut length) = (String::new(), String::new(), 0);
            reader.read_line(&mut first).unwrap();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let line = line.trim().to_ascii_lowercase();
                if let Some(value) = line.strip_prefix("host: ") {
                    value.clone_into(&mut host);
                } else if let Some(value) = line.strip_prefix("content-length: ") {
                    length = value.parse().unwrap();
                } else if line.is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let told = format!("{} {host} {}", first.trim(), String::from_utf8(body).unwrap());
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{told}",
                told.len()
            );
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    url
}

const ASK: &str = "
import sys, urllib.request
data = sys.argv[2].encode() if len(sys.argv) > 2 else None
print(urllib.request.urlopen(sys.argv[1], data, timeout=10).read().decode())
";

async fn ask(arguments: &'static [&'static str], environment: Vec<(&'static str, String)>) -> Output {
    tokio::task::spawn_blocking(move || {
        Command::new("python3")
            .args(["-c", ASK])
            .args(arguments)
            .env_remove("NO_PROXY")
            .env_remove("no_proxy")
            .envs(environment)
            .output()
            .unwrap()
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_asked_by_its_own_name_over_tls_and_the_stand_in_answers() {
    let edge = Edge::start().await.unwrap();
    edge.route("management.example.net", &echo());
    edge.route("*.scm.example.net", &format!("{}/site/*", echo()));
    let environment: Vec<_> = edge.environment().into();

    let text = |output: Output| {
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let posted = ask(
        &["https://management.example.net/a%20b?c=d", "hello"],
        environment.clone(),
    )
    .await;
    assert_eq!(
        text(posted),
        "POST /below/a%20b?c=d HTTP/1.1 management.example.net hello"
    );
    let got = ask(&["https://shop.scm.example.net/api"], environment.clone()).await;
    assert_eq!(
        text(got),
        "GET /below/site/shop/api HTTP/1.1 shop.scm.example.net"
    );

    let elsewhere = ask(&["https://other.example.net/"], environment).await;
    assert!(!elsewhere.status.success());
    assert_eq!(edge.refused(), ["other.example.net"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_trust_the_authority_is_told_nothing() {
    let edge = Edge::start().await.unwrap();
    edge.route("management.example.net", &echo());
    let [proxy, _] = edge.environment();
    let output = ask(&["https://management.example.net/"], vec![proxy]).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("CERTIFICATE_VERIFY_FAILED"), "{told}");
}

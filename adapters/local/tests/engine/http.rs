//! The gateway: routes, headers, failures, large bodies.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use libtest_mimic::{Failed, Trial};
use nephos_core::app::{Isolation, Trigger};
use nephos_core::event::AuthStage;
use nephos_local::deploy::activity::Activity;

use crate::support::{Fixture, ask, exchange, hear, http, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("requests_reach_their_function_and_nothing_else", routes),
        trial("an_upload_of_a_gibibyte_streams", upload),
        trial(
            "an_isolated_function_has_a_fresh_process_and_an_empty_folder_each_time",
            isolation,
        ),
        trial("a_warm_process_is_used_again", warm),
        trial("a_sign_in_step_is_answered_in_neutral_json", auth),
    ]
}

async fn routes() -> Result<(), Failed> {
    let fixture = Fixture::new().http("hello", Some("GET"), "/hello/{name}");
    let engine = fixture.start().await;
    let answer = ask(&engine, "GET", "/hello/a%20b?x=1").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.ends_with("GET /hello/a%20b?x=1 {\"name\": \"a b\"} 0 reserved=false trace=true"),
        "{answer}"
    );
    assert!(!answer.to_lowercase().contains("nephos-"), "{answer}");
    let answer = ask(&engine, "GET", "/nothing").await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert!(answer.contains("application/problem+json"), "{answer}");
    let answer = ask(&engine, "DELETE", "/hello/x").await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    assert!(answer.contains("allow: GET, HEAD\r\n"), "{answer}");
    engine.stop().await;
    Ok(())
}

fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap_or("0 kB");
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() << 10
}

async fn upload() -> Result<(), Failed> {
    const SIZE: usize = 1 << 30;
    let fixture = Fixture::new().function("hello", http(Some("PUT"), "/files"), |spec| {
        spec.timeout = std::time::Duration::from_secs(300);
    });
    let engine = fixture.start().await;
    let mut listener = engine.activity();
    let address = engine.addresses().gateway;
    let before = peak_memory();
    let answer = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(
            stream,
            "PUT /files HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {SIZE}\r\n\r\n"
        )
        .unwrap();
        let chunk = vec![7; 1 << 20];
        for _ in 0..SIZE / chunk.len() {
            stream.write_all(&chunk).unwrap();
        }
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    })
    .await?;
    assert!(answer.contains(&format!(" {SIZE} ")), "{answer}");
    let grown = peak_memory().saturating_sub(before);
    assert!(grown < 64 << 20, "the host grew by {grown} bytes");
    let peak = hear(&mut listener, |activity| match activity {
        Activity::Invocation(invocation) => Some(invocation.peak_memory),
        _ => None,
    })
    .await?;
    assert!(peak.is_none_or(|peak| peak < 128 << 20), "{peak:?}");
    engine.stop().await;
    Ok(())
}

fn body(answer: &str) -> &str {
    answer
        .split_once("\r\n\r\n")
        .map(|(_, body)| body)
        .unwrap_or_default()
}

async fn isolation() -> Result<(), Failed> {
    let fixture = Fixture::new().function("pid", http(None, "/pid"), |spec| {
        spec.isolation = Isolation::Invocation;
    });
    let engine = fixture.start().await;
    let first = ask(&engine, "GET", "/pid").await;
    let second = ask(&engine, "GET", "/pid").await;
    assert!(body(&first).ends_with("calls=1 empty=true"), "{first}");
    assert!(body(&second).ends_with("calls=1 empty=true"), "{second}");
    assert_ne!(body(&first), body(&second));
    engine.stop().await;
    Ok(())
}

async fn warm() -> Result<(), Failed> {
    let fixture = Fixture::new().http("pid", None, "/pid");
    let engine = fixture.start().await;
    let first = ask(&engine, "GET", "/pid").await;
    let second = ask(&engine, "GET", "/pid").await;
    let pid = |answer: &str| body(answer).split(' ').next().unwrap().to_owned();
    assert_eq!(pid(&first), pid(&second));
    assert!(body(&second).ends_with("calls=2 empty=false"), "{second}");
    let mut listener = engine.activity();
    engine.replace_binary(&std::env::current_exe()?);
    hear(&mut listener, |activity| {
        matches!(activity, Activity::Stopped { .. }).then_some(())
    })
    .await?;
    let third = ask(&engine, "GET", "/pid").await;
    assert_ne!(pid(&first), pid(&third));
    engine.stop().await;
    Ok(())
}

async fn auth() -> Result<(), Failed> {
    let stage = AuthStage::BeforeSignIn;
    let fixture = Fixture::new().function("gate", Trigger::Auth { stage }, |_| {});
    let engine = fixture.start().await;
    let json = r#"{"user":"mallory"}"#;
    let request = format!(
        "POST /_nephos/auth/before_sign_in HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{json}",
        json.len()
    );
    let answer = exchange(engine.addresses().gateway, request).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("not you"), "{answer}");
    engine.stop().await;
    Ok(())
}

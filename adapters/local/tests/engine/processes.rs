//! A function's processes: how many there are, and when they end.

use std::collections::BTreeSet;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use nephos_core::app::Trigger;
use nephos_local::deploy::activity::Activity;
use nephos_local::deploy::engine::Engine;

use crate::support::{Fixture, ask, exchange, hear, http, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("no_more_processes_start_than_the_manifest_allows", bound),
        trial("a_process_that_has_nothing_to_do_is_stopped", idle),
        trial("a_skill_is_spoken_to_in_neutral_json", voice),
        trial("a_step_that_cannot_be_read_is_the_callers_mistake", unreadable),
    ]
}

async fn bound() -> Result<(), Failed> {
    for (concurrency, max_instances) in [(64, 1), (1, 2)] {
        let fixture = Fixture::new().function("pid", http(Some("GET"), "/pid"), |spec| {
            spec.concurrency = concurrency;
            spec.max_instances = max_instances;
        });
        let engine = fixture.start().await;
        // All at once, while no process runs yet.
        let answers = futures::future::join_all((0..40).map(|_| ask(&engine, "GET", "/pid"))).await;
        let mut pids = BTreeSet::new();
        for answer in answers {
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            let (_, body) = answer.split_once("\r\n\r\n").unwrap();
            pids.insert(body.split(' ').next().unwrap().to_owned());
        }
        assert!(
            pids.len() <= max_instances as usize,
            "{} processes for max_instances = {max_instances}",
            pids.len()
        );
        engine.stop().await;
    }
    Ok(())
}

async fn idle() -> Result<(), Failed> {
    let fixture = Fixture::new().http("pid", Some("GET"), "/pid");
    let mut options = fixture.options();
    options.idle_timeout = Duration::from_millis(50);
    let engine = Engine::start(fixture.app.clone(), options).await?;
    let mut listener = engine.activity();
    let answer = ask(&engine, "GET", "/pid").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let reason = hear(&mut listener, |activity| match activity {
        Activity::Stopped { reason, .. } => Some(reason.clone()),
        _ => None,
    })
    .await?;
    assert_eq!(reason, "idle");
    // And the next request starts another.
    let answer = ask(&engine, "GET", "/pid").await;
    assert!(answer.contains("calls=1 "), "{answer}");
    engine.stop().await;
    Ok(())
}

fn post(path: &str, json: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{json}",
        json.len()
    )
}

fn skill() -> Fixture {
    let skill = "weather".to_owned();
    Fixture::new().function("speak", Trigger::Voice { skill }, |_| {})
}

async fn voice() -> Result<(), Failed> {
    let engine = skill().start().await;
    let json = r#"{"id":"1","skill":"weather","request":{"type":"launch"},"user":"ann"}"#;
    let answer = exchange(engine.addresses().gateway, post("/_nephos/voice/weather", json)).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains(r#""speech":"hello ann""#), "{answer}");
    assert!(answer.contains(r#""end_session":true"#), "{answer}");
    engine.stop().await;
    Ok(())
}

async fn unreadable() -> Result<(), Failed> {
    let engine = skill().start().await;
    let gateway = engine.addresses().gateway;
    let answer = exchange(gateway, post("/_nephos/voice/weather", "{")).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("the body is not the request's JSON"), "{answer}");
    let large = format!("\"{}\"", "x".repeat(2 << 20));
    let answer = exchange(gateway, post("/_nephos/voice/weather", &large)).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{}", &answer[..200]);
    assert!(
        answer.contains("the body cannot be read: length limit exceeded"),
        "{answer}"
    );
    engine.stop().await;
    Ok(())
}

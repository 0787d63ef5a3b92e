//! What goes wrong, and what is said of it.

use std::time::{Duration, Instant};

use http::Request;
use libtest_mimic::{Failed, Trial};
use nephos_core::event::{Body, Data, Event};
use nephos_core::{Error, ErrorKind};
use nephos_local::deploy::activity::Activity;
use nephos_local::deploy::engine::Engine;

use crate::support::{Fixture, ask, hear, http, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "a_function_that_crashes_at_start_is_named_and_not_started_in_a_storm",
            crash_at_start,
        ),
        trial("a_function_that_hangs_is_killed_and_told_of", hang),
        trial("a_function_that_answers_no_http_is_told_of", garbage),
        trial("a_function_that_prints_a_gigabyte_goes_on", flood),
        trial("a_second_engine_on_the_same_folder_is_refused", second_engine),
        trial("a_port_that_is_taken_is_named_with_its_option", port_taken),
        trial("a_damaged_store_is_named_and_left_alone", damaged_store),
        trial("a_state_folder_that_cannot_be_made_is_named", unwritable),
        trial("an_address_beyond_the_machine_is_refused", exposed),
    ]
}

async fn invoke(engine: &Engine, function: &str) -> Error {
    let request = Request::get("/x").body(Body::empty()).unwrap();
    match engine.invoke(function, Event::of(Data::Http(request))).await {
        Err(error) => error,
        Ok(outcome) => panic!("{outcome:?}"),
    }
}

async fn crash_at_start() -> Result<(), Failed> {
    let fixture = Fixture::new().http("crash", None, "/x");
    let engine = fixture.start().await;
    let mut listener = engine.activity();
    let error = invoke(&engine, "crash").await;
    assert_eq!(error.kind(), ErrorKind::Crashed);
    let text = error.chain();
    assert!(
        text.contains("exit code 3") && text.contains("the config is missing") && text.contains("crash"),
        "{text}"
    );
    let answer = ask(&engine, "GET", "/x").await;
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    assert!(
        !answer.contains("config"),
        "the reason is not for strangers: {answer}"
    );
    let begun = Instant::now();
    let asked = futures::future::join_all((0..40).map(|_| ask(&engine, "GET", "/x"))).await;
    assert!(asked.iter().all(|answer| answer.starts_with("HTTP/1.1 502 ")));
    let took = begun.elapsed();
    let mut started = 0;
    while let Ok(activity) = listener.try_recv() {
        started += usize::from(matches!(activity, Activity::Started { .. }));
    }
    let most = 40 / 2;
    assert!(started <= most, "{started} processes in {took:?}");
    engine.stop().await;
    Ok(())
}

async fn hang() -> Result<(), Failed> {
    let fixture = Fixture::new().function("hang", http(None, "/x"), |spec| {
        spec.timeout = Duration::from_millis(300);
        spec.concurrency = 1;
    });
    let engine = fixture.start().await;
    let mut listener = engine.activity();
    let answer = ask(&engine, "GET", "/x").await;
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
    let reason = hear(&mut listener, |activity| match activity {
        Activity::Stopped { reason, .. } => Some(reason.clone()),
        _ => None,
    })
    .await?;
    assert!(reason.contains("did not answer in time"), "{reason}");
    engine.stop().await;
    Ok(())
}

async fn garbage() -> Result<(), Failed> {
    let fixture = Fixture::new().http("garbage", None, "/x");
    let engine = fixture.start().await;
    let error = invoke(&engine, "garbage").await;
    assert!(error.chain().contains("not HTTP"), "{}", error.chain());
    let answer = ask(&engine, "GET", "/x").await;
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    engine.stop().await;
    Ok(())
}

async fn flood() -> Result<(), Failed> {
    let fixture = Fixture::new().function("flood", http(None, "/x"), |spec| {
        spec.timeout = Duration::from_secs(300);
    });
    let engine = fixture.start().await;
    let mut listener = engine.activity();
    let answer = ask(&engine, "GET", "/x").await;
    assert!(answer.ends_with("printed"), "{answer}");
    engine.stop().await;
    let line = hear(&mut listener, |activity| match activity {
        Activity::Log { line, .. } => Some(line.clone()),
        _ => None,
    })
    .await?;
    assert!(
        line.len() < 16 << 10 && line.contains("bytes of the line cut"),
        "{} bytes",
        line.len()
    );
    Ok(())
}

async fn refusal(fixture: &Fixture) -> Error {
    match Engine::start(fixture.app.clone(), fixture.options()).await {
        Err(error) => error,
        Ok(_) => panic!("it started"),
    }
}

async fn second_engine() -> Result<(), Failed> {
    let fixture = Fixture::new().http("hello", None, "/x");
    let engine = fixture.start().await;
    let error = refusal(&fixture).await;
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("another engine runs"), "{error}");
    engine.stop().await;
    fixture.start().await.stop().await;
    Ok(())
}

async fn port_taken() -> Result<(), Failed> {
    let fixture = Fixture::new().http("hello", None, "/x");
    let holder = std::net::TcpListener::bind("127.0.0.1:0")?;
    let mut options = fixture.options();
    options.gateway = holder.local_addr()?;
    let error = Engine::start(fixture.app.clone(), options)
        .await
        .err()
        .ok_or("it started")?;
    let text = error.to_string();
    assert!(
        text.contains(&holder.local_addr()?.port().to_string()) && text.contains("--port"),
        "{text}"
    );
    Ok(())
}

async fn damaged_store() -> Result<(), Failed> {
    let fixture = Fixture::new().http("hello", None, "/x");
    std::fs::create_dir_all(fixture.state())?;
    let junk = vec![b'j'; 8192];
    std::fs::write(fixture.state().join("store.db"), &junk)?;
    let error = refusal(&fixture).await;
    assert_eq!(error.kind(), ErrorKind::DataLoss, "{error}");
    assert!(error.to_string().contains("store.db"), "{error}");
    assert_eq!(std::fs::read(fixture.state().join("store.db"))?, junk);
    Ok(())
}

async fn unwritable() -> Result<(), Failed> {
    let fixture = Fixture::new().http("hello", None, "/x");
    std::fs::write(fixture.state(), "a file")?;
    let error = refusal(&fixture).await;
    assert!(
        error.to_string().contains("state") && error.to_string().contains("choose another folder"),
        "{error}"
    );
    Ok(())
}

async fn exposed() -> Result<(), Failed> {
    let fixture = Fixture::new().http("hello", None, "/x");
    let mut options = fixture.options();
    options.gateway = "0.0.0.0:0".parse()?;
    let error = Engine::start(fixture.app.clone(), options)
        .await
        .err()
        .ok_or("it started")?;
    assert!(error.to_string().contains("other machines"), "{error}");
    Ok(())
}

//! The host is killed in the middle of ten thousand messages: none is lost, and none that was acknowledged comes again.

use std::collections::HashSet;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use nephos_core::app::{App, Trigger};
use nephos_core::resource::NoExternalBuckets;
use nephos_core::resource::queue::Outgoing;
use nephos_local::deploy::engine::{Engine, Offline, Options};

use crate::support::{Fixture, PATIENCE, trial, until};

/// The variable that makes this binary a host on the state folder that it names.
pub(crate) const HOST: &str = "TEST_HOST";
/// The file with the host's app, in the state folder's parent.
const APP: &str = "app.json";
const MESSAGES: usize = 10_000;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial(
        "kill_9_amid_ten_thousand_messages_loses_none_and_repeats_none_that_was_acknowledged",
        killed,
    )]
}

/// Runs a host until it is killed.
pub(crate) fn host(state: &Path) -> ExitCode {
    let text = std::fs::read_to_string(state.with_file_name(APP)).unwrap();
    let app: App = serde_json::from_str(&text).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let options = Options::new(state, std::env::current_exe().unwrap());
        let _engine = Engine::start(app, options).await.unwrap();
        std::future::pending::<ExitCode>().await
    })
}

async fn offline(fixture: &Fixture) -> Offline {
    Offline::open(
        fixture.app.clone(),
        &fixture.state(),
        None,
        Arc::new(NoExternalBuckets),
    )
    .await
    .unwrap()
}

async fn killed() -> Result<(), Failed> {
    let on = Trigger::Queue {
        queue: "orders".to_owned(),
        batch: 10,
    };
    let fixture = Fixture::new().queue("orders").function("bulk", on, |_| {});
    std::fs::write(
        fixture.state().with_file_name(APP),
        serde_json::to_string(&fixture.app)?,
    )?;
    let store = offline(&fixture).await;
    let queue = store.resources().queue("orders")?;
    let all: Vec<_> = (0..MESSAGES).map(|number| number.to_string()).collect();
    for chunk in all.chunks(1000) {
        queue
            .send_batch(chunk.iter().map(|text| Outgoing::new(text.as_str())).collect())
            .await?;
    }
    store.close().await;

    let mut child = Command::new(std::env::current_exe()?)
        .env(HOST, fixture.state())
        .spawn()?;
    until("a part of the messages", || fixture.lines().len() > MESSAGES / 10).await?;
    child.kill()?;
    child.wait()?;
    // Its functions end by themselves.
    let mut seen = fixture.lines().len();
    let mut still = 0;
    until("the functions' end", || {
        let now = fixture.lines().len();
        still = if now == seen { still + 1 } else { 0 };
        seen = now;
        still > 100
    })
    .await?;
    let first: Vec<_> = fixture.lines();
    assert!(first.len() < MESSAGES, "it was killed too late to show anything");
    let store = offline(&fixture).await;
    let depth = store.resources().queue("orders")?.depth().await?;
    store.close().await;
    let left = usize::try_from(depth.total())?;
    assert!(left > 0 && left < MESSAGES, "{left} left");

    // What was leased when it died comes again at once: nobody waits for leases of a host that is gone.
    let engine = fixture.start().await;
    assert!(engine.settled(PATIENCE + Duration::from_secs(60)).await);
    engine.stop().await;
    let lines = fixture.lines();
    let distinct: HashSet<_> = lines.iter().collect();
    assert_eq!(distinct.len(), MESSAGES, "none is lost");
    assert_eq!(
        lines.len() - first.len(),
        left,
        "what was acknowledged does not come again"
    );
    Ok(())
}

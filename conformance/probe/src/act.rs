//! Reporting, and doing what a command says.

use std::time::Duration;

use nephos::prelude::*;
use nephos_conformance::probe::{Act, Command, OBSERVED, Observation, Slip};
use serde_json::Value;

/// Reports one invocation, or one record of it.
pub(crate) async fn observe(cx: &Context, tag: &str, attempt: u32, id: &str, note: Value) -> Result<()> {
    let observation = Observation {
        function: cx.function().to_owned(),
        tag: tag.to_owned(),
        attempt,
        id: id.to_owned(),
        invocation: cx.invocation_id().to_owned(),
        deadline_ms: cx
            .remaining()
            .and_then(|left| u64::try_from(left.as_millis()).ok()),
        at_us: chrono::Utc::now().timestamp_micros(),
        pid: std::process::id(),
        note,
    };
    cx.queue(OBSERVED)?.send_json(&observation).await?;
    Ok(())
}

/// Does it.
pub(crate) async fn act(command: &Command, attempt: u32) -> Result<()> {
    match command.act_on(attempt) {
        Act::Ok | Act::Unknown => Ok(()),
        Act::Retry => Err(Error::retry("told to fail")),
        Act::Reject if Slip::RejectRetried.is_made() => Err(Error::retry("told to refuse")),
        Act::Reject => Err(Error::reject("told to refuse")),
        Act::Panic if Slip::PanicEndsProcess.is_made() => std::process::exit(7),
        Act::Panic => panic!("told to panic"),
        Act::Exit => std::process::exit(7),
        Act::Sleep | Act::Tell => {
            tokio::time::sleep(Duration::from_millis(command.ms)).await;
            Ok(())
        }
    }
}

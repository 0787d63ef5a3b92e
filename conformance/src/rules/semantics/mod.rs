//! Rules of what becomes of an event: delivered, retried, dead-lettered, never lost. They deploy the [probe](crate::probe).

pub(super) mod batches;
pub(super) mod changes;
pub(super) mod failures;
pub(super) mod http;
pub(super) mod ordered;
pub(super) mod outcomes;
pub(super) mod processes;
pub(super) mod scene;
pub(super) mod triggers;

use nephos_core::app::{App, FunctionSpec, QueueSpec, Resource, Trigger};
use nephos_core::resource::queue::Outgoing;

use crate::harness::Capabilities;
use crate::probe::{self, Command};
use crate::rule::Violation;

/// Of what failed too often: the facts are beside it.
fn facts(capabilities: &Capabilities) -> bool {
    capabilities.host.dead_letter_facts
}

/// Of events that are not messages: which try it is.
fn tries(capabilities: &Capabilities) -> bool {
    capabilities.host.counts_tries
}

/// An app in which `function` handles the queue `jobs`, `batch` messages at once.
pub(super) fn jobs(function: &str, batch: u32, adjust: impl FnOnce(&mut FunctionSpec)) -> App {
    let mut app = probe::app();
    app.resources
        .insert("jobs".to_owned(), Resource::Queue(QueueSpec::default()));
    let mut spec = probe::function([Trigger::Queue {
        queue: "jobs".to_owned(),
        batch,
    }]);
    adjust(&mut spec);
    app.functions.insert(function.to_owned(), spec);
    app
}

fn outgoing(command: &Command) -> Result<Outgoing, Violation> {
    Ok(Outgoing::json(command)?)
}

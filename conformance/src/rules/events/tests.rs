//! The negatives of the rules, over an adapter that has no event at all.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use nephos_core::app::{App, QueueSpec, StreamSpec};
use nephos_core::resource::bucket::Bucket;
use nephos_core::resource::queue::Queue;
use nephos_core::resource::secret::Secret;
use nephos_core::resource::stream::Stream;
use nephos_core::resource::table::{Table, TableSchema};
use nephos_core::resource::topic::Topic;
use nephos_core::{Error, ErrorKind, Result};

use crate::happening::{Delivered, Happening, Native};
use crate::harness::{AuthCapabilities, Deployment, Harness, HostCapabilities, Mode};
use crate::mutants::Mutant;

#[derive(Debug)]
struct Nothing;

fn none<T>() -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported, "harness", "there is none"))
}

#[async_trait]
impl Harness for Nothing {
    fn adapter(&self) -> &'static str {
        "nothing"
    }

    fn mode(&self) -> Mode {
        Mode::Embedded
    }

    fn host(&self) -> HostCapabilities {
        HostCapabilities {
            kinds: BTreeSet::new(),
            counts_tries: false,
            tells_tries: BTreeSet::new(),
            query_values: false,
            dead_letter_facts: false,
            stream_letters: false,
            auth: AuthCapabilities::default(),
            isolation: false,
            shared_process: false,
            streams_answers: false,
            changes_each: false,
            changes_removed: false,
            changes_old: false,
            changes_kinds_told: false,
        }
    }

    async fn native(&self, _happening: &Happening) -> Result<Vec<Native>> {
        none()
    }

    async fn decode(&self, _native: &Native) -> Result<Vec<Delivered>> {
        none()
    }

    async fn bucket(&self) -> Result<Bucket> {
        none()
    }

    async fn queue(&self, _spec: QueueSpec) -> Result<Queue> {
        none()
    }

    async fn missing_queue(&self) -> Result<Queue> {
        none()
    }

    async fn topic(&self) -> Result<Topic> {
        none()
    }

    async fn stream(&self, _spec: StreamSpec) -> Result<Stream> {
        none()
    }

    async fn table(&self, _schema: TableSchema) -> Result<Table> {
        none()
    }

    async fn secret(&self, _value: Option<&[u8]>) -> Result<Secret> {
        none()
    }

    async fn rotate(&self, _secret: &Secret, _value: &[u8]) -> Result<()> {
        none()
    }

    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }

    async fn pass(&self, _time: Duration) {}

    async fn deploy(&self, _app: App) -> Result<Arc<dyn Deployment>> {
        none()
    }

    async fn finish(&self) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn an_adapter_without_a_kind_of_event_must_refuse_it_and_is_noticed_if_it_does_not() {
    for rule in [super::neutral::RULES, super::changes::RULES].concat() {
        let need = rule.needs.expect("every kind may be missing");
        let refused = need.refused;
        refused(Arc::new(Nothing)).await.expect(rule.id);
        let pretending = Mutant::new(Arc::new(Nothing), need.mutant);
        assert!(
            refused(Arc::new(pretending)).await.is_err(),
            "{}: the negative holds although a payload was made up",
            rule.id
        );
    }
}

#[tokio::test]
async fn that_nothing_can_be_cut_off_or_damaged_is_not_taken_for_a_proof() {
    for rule in super::any::RULES {
        assert!((rule.check)(Arc::new(Nothing)).await.is_err(), "{}", rule.id);
    }
}

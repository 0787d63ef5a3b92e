//! What is told of an invocation.

use std::sync::Arc;

use nephos_core::event::{Data, Event, TriggerKind};
use nephos_core::{Error, Outcome, Result};
use tokio::time::Instant;

use super::Pool;
use super::lease::Lease;
use crate::deploy::activity::{Activities, Activity, Invocation, InvocationResult};
use crate::wire::{Meta, WireError};

/// What is told of an invocation when it ends.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) result: Option<InvocationResult>,
    activities: Activities,
    function: Arc<str>,
    trigger: TriggerKind,
    id: String,
    subject: String,
    attempt: u32,
    records: usize,
    begun: Instant,
}

impl Report {
    /// Tells it.
    pub(super) fn tell(self, lease: &Lease) {
        self.tell_of(lease.process().peak_memory(), lease.is_cold());
    }

    pub(super) fn tell_of(self, peak_memory: Option<u64>, cold: bool) {
        self.activities.tell(Activity::Invocation(Invocation {
            function: self.function,
            trigger: self.trigger,
            id: self.id,
            subject: self.subject,
            attempt: self.attempt,
            records: self.records,
            result: self.result.unwrap_or(InvocationResult::Ok),
            duration: self.begun.elapsed(),
            peak_memory,
            cold,
        }));
    }
}

/// What an outcome is in the activity.
pub(super) fn result_of(outcome: &Result<Outcome>) -> InvocationResult {
    let failed = |error: &Error| InvocationResult::Failed {
        kind: error.kind(),
        reason: error.chain(),
    };
    match outcome {
        Err(error) | Ok(Outcome::Failed(error)) => failed(error),
        Ok(Outcome::Batch(batch)) => InvocationResult::Partial {
            failed: batch.failures().len(),
            reason: batch
                .failures()
                .first()
                .map(|failure| failure.error.chain())
                .unwrap_or_default(),
        },
        Ok(Outcome::Http(response)) => InvocationResult::Status {
            status: response.status().as_u16(),
        },
        Ok(_) => InvocationResult::Ok,
    }
}

impl Pool {
    /// What will be told of an invocation that begins now, if anybody listens.
    pub(super) fn report(
        &self,
        meta: &Meta,
        trigger: TriggerKind,
        subject: impl FnOnce() -> String,
        records: usize,
    ) -> Option<Box<Report>> {
        // What nobody hears need not be made.
        self.activities.has_listeners().then(|| {
            Box::new(Report {
                result: None,
                activities: self.activities.clone(),
                function: self.function(),
                trigger,
                id: meta.invocation_id.clone(),
                subject: subject(),
                attempt: meta.attempt,
                records: records.max(1),
                begun: Instant::now(),
            })
        })
    }
}

/// The same error, for the activity.
pub(super) fn copy(error: &Error) -> Error {
    WireError::from(error).into()
}

/// Tells of an invocation that never came to a process.
pub(super) fn tell_failure(report: Option<Box<Report>>, error: Error) -> Error {
    if let Some(mut report) = report {
        report.result = Some(result_of(&Err(copy(&error))));
        report.tell_of(None, false);
    }
    error
}

/// What an event is about, in a few words.
pub(super) fn subject(event: &Event) -> String {
    match &event.data {
        Data::Http(request) => format!("{} {}", request.method(), request.uri().path()),
        Data::Bucket(happened) => {
            let object = happened.object();
            format!("{}/{}", object.bucket, object.key)
        }
        Data::Queue(messages) => messages
            .first()
            .map(|message| message.queue.clone())
            .unwrap_or_default(),
        Data::Topic(notification) => notification.topic.clone(),
        Data::Stream(records) => records
            .first()
            .map(|record| record.stream.clone())
            .unwrap_or_default(),
        Data::Table(changes) => changes
            .first()
            .map(|change| change.table.clone())
            .unwrap_or_default(),
        Data::Schedule(tick) => tick.schedule.clone(),
        Data::Email(email) => email.subject.clone(),
        Data::Auth(auth) => auth.stage.name().to_owned(),
        Data::Voice(voice) => voice.skill.clone(),
        _ => event
            .attributes
            .subject
            .clone()
            .unwrap_or_else(|| event.attributes.ty.to_string()),
    }
}

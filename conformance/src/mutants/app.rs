//! Apps made wrong before they are deployed.

use std::collections::BTreeSet;
use std::time::Duration;

use nephos_core::app::{App, Isolation, ObjectEventKind, QueueSpec, Resource, Trigger};
use nephos_core::event::ChangeKind;

use super::Fault;
use crate::probe::{self, Slip};

pub(super) fn wrong(mut app: App, fault: Fault) -> App {
    match fault {
        Fault::DeadLettersElsewhere => {
            app.resources
                .insert("elsewhere".to_owned(), Resource::Queue(QueueSpec::default()));
            for function in app.functions.values_mut() {
                function.dead_letter = "elsewhere".to_owned();
            }
        }
        Fault::OneSubscriber => {
            if let Some(function) = app.functions.values_mut().last() {
                function.on.clear();
            }
        }
        Fault::FullAccess => {
            let all: Vec<_> = app
                .resources
                .iter()
                .map(|(name, resource)| {
                    (
                        name.clone(),
                        resource.kind().access().iter().copied().collect::<BTreeSet<_>>(),
                    )
                })
                .collect();
            for function in app.functions.values_mut() {
                function.uses.extend(all.iter().cloned());
            }
        }
        Fault::OneAttempt => app
            .functions
            .values_mut()
            .for_each(|function| function.retry.attempts = 1),
        Fault::NoBackoff => app.functions.values_mut().for_each(|function| {
            function.retry.backoff = Duration::from_millis(1);
            function.retry.max_backoff = Duration::from_millis(1);
        }),
        Fault::OneInstance => app.functions.values_mut().for_each(|function| {
            function.max_instances = 1;
            function.concurrency = 1;
        }),
        Fault::FilterDropped | Fault::BatchOfOne | Fault::Lacking => wrong_triggers(&mut app, fault),
        Fault::RouteForAll => app.functions.values_mut().for_each(|function| {
            function.on.push(Trigger::Http {
                method: None,
                path: "/{*rest}".to_owned(),
            });
        }),
        Fault::BatchAsOne => {
            app.functions = std::mem::take(&mut app.functions)
                .into_values()
                .map(|function| (probe::TOGETHER.to_owned(), function))
                .collect();
        }
        Fault::FailureShared => app
            .functions
            .values_mut()
            .for_each(|function| function.env.clear()),
        Fault::IsolationIgnored => app
            .functions
            .values_mut()
            .for_each(|function| function.isolation = Isolation::Process),
        Fault::TraceHidden => slip(&mut app, Slip::TraceHidden),
        Fault::RejectRetried => slip(&mut app, Slip::RejectRetried),
        Fault::PanicEndsProcess => {
            // Alone in its batch, so that what was handled beside it is not handled again.
            wrong_triggers(&mut app, Fault::BatchOfOne);
            slip(&mut app, Slip::PanicEndsProcess);
        }
        Fault::UnknownIsOwn => slip(&mut app, Slip::UnknownIsOwn),
        Fault::PanicTold => slip(&mut app, Slip::PanicTold),
        Fault::QueryHidden => slip(&mut app, Slip::QueryHidden),
        Fault::StatusFlattened => slip(&mut app, Slip::StatusFlattened),
        Fault::ErrorEndsProcess => slip(&mut app, Slip::ErrorEndsProcess),
        Fault::ExitIgnored => slip(&mut app, Slip::ExitIgnored),
        Fault::ChunkHeld => slip(&mut app, Slip::ChunkHeld),
        Fault::ChunkLost => slip(&mut app, Slip::ChunkLost),
        Fault::CookiesJoined => slip(&mut app, Slip::CookiesJoined),
        Fault::InitFails => slip(&mut app, Slip::InitFails),
        Fault::TimeoutIgnored => app
            .functions
            .values_mut()
            .for_each(|function| function.timeout += Duration::from_secs(60)),
        _ => {}
    }
    app
}

fn slip(app: &mut App, slip: Slip) {
    for function in app.functions.values_mut() {
        function
            .env
            .insert(probe::SLIP.to_owned(), slip.name().to_owned());
    }
}

fn wrong_triggers(app: &mut App, fault: Fault) {
    for function in app.functions.values_mut() {
        for trigger in &mut function.on {
            wrong_trigger(trigger, fault);
        }
    }
}

fn wrong_trigger(trigger: &mut Trigger, fault: Fault) {
    match (fault, trigger) {
        (Fault::FilterDropped, Trigger::Topic { filter, .. }) => filter.clear(),
        (
            Fault::FilterDropped,
            Trigger::Bucket {
                event,
                prefix,
                suffix,
                ..
            },
        ) => {
            *event = ObjectEventKind::Any;
            prefix.clear();
            suffix.clear();
        }
        (Fault::FilterDropped, Trigger::Table { events, .. }) => {
            *events = [ChangeKind::Inserted, ChangeKind::Modified, ChangeKind::Removed].into();
        }
        (Fault::Lacking, Trigger::Table { events, .. }) => drop(events.remove(&ChangeKind::Removed)),
        (
            Fault::BatchOfOne,
            Trigger::Queue { batch, .. } | Trigger::Stream { batch, .. } | Trigger::Table { batch, .. },
        ) => *batch = 1,
        _ => {}
    }
}

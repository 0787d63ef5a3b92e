//! Apps made wrong before they are deployed.

use std::collections::BTreeSet;
use std::time::Duration;

use nephos_core::app::{App, ObjectEventKind, QueueSpec, Resource, Trigger};
use nephos_core::event::ChangeKind;

use super::Fault;

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
        Fault::FilterDropped | Fault::RoutesMoved | Fault::BatchOfOne => {
            for trigger in app
                .functions
                .values_mut()
                .flat_map(|function| function.on.iter_mut())
            {
                wrong_trigger(trigger, fault);
            }
        }
        _ => {}
    }
    app
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
        (Fault::RoutesMoved, Trigger::Http { path, .. }) => *path = format!("/moved{path}"),
        (
            Fault::BatchOfOne,
            Trigger::Queue { batch, .. } | Trigger::Stream { batch, .. } | Trigger::Table { batch, .. },
        ) => *batch = 1,
        _ => {}
    }
}

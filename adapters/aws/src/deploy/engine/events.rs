//! A stack's events: what of them to tell, and which is the first cause of a failure. Pure.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::StackEvent;
use nephos_core::deploy::{Happening, StepState};
use nephos_core::plan::{Action, Part};

/// The type of the stack itself.
const STACK: &str = "AWS::CloudFormation::Stack";

/// Whether the event is of the stack as a whole, not of a thing in it.
fn of_stack(event: &StackEvent) -> bool {
    event.resource_type.as_deref() == Some(STACK) && event.physical_resource_id == event.stack_id
}

fn status(event: &StackEvent) -> &str {
    event
        .resource_status
        .as_ref()
        .map_or("", |status| status.as_str())
}

/// Whether an operation begins here.
fn begins(event: &StackEvent) -> bool {
    of_stack(event)
        && matches!(
            status(event),
            "CREATE_IN_PROGRESS" | "UPDATE_IN_PROGRESS" | "DELETE_IN_PROGRESS" | "IMPORT_IN_PROGRESS"
        )
}

/// The events of the last operation, oldest first, from all events, newest first, as AWS gives them. `None` if its beginning is not among them.
pub(super) fn last_operation(newest_first: &[StackEvent]) -> Option<Vec<&StackEvent>> {
    let begin = newest_first.iter().position(begins)?;
    Some(newest_first[..=begin].iter().rev().collect())
}

/// The token of whoever began the operation.
pub(super) fn token(events: &[&StackEvent]) -> Option<String> {
    events.first()?.client_request_token.clone()
}

/// The thing that failed first, and why: what fails afterwards is cancelled because of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) reason: String,
}

/// The first cause among an operation's events, oldest first.
pub(super) fn first_cause(events: &[&StackEvent]) -> Option<Cause> {
    let of_all = || {
        let told = |event: &&&StackEvent| {
            let rolls_back =
                status(event).contains("ROLLBACK_IN_PROGRESS") || status(event).ends_with("_FAILED");
            rolls_back && event.resource_status_reason.is_some()
        };
        events.iter().find(told).map(|event| cause(event))
    };
    failures(events).next().map(cause).or_else(of_all)
}

/// What keeps an operation from being undone, among its events, oldest first: what failed last.
pub(super) fn last_cause(events: &[&StackEvent]) -> Option<Cause> {
    failures(events).last().map(cause)
}

/// The things that failed, but for those that were cancelled because another did.
fn failures<'e>(events: &'e [&'e StackEvent]) -> impl Iterator<Item = &'e StackEvent> {
    let failed = |event: &&StackEvent| {
        let reason = event.resource_status_reason.as_deref().unwrap_or_default();
        !of_stack(event)
            && status(event).ends_with("_FAILED")
            && !reason.to_ascii_lowercase().contains("cancelled")
    };
    events.iter().copied().filter(failed)
}

fn cause(event: &StackEvent) -> Cause {
    Cause {
        id: event.logical_resource_id.clone().unwrap_or_default(),
        kind: event.resource_type.clone().unwrap_or_default(),
        reason: event.resource_status_reason.clone().unwrap_or_default(),
    }
}

/// What to tell of an event; nothing of the stack itself, whose end is told otherwise.
pub(super) fn happening(event: &StackEvent, parts: &BTreeMap<String, Part>) -> Option<Happening> {
    if of_stack(event) {
        return None;
    }
    let id = event.logical_resource_id.clone().unwrap_or_default();
    let (action, state) = match status(event) {
        // A thing says twice that it begins: once more when AWS has given it a name.
        "CREATE_IN_PROGRESS"
            if event
                .physical_resource_id
                .as_deref()
                .unwrap_or_default()
                .is_empty() =>
        {
            (Action::Create, StepState::Started)
        }
        "CREATE_COMPLETE" => (Action::Create, StepState::Done),
        "CREATE_FAILED" => (Action::Create, StepState::Failed),
        "UPDATE_IN_PROGRESS" => (Action::Update, StepState::Started),
        "UPDATE_COMPLETE" => (Action::Update, StepState::Done),
        "UPDATE_FAILED" => (Action::Update, StepState::Failed),
        "DELETE_IN_PROGRESS" => (Action::Delete, StepState::Started),
        "DELETE_COMPLETE" => (Action::Delete, StepState::Done),
        "DELETE_FAILED" => (Action::Delete, StepState::Failed),
        "ROLLBACK_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE" => (Action::Update, StepState::Undone),
        _ => return None,
    };
    Some(Happening::Step {
        action,
        part: parts.get(&id).cloned().unwrap_or(Part::App),
        kind: event.resource_type.clone().unwrap_or_default(),
        id,
        state,
        reason: event.resource_status_reason.clone(),
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::types::ResourceStatus;

    use super::*;

    fn event(id: &str, status: &str, reason: &str) -> StackEvent {
        let stack = id == "shop-aws";
        StackEvent::builder()
            .stack_id("arn:stack")
            .logical_resource_id(id)
            .physical_resource_id(if stack { "arn:stack" } else { "" })
            .resource_type(if stack { STACK } else { "AWS::SQS::Queue" })
            .resource_status(ResourceStatus::from(status))
            .set_resource_status_reason((!reason.is_empty()).then(|| reason.to_owned()))
            .client_request_token(if status.starts_with("UPDATE") {
                "nephos-2"
            } else {
                "other-1"
            })
            .build()
    }

    /// A creation that went well, then an update that did not; newest first.
    fn history() -> Vec<StackEvent> {
        let mut events = vec![
            event("shop-aws", "CREATE_IN_PROGRESS", "User Initiated"),
            event("Old", "CREATE_FAILED", "of another day"),
            event("shop-aws", "CREATE_COMPLETE", ""),
            event("shop-aws", "UPDATE_IN_PROGRESS", "User Initiated"),
            event("Jobs", "UPDATE_IN_PROGRESS", ""),
            event("Other", "UPDATE_FAILED", "Resource update cancelled"),
            event("Jobs", "UPDATE_FAILED", "the queue's name is taken"),
            event("Third", "UPDATE_FAILED", "something that came of it"),
            event(
                "shop-aws",
                "UPDATE_ROLLBACK_IN_PROGRESS",
                "The following resource(s) failed to update: [Jobs]",
            ),
        ];
        events.reverse();
        events
    }

    #[test]
    fn the_first_failure_that_was_not_called_off_is_the_cause() {
        let history = history();
        let last = last_operation(&history).unwrap();
        assert_eq!(token(&last).as_deref(), Some("nephos-2"));
        let cause = first_cause(&last).unwrap();
        assert_eq!(
            (cause.id.as_str(), cause.reason.as_str()),
            ("Jobs", "the queue's name is taken")
        );
        assert_eq!(cause.kind, "AWS::SQS::Queue");
        assert_eq!(last_cause(&last).unwrap().id, "Third");
    }

    #[test]
    fn where_no_thing_failed_the_stacks_own_reason_is_the_cause() {
        let history = [
            event(
                "shop-aws",
                "UPDATE_ROLLBACK_IN_PROGRESS",
                "the limit of resources is reached",
            ),
            event("shop-aws", "UPDATE_IN_PROGRESS", "User Initiated"),
        ];
        let cause = first_cause(&last_operation(&history).unwrap()).unwrap();
        assert_eq!(cause.reason, "the limit of resources is reached");
        let fine = [
            event("shop-aws", "UPDATE_COMPLETE", ""),
            event("shop-aws", "UPDATE_IN_PROGRESS", ""),
        ];
        assert_eq!(first_cause(&last_operation(&fine).unwrap()), None);
        assert!(last_operation(&fine[..1]).is_none());
    }

    #[test]
    fn a_thing_is_told_once_when_it_begins_and_once_when_it_ends() {
        let parts = BTreeMap::from([(
            "Jobs".to_owned(),
            Part::Function {
                name: "sell".to_owned(),
            },
        )]);
        let told = |id: &str, status: &str| match happening(&event(id, status, ""), &parts) {
            Some(Happening::Step {
                action, part, state, ..
            }) => Some((action, part, state)),
            _ => None,
        };
        let sell = || Part::Function {
            name: "sell".to_owned(),
        };
        assert_eq!(
            told("Jobs", "CREATE_IN_PROGRESS"),
            Some((Action::Create, sell(), StepState::Started))
        );
        assert_eq!(
            told("Jobs", "CREATE_COMPLETE"),
            Some((Action::Create, sell(), StepState::Done))
        );
        assert_eq!(
            told("Else", "DELETE_FAILED"),
            Some((Action::Delete, Part::App, StepState::Failed))
        );
        assert_eq!(told("shop-aws", "CREATE_COMPLETE"), None);
        let mut named = event("Jobs", "CREATE_IN_PROGRESS", "Resource creation Initiated");
        named.physical_resource_id = Some("jobs-1".to_owned());
        assert_eq!(happening(&named, &parts), None);
    }
}

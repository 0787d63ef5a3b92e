//! Queues and the way of what failed for good: which queue is ordered, how long it hides messages, and where its dead letters go.

use std::collections::BTreeMap;
use std::time::Duration;

use nephos_core::app::{App, FunctionSpec, Resource, Trigger};
use nephos_core::{Error, ErrorKind, Result};

use super::trigger::batching_window;

/// AWS asks for a queue to hide messages for six times as long as its function may take:
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>.
const VISIBILITY_FACTOR: u32 = 6;

/// What becomes of one queue.
#[derive(Debug)]
pub(super) struct QueuePlan<'a> {
    /// Whether it is a FIFO queue.
    pub(super) ordered: bool,
    /// How long a message stays hidden.
    pub(super) visibility: Duration,
    /// The function for whose sake it stays hidden longer than the manifest says.
    pub(super) raised_for: Option<&'a str>,
    /// Where its messages go after so many receives.
    pub(super) redrive: Option<(&'a str, u32)>,
    /// Topics whose undeliverable notifications it takes.
    pub(super) topics: Vec<&'a str>,
}

/// What becomes of every queue.
pub(super) fn queues(app: &App) -> Result<BTreeMap<&str, QueuePlan<'_>>> {
    let mut queues: BTreeMap<&str, QueuePlan<'_>> = BTreeMap::new();
    for (name, resource) in &app.resources {
        if let Resource::Queue(spec) = resource {
            let plan = QueuePlan {
                ordered: spec.ordered,
                visibility: spec.visibility_timeout,
                raised_for: None,
                redrive: None,
                topics: Vec::new(),
            };
            queues.insert(name, plan);
        }
    }
    // SQS moves messages only between queues of one type: an implicit dead-letter queue becomes what its source is.
    for (function, trigger) in triggers(app) {
        if let Trigger::Queue { queue, .. } = trigger
            && queues.get(queue.as_str()).is_some_and(|queue| queue.ordered)
            && is_implicit(app, &function.1.dead_letter)
            && let Some(dead_letter) = queues.get_mut(function.1.dead_letter.as_str())
        {
            dead_letter.ordered = true;
        }
    }
    for ((name, function), trigger) in triggers(app) {
        match trigger {
            Trigger::Queue { queue, batch } => {
                let ordered = queues.get(queue.as_str()).is_some_and(|queue| queue.ordered);
                fits(&queues, name, function, trigger, ordered)?;
                if let Some(plan) = queues.get_mut(queue.as_str()) {
                    let least = function.timeout * VISIBILITY_FACTOR + batching_window(*batch);
                    if plan.visibility < least {
                        plan.visibility = least;
                        plan.raised_for = Some(name);
                    }
                    redrive(plan, queue, name, function)?;
                }
            }
            Trigger::Http { .. } | Trigger::Auth { .. } | Trigger::Voice { .. } => {}
            Trigger::Topic { topic, .. } => {
                fits(&queues, name, function, trigger, false)?;
                if let Some(plan) = queues.get_mut(function.dead_letter.as_str())
                    && !plan.topics.contains(&topic.as_str())
                {
                    plan.topics.push(topic);
                }
            }
            _ => fits(&queues, name, function, trigger, false)?,
        }
    }
    Ok(queues)
}

fn triggers(app: &App) -> impl Iterator<Item = ((&String, &FunctionSpec), &Trigger)> {
    app.functions
        .iter()
        .flat_map(|function| function.1.on.iter().map(move |trigger| (function, trigger)))
}

fn is_implicit(app: &App, queue: &str) -> bool {
    matches!(app.resources.get(queue), Some(Resource::Queue(spec)) if spec.implicit)
}

/// SQS: "the dead-letter queue of a FIFO queue must also be a FIFO queue", and the other way round; Lambda's destinations, EventBridge Scheduler
/// and SNS send to standard queues:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html>,
/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>.
fn fits(
    queues: &BTreeMap<&str, QueuePlan<'_>>,
    name: &str,
    function: &FunctionSpec,
    trigger: &Trigger,
    ordered: bool,
) -> Result<()> {
    let Some(dead_letter) = queues.get(function.dead_letter.as_str()) else {
        return Err(Error::new(
            ErrorKind::NotFound,
            "deploy.render",
            "the function's dead-letter queue is not in the app; declare it in nephos.toml",
        )
        .with("function", name)
        .with("queue", &function.dead_letter));
    };
    if dead_letter.ordered == ordered {
        return Ok(());
    }
    let message = if ordered {
        "the dead-letter queue of an ordered queue must be ordered too; add ordered = true to it, or leave `dead_letter` out"
    } else {
        "AWS takes dead letters of this trigger in a queue without order only; give it to another function, or name a queue without order"
    };
    Err(Error::new(ErrorKind::Unsupported, "deploy.render", message)
        .with("function", name)
        .with("trigger", trigger.kind())
        .with("dead_letter", &function.dead_letter))
}

/// A queue has one redrive policy, whoever receives from it.
fn redrive<'a>(plan: &mut QueuePlan<'a>, queue: &str, name: &str, function: &'a FunctionSpec) -> Result<()> {
    let new = (function.dead_letter.as_str(), function.retry.attempts);
    match plan.redrive {
        Some(other) if other != new => Err(Error::new(
            ErrorKind::Unsupported,
            "deploy.render",
            "functions that receive from one queue share its dead-letter queue and number of attempts on AWS; give them the same",
        )
        .with("queue", queue)
        .with("function", name)
        .with("dead_letter", new.0)
        .with("attempts", new.1)
        .with("other_dead_letter", other.0)
        .with("other_attempts", other.1)),
        _ => {
            plan.redrive = Some(new);
            Ok(())
        }
    }
}

//! Ticks: of EventBridge Scheduler with the input that deployment gives a schedule, and of a rule's own schedule.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use nephos_core::event::{Attributes, Data, Tick};
use nephos_core::{Event, Result};
use serde::Deserialize;

use super::text::{First, Text};
use super::time::Time;
use super::{Wiring, malformed};

/// `{"nephos": {"schedule": "every 5 minutes"}, "due_at": "<aws.scheduler.scheduled-time>"}`, where the scheduler
/// [puts the time](https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html).
#[derive(Deserialize)]
struct Input<'a> {
    nephos: Own,
    #[serde(default, borrow)]
    due_at: Text<'a>,
}

#[derive(Deserialize)]
struct Own {
    schedule: String,
}

pub(super) fn decode(document: &str) -> Result<Event> {
    let input: Input<'_> =
        serde_json::from_str(document).map_err(|error| malformed("the tick names no schedule", error))?;
    let due_at = input
        .due_at
        .as_deref()
        .and_then(|text| text.parse::<DateTime<Utc>>().ok());
    Ok(tick(input.nephos.schedule, due_at, None))
}

/// <https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-scheduled-event.html>
#[derive(Deserialize)]
struct Rule<'a> {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    time: Option<Time>,
    #[serde(default, borrow)]
    region: Text<'a>,
    #[serde(default, borrow)]
    account: Text<'a>,
    #[serde(default, borrow)]
    resources: First<'a>,
}

pub(super) fn decode_rule(document: &str, wiring: &Wiring) -> Result<Event> {
    let rule: Rule<'_> = serde_json::from_str(document)
        .map_err(|error| malformed("the tick is not as EventBridge documents it", error))?;
    let arn = rule.resources.0.as_deref().unwrap_or_default();
    let mut event = tick(
        wiring.source(arn).to_owned(),
        rule.time.map(|Time(time)| time),
        rule.id,
    );
    let facts = [
        ("awsrule", Some(Cow::Borrowed(arn)).filter(|arn| !arn.is_empty())),
        ("awsregion", rule.region.0),
        ("awsaccount", rule.account.0),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            event
                .attributes
                .extensions
                .insert(name.into(), value.into_owned());
        }
    }
    Ok(event)
}

/// A tick whose event has the same id each time it is delivered, as far as the document tells.
fn tick(schedule: String, due_at: Option<DateTime<Utc>>, id: Option<String>) -> Event {
    let id = id.or_else(|| Some(format!("{schedule}@{}", due_at?.to_rfc3339())));
    let data = Data::Schedule(Tick {
        schedule,
        // Where the time is not told, when it fired.
        due_at: due_at.unwrap_or_else(Utc::now),
        past_due: false,
    });
    Event::new(Attributes::known(&data, id, due_at), data)
}

//! Ticks of a timer: <https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer#usage>.
//!
//! `ScheduleStatus.Next` is the time for which the tick was due: the host moves it on only after the call. Without a monitor there is no status.

use chrono::{DateTime, Datelike as _, Utc};
use nephos_core::event::{Attributes, Data, Tick};
use nephos_core::{Event, Result};
use serde::Deserialize;

use super::time;
use super::wrapped::{Content, Invocation};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TimerInfo {
    #[serde(default)]
    schedule_status: Option<Status>,
    #[serde(default)]
    is_past_due: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Status {
    #[serde(default)]
    last: Option<String>,
    #[serde(default)]
    next: Option<String>,
}

pub(super) fn decode(schedule: &str, invocation: &Invocation<'_>) -> Result<Event> {
    let content = Content::read(invocation.value)?.into_bytes();
    let timer: TimerInfo = serde_json::from_slice(&content)
        .map_err(|error| super::malformed("the tick is not as the timer trigger documents it", error))?;
    let (last, next) = timer
        .schedule_status
        .map_or((None, None), |status| (status.last, status.next));
    // What is not known is the year 1.
    let known =
        |text: Option<String>| -> Option<DateTime<Utc>> { time::read(&text?).filter(|time| time.year() > 1) };
    let due_at = known(next);
    // The same tick has the same id each time it is delivered, as far as the host tells.
    let id = due_at.map(|due| format!("{schedule}@{}", due.to_rfc3339()));
    let data = Data::Schedule(Tick {
        schedule: schedule.to_owned(),
        due_at: due_at.unwrap_or_else(Utc::now),
        past_due: timer.is_past_due,
    });
    let last = known(last).map(|last| last.to_rfc3339());
    Ok(super::event(
        Attributes::known(&data, id, due_at),
        data,
        [("azurelast", last)],
        Vec::new(),
    ))
}

//! Ticks of a job of Cloud Scheduler: <https://cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs#HttpTarget>.
//!
//! The time for which a job was due comes in a header; a job that is run by hand has the time of that.

use chrono::Utc;
use http::HeaderMap;
use nephos_core::event::{Attributes, Data, Tick};
use nephos_core::{Event, Result};

use super::asynchronous::{Read, event};
use super::push::time;
use super::refused;

const JOB: &str = "x-cloudscheduler-jobname";
const DUE: &str = "x-cloudscheduler-scheduletime";

pub(super) fn decode(schedule: &str, headers: &HeaderMap) -> Result<Read> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let due_at = text(DUE).and_then(time);
    if due_at.is_none() && text(JOB).is_none() {
        return Err(refused(
            "the request tells neither a job nor its time, as Cloud Scheduler does",
        ));
    }
    // The same tick has the same id each time it is delivered.
    let id = due_at.map(|due| format!("{schedule}@{}", due.to_rfc3339()));
    let data = Data::Schedule(Tick {
        schedule: schedule.to_owned(),
        due_at: due_at.unwrap_or_else(Utc::now),
        past_due: false,
    });
    let facts = [("gcpjob", text(JOB).map(str::to_owned))];
    let read: Event = event(Attributes::known(&data, id, due_at), data, facts);
    Ok(read.into())
}

//! Schedules as Cloud Scheduler has them, five fields of cron in a time zone, and its jobs: <https://cloud.google.com/scheduler/docs/configuring/cron-job-schedules>.

use std::time::Duration;

use nephos_core::app::FunctionSpec;
use nephos_core::deploy::cron::{self, DAYS, Field, HOURS, MINUTES, MONTHS, WEEKDAYS};
use nephos_core::{ErrorKind, Result};
use serde_json::json;

use super::body::Body;
use super::layout::{self, Layout};
use super::trigger::Source;
use super::{GRACE, SPARE_ATTEMPTS, duration, seconds};
use crate::deploy::graph::{Kind, full_name};
use crate::deploy::refused;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// How long Cloud Scheduler waits for an answer: <https://cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs#Job.FIELDS.attempt_deadline>.
const MIN_DEADLINE: u64 = 15;
const MAX_DEADLINE: u64 = 1800;
/// How often it tries again: <https://cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs#RetryConfig>.
const MAX_RETRIES: u32 = 5;
/// How often the wait doubles, before it stays: the longest is reached before.
const DOUBLINGS: u32 = 16;

/// Adds the jobs.
pub(super) fn add(layout: &Layout<'_>, body: &mut Body) -> Result<()> {
    for (function, spec) in &layout.app.functions {
        for event in layout
            .calls(function)
            .into_iter()
            .flat_map(|called| &called.events)
        {
            let Source::Schedule { cron, timezone } = &event.source else {
                continue;
            };
            check(function, spec)?;
            let url = layout.url(function);
            let deadline = (seconds(spec.timeout) + GRACE).clamp(MIN_DEADLINE, MAX_DEADLINE);
            let retries = (spec.retry.attempts + SPARE_ATTEMPTS - 1).min(MAX_RETRIES);
            let job = json!({
                "schedule": cron,
                "timeZone": timezone,
                "attemptDeadline": format!("{deadline}s"),
                "retryConfig": {
                    "retryCount": retries,
                    "minBackoffDuration": duration(spec.retry.backoff),
                    "maxBackoffDuration": duration(spec.retry.max_backoff.max(spec.retry.backoff)),
                    "maxDoublings": DOUBLINGS,
                },
                "httpTarget": {
                    "uri": format!("{url}{}", event.path()),
                    "httpMethod": "POST",
                    "oidcToken": {"serviceAccountEmail": layout.caller(), "audience": url},
                },
            });
            body.add(
                Kind::Job,
                layout.job(function, &event.name),
                layout::function(function),
                job,
                [
                    full_name(Kind::Service, &layout.service(function)),
                    full_name(Kind::Account, &layout.account_name(&layout.caller())),
                ],
            )?;
        }
    }
    Ok(())
}

fn check(function: &str, spec: &FunctionSpec) -> Result<()> {
    let timeout = seconds(spec.timeout);
    if timeout + GRACE > MAX_DEADLINE {
        return Err(refused(
            ErrorKind::InvalidArgument,
            "Cloud Scheduler waits half an hour for an answer, and the function may take longer; shorten its time-out, or let the tick send a message and do the work elsewhere",
        )
        .with("function", function)
        .with("timeout_s", timeout)
        .with("max_timeout_s", MAX_DEADLINE - GRACE));
    }
    if spec.retry.attempts > MAX_RETRIES + 1 {
        return Err(refused(
            ErrorKind::InvalidArgument,
            "Cloud Scheduler tries six times at most, so the function would never get to its last try, after which a dead letter is sent; lower retry.attempts",
        )
        .with("function", function)
        .with("attempts", spec.retry.attempts)
        .with("max_attempts", MAX_RETRIES + 1));
    }
    Ok(())
}

/// The five fields of a schedule.
pub(super) fn cron(text: &str, every: Option<Duration>) -> std::result::Result<String, String> {
    match every {
        Some(interval) => rate(interval),
        None => fields(text),
    }
}

/// `every 5 minutes`, on the clock: what does not divide the next larger unit would be uneven.
fn rate(interval: Duration) -> std::result::Result<String, String> {
    let seconds = interval.as_secs();
    if interval.subsec_nanos() == 0 && seconds > 0 {
        let divides = |unit: u64, next: u64| seconds.is_multiple_of(unit) && next.is_multiple_of(seconds);
        if seconds == MINUTE {
            return Ok("* * * * *".to_owned());
        }
        if (MINUTE..HOUR).contains(&seconds) && divides(MINUTE, HOUR) {
            return Ok(format!("*/{} * * * *", seconds / MINUTE));
        }
        if seconds == HOUR {
            return Ok("0 * * * *".to_owned());
        }
        if (HOUR..DAY).contains(&seconds) && divides(HOUR, DAY) {
            return Ok(format!("0 */{} * * *", seconds / HOUR));
        }
        if seconds == DAY {
            return Ok("0 0 * * *".to_owned());
        }
    }
    Err("Cloud Scheduler follows the clock, by the minute: choose an interval of whole minutes that divides an hour or a day, such as 15 minutes or 6 hours".to_owned())
}

/// Five fields as lists: a job knows fewer steps and names than a manifest.
fn fields(text: &str) -> std::result::Result<String, String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields.as_slice() else {
        return Err("a schedule is `every …` or five cron fields".to_owned());
    };
    Ok(format!(
        "{} {} {} {} {}",
        list(minute, &MINUTES)?,
        list(hour, &HOURS)?,
        list(day, &DAYS)?,
        list(month, &MONTHS)?,
        list(weekday, &WEEKDAYS)?
    ))
}

fn list(text: &str, field: &Field) -> std::result::Result<String, String> {
    if text == "*" || text == "?" {
        return Ok("*".to_owned());
    }
    let values = cron::values(text, field).ok_or_else(|| {
        format!(
            "the {} `{text}` cannot be said on Google Cloud; write it as numbers",
            field.what
        )
    })?;
    let sunday = |value: u32| if *field == WEEKDAYS { value % 7 } else { value };
    let mut values: Vec<u32> = values.into_iter().map(sunday).collect();
    values.sort_unstable();
    values.dedup();
    let values: Vec<String> = values.iter().map(u32::to_string).collect();
    Ok(values.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_that_divide_the_clock_become_steps() {
        let every = |seconds| cron("every", Some(Duration::from_secs(seconds)));
        for (seconds, expected) in [
            (60, "* * * * *"),
            (900, "*/15 * * * *"),
            (3600, "0 * * * *"),
            (21_600, "0 */6 * * *"),
            (86_400, "0 0 * * *"),
        ] {
            assert_eq!(every(seconds).unwrap(), expected);
        }
        for seconds in [0, 1, 30, 90, 420, 5400, 18_000, 172_800] {
            let error = every(seconds).unwrap_err();
            assert!(error.contains("follows the clock"), "{seconds}");
        }
        assert!(cron("every", Some(Duration::from_millis(60_500))).is_err());
    }

    #[test]
    fn five_fields_become_lists() {
        for (text, expected) in [
            ("* * * * *", "* * * * *"),
            ("0 6 * * 1-5", "0 6 * * 1,2,3,4,5"),
            ("*/20 8-10 ? jan,Jul ?", "0,20,40 8,9,10 * 1,7 *"),
            ("5 4 * * 5-7", "5 4 * * 0,5,6"),
            ("0 0 1 * 1", "0 0 1 * 1"),
        ] {
            assert_eq!(cron(text, None).unwrap(), expected);
        }
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        for (text, part) in [
            ("0 0 L * *", "the day of the month `L`"),
            ("0 0 * * 5#3", "the day of the week `5#3`"),
            ("@daily", "five cron fields"),
        ] {
            let error = cron(text, None).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}

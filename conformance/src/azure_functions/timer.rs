//! `timerTrigger`: NCRONTAB expressions and time spans, what is past due, and a way to fire at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use nephos_core::Result;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::invoke::{Bound, Input, Invoker};
use super::package::{Function, TimerTrigger, duration};
use super::refused;

/// The longest time that one wait takes; longer ones are several.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// When a timer fires.
#[derive(Debug, Clone)]
pub enum Schedule {
    /// At the times of an expression with seconds, in UTC.
    Cron(Box<Cron>),
    /// Again and again after so long.
    Every(Duration),
}

/// What the host keeps of a timer, in Azure as a blob of its storage account.
#[derive(Debug, Clone, Copy)]
pub struct Status {
    pub(super) last: DateTime<Utc>,
    pub(super) next: DateTime<Utc>,
    pub(super) updated: DateTime<Utc>,
}

/// The timers of an app, by their functions.
pub type Statuses = Arc<Mutex<BTreeMap<String, Status>>>;

impl Schedule {
    pub(super) fn read(text: &str) -> Result<Self> {
        let unknown = || {
            refused(format!(
                "the schedule expression `{text}` was not recognized as a valid cron expression or time span"
            ))
        };
        if !text.trim().contains(' ') {
            let span = duration(text.trim())
                .filter(|span| !span.is_zero())
                .ok_or_else(unknown)?;
            return Ok(Self::Every(span));
        }
        // Five fields have no seconds; with both of a day's two fields, both must match.
        CronParser::builder()
            .seconds(Seconds::Optional)
            .year(Year::Disallowed)
            .dom_and_dow(true)
            .build()
            .parse(text)
            .map(|cron| Self::Cron(Box::new(cron)))
            .map_err(|_| unknown())
    }

    /// The first time after `now`.
    #[must_use]
    pub fn next(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Cron(cron) => cron.find_next_occurrence(&now, false).ok(),
            Self::Every(span) => now.checked_add_signed(TimeDelta::from_std(*span).ok()?),
        }
    }

    /// Whether it is seldom enough for the host to keep a record of: not more than once a minute.
    pub(super) fn is_monitored(&self) -> bool {
        match self {
            Self::Every(span) => *span >= Duration::from_secs(60),
            Self::Cron(_) => {
                let Some(first) = self.next(Utc::now()) else {
                    return true;
                };
                self.next(first)
                    .is_none_or(|second| second - first >= TimeDelta::minutes(1))
            }
        }
    }
}

/// Runs a timer until it is told to stop.
pub(super) async fn run(
    function: Arc<Function>,
    trigger: TimerTrigger,
    invoker: Arc<Invoker>,
    statuses: Statuses,
    mut fire: tokio::sync::mpsc::Receiver<()>,
    stop: CancellationToken,
) {
    let mut timer = Timer {
        function,
        trigger,
        invoker,
        statuses,
    };
    if timer.start().is_err() {
        return;
    }
    if timer.is_past_due() {
        timer.fire(true, Occasion::Schedule).await;
    } else if timer.trigger.run_on_startup {
        timer.fire(false, Occasion::Startup).await;
    }
    while let Some(next) = timer.next() {
        let wait = (next - Utc::now()).to_std().unwrap_or_default();
        tokio::select! {
            () = stop.cancelled() => return,
            Some(()) = fire.recv() => timer.fire(false, Occasion::Asked).await,
            () = tokio::time::sleep(wait.min(LONGEST)) => {
                if Utc::now() >= next {
                    timer.fire(false, Occasion::Schedule).await;
                }
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Occasion {
    Schedule,
    Startup,
    Asked,
}

struct Timer {
    function: Arc<Function>,
    trigger: TimerTrigger,
    invoker: Arc<Invoker>,
    statuses: Statuses,
}

impl Timer {
    /// A first record, if there is none that outlived the host.
    fn start(&mut self) -> Result<()> {
        let next = self.trigger.schedule.next(Utc::now()).ok_or_else(|| {
            refused(format!(
                "function `{}`: its schedule has no next time",
                self.function.name
            ))
        })?;
        let mut statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        let first = Status {
            last: DateTime::<Utc>::UNIX_EPOCH,
            next,
            updated: DateTime::<Utc>::UNIX_EPOCH,
        };
        if self.trigger.use_monitor {
            statuses.entry(self.function.name.clone()).or_insert(first);
        } else {
            statuses.insert(self.function.name.clone(), first);
        }
        Ok(())
    }

    fn status(&self) -> Option<Status> {
        let statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        statuses.get(&self.function.name).copied()
    }

    fn is_past_due(&self) -> bool {
        self.trigger.use_monitor && self.status().is_some_and(|status| status.next <= Utc::now())
    }

    fn next(&self) -> Option<DateTime<Utc>> {
        self.status().map(|status| status.next)
    }

    async fn fire(&mut self, is_past_due: bool, occasion: Occasion) {
        let now = Utc::now();
        let status = self.status().filter(|_| self.trigger.use_monitor);
        let input = input(
            matches!(self.trigger.schedule, Schedule::Cron(_)),
            status,
            is_past_due,
        );
        // A failure ends this occurrence; the next comes at its time.
        let _ = self.invoker.invoke_with_retries(&self.function, input).await;
        if occasion == Occasion::Asked {
            return;
        }
        // One that fired a moment early must not come again for the same time.
        let from = self
            .next()
            .filter(|_| occasion == Occasion::Schedule && !is_past_due)
            .map_or(now, |due| due.max(now));
        let Some(next) = self.trigger.schedule.next(from.max(now)) else {
            return;
        };
        let mut statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        let status = Status {
            last: now,
            next,
            updated: Utc::now(),
        };
        statuses.insert(self.function.name.clone(), status);
    }
}

/// The value of a timer as its handler gets it.
pub(super) fn input(is_cron: bool, status: Option<Status>, is_past_due: bool) -> Input {
    // Azure's machines have UTC for their local time, and write it with its offset.
    let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::AutoSi, false);
    let info = json!({
        "Schedule": {"AdjustForDST": is_cron},
        "ScheduleStatus": status.map(|status| json!({
            "Last": time(status.last),
            "Next": time(status.next),
            "LastUpdated": time(status.updated),
        })),
        "IsPastDue": is_past_due,
    });
    Input {
        value: Bound::Object(info),
        metadata: Vec::new(),
    }
}

/// The value of a timer that is run by hand, beside its schedule.
pub(super) fn by_hand(function: &str, trigger: &TimerTrigger, statuses: &Statuses) -> Input {
    let statuses = statuses.lock().unwrap_or_else(PoisonError::into_inner);
    let status = statuses.get(function).copied().filter(|_| trigger.use_monitor);
    input(matches!(trigger.schedule, Schedule::Cron(_)), status, false)
}

/// Makes a timer's record say that it should have fired long ago, as after a time in which the host did not run.
pub(super) fn miss(statuses: &Statuses, function: &str) {
    let mut statuses = statuses.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(status) = statuses.get_mut(function) {
        status.next = Utc::now() - TimeDelta::minutes(5);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &str, now: &str) -> String {
        let now: DateTime<Utc> = now.parse().unwrap();
        Schedule::read(schedule).unwrap().next(now).unwrap().to_rfc3339()
    }

    #[test]
    fn expressions_have_six_fields_with_seconds_first() {
        assert_eq!(
            next("0 */5 * * * *", "2026-11-28T10:01:00Z"),
            "2026-11-28T10:05:00+00:00"
        );
        assert_eq!(
            next("30 0 9 * * Mon", "2026-11-28T10:01:00Z"),
            "2026-11-30T09:00:30+00:00"
        );
        assert_eq!(
            next("0 9 * * *", "2026-11-28T10:01:00Z"),
            "2026-11-29T09:00:00+00:00"
        );
        assert_eq!(
            next("00:10:00", "2026-11-28T10:01:00Z"),
            "2026-11-28T10:11:00+00:00"
        );
        // The first of a month that is a Monday too.
        assert_eq!(
            next("0 0 0 1 * 1", "2026-11-28T10:01:00Z"),
            "2027-02-01T00:00:00+00:00"
        );
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for text in ["rate(5 minutes)", "0 0 25 * * *", "soon", "1 2 3", "00:00:00"] {
            let error = Schedule::read(text).unwrap_err().to_string();
            assert!(error.contains("was not recognized"), "{text}: {error}");
        }
    }

    #[test]
    fn only_seldom_timers_are_monitored() {
        assert!(Schedule::read("0 * * * * *").unwrap().is_monitored());
        assert!(!Schedule::read("*/10 * * * * *").unwrap().is_monitored());
        assert!(!Schedule::read("00:00:30").unwrap().is_monitored());
    }
}

//! Schedules: when the next tick is due, and the ticker that puts ticks into their inboxes.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::Cron;
use nephos_core::event::{Attributes, Data, Event, Tick, cloudevents};
use nephos_core::{Error, ErrorKind, Result};
use tokio_util::sync::CancellationToken;

use super::activity::Activities;
use super::pump::source;
use super::store::{Checkpoint, Clock, Store};

/// A tick that fires later than this after it was due is past due.
const LATE: TimeDelta = TimeDelta::seconds(30);
/// The longest sleep: a clock that is set must be noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// The wait after the store failed.
const TROUBLE: Duration = Duration::from_secs(1);
/// The log under which a schedule's last tick is remembered.
const LOG: &str = "schedule";

/// When a schedule's ticks are due.
#[derive(Debug, Clone)]
pub struct Timetable(Kind);

#[derive(Debug, Clone)]
enum Kind {
    /// Each so many milliseconds, counted from the epoch.
    Every(i64),
    Cron(Box<Cron>, Tz),
}

impl Timetable {
    /// The timetable of a trigger: an interval, or five cron fields in a time zone (UTC if it is empty).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if the fields are no cron schedule, the time zone is not known, or the interval is zero.
    pub fn new(schedule: &str, every: Option<Duration>, timezone: &str) -> Result<Self> {
        let refuse = |message: &'static str| {
            Error::new(ErrorKind::InvalidArgument, "schedule.read", message)
                .with("schedule", schedule)
                .with("timezone", timezone)
        };
        if let Some(every) = every {
            return match i64::try_from(every.as_millis()) {
                Ok(every) if every > 0 => Ok(Self(Kind::Every(every))),
                _ => Err(refuse(
                    "the interval must be longer than nothing; write `every 5 minutes`",
                )),
            };
        }
        let zone = match timezone {
            "" => Tz::UTC,
            name => name
                .parse()
                .map_err(|_| refuse("there is no such time zone; write one as `Europe/Berlin`"))?,
        };
        let cron = Cron::from_str(schedule).map_err(|error| {
            refuse("the schedule cannot be read; write `every 5 minutes` or five cron fields")
                .caused_by(error)
        })?;
        Ok(Self(Kind::Cron(Box::new(cron), zone)))
    }

    /// The first tick after `time`; `None` if there is none any more.
    #[must_use]
    pub fn next(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.0 {
            Kind::Every(every) => {
                let next = time
                    .timestamp_millis()
                    .div_euclid(*every)
                    .checked_add(1)?
                    .checked_mul(*every)?;
                DateTime::from_timestamp_millis(next)
            }
            Kind::Cron(cron, zone) => {
                let next = cron.find_next_occurrence(&time.with_timezone(zone), false).ok()?;
                Some(next.to_utc())
            }
        }
    }

    /// The last tick at or before `time`; `None` if there was none.
    #[must_use]
    pub fn last(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.0 {
            Kind::Every(every) => {
                let last = time.timestamp_millis().div_euclid(*every).checked_mul(*every)?;
                DateTime::from_timestamp_millis(last)
            }
            Kind::Cron(cron, zone) => {
                let last = cron
                    .find_previous_occurrence(&time.with_timezone(zone), true)
                    .ok()?;
                Some(last.to_utc())
            }
        }
    }

    /// The tick that is due at `now` when the last one was at `fired`. Several that were missed are one: the last of them.
    fn due(&self, fired: DateTime<Utc>, now: DateTime<Utc>) -> Option<(DateTime<Utc>, bool)> {
        let due = self.last(now).filter(|due| *due > fired)?;
        let missed = self.next(fired).is_some_and(|first| first < due);
        Some((due, missed || now - due > LATE))
    }
}

/// Puts the ticks of one trigger into its inbox.
#[derive(Debug)]
pub struct Ticker {
    /// The function that the clock strikes for.
    pub function: String,
    /// The schedule as the manifest states it.
    pub schedule: String,
    /// When it is due.
    pub timetable: Timetable,
    /// The inbox.
    pub inbox: String,
    /// Where the inbox is, and what was fired last.
    pub store: Store,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where to tell of trouble.
    pub activities: Activities,
}

impl Ticker {
    /// Ticks until it is told to stop.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            let wait = match self.step().await {
                Ok(wait) => wait,
                Err(error) => {
                    let message = format!(
                        "{} ({}): a tick could not be kept: {}",
                        self.function,
                        self.schedule,
                        error.chain()
                    );
                    self.activities.trouble(message);
                    TROUBLE
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Fires what is due; returns how long to wait before the next look.
    ///
    /// # Errors
    /// The store's.
    pub async fn step(&self) -> Result<Duration> {
        let now = DateTime::from_timestamp_millis(self.clock.now()).unwrap_or_default();
        let kept = self.store.checkpoint(&self.inbox, LOG).await?;
        let mut fired = DateTime::from_timestamp_millis(kept.position).unwrap_or_default();
        if kept.position == 0 {
            // The very first look: what would have been due before there was a schedule was not missed.
            fired = now;
            self.store.advance(&self.inbox, LOG, checkpoint(now)).await?;
        }
        if let Some((due, past_due)) = self.timetable.due(fired, now) {
            let outgoing = source::write(&self.tick(due, past_due))?;
            // In one transaction: a tick is in the inbox once, whenever the host is killed.
            self.store
                .advance_dead(&self.inbox, LOG, checkpoint(due), &self.inbox, outgoing)
                .await?;
            fired = due;
        }
        let wait = self
            .timetable
            .next(fired.max(now))
            .and_then(|next| (next - now).to_std().ok())
            .unwrap_or(LONGEST_SLEEP);
        Ok(wait.min(LONGEST_SLEEP))
    }

    fn tick(&self, due_at: DateTime<Utc>, past_due: bool) -> Event {
        let attributes = Attributes::new(format!("schedule/{}", self.function), cloudevents::SCHEDULE_TICK)
            .id(format!("{}@{}", self.inbox, due_at.to_rfc3339()))
            .subject(&self.function)
            .time(due_at);
        let tick = Tick {
            schedule: self.schedule.clone(),
            due_at,
            past_due,
        };
        Event::new(attributes, Data::Schedule(tick))
    }
}

fn checkpoint(time: DateTime<Utc>) -> Checkpoint {
    Checkpoint {
        position: time.timestamp_millis(),
        attempts: 0,
    }
}

#[cfg(test)]
mod tests {
    use nephos_core::app::QueueSpec;
    use nephos_core::resource::queue::QueueDriver as _;

    use super::*;
    use crate::deploy::store::ManualClock;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn every(seconds: u64) -> Timetable {
        Timetable::new("every", Some(Duration::from_secs(seconds)), "").unwrap()
    }

    #[test]
    fn intervals_are_counted_from_the_epoch() {
        let timetable = every(300);
        assert_eq!(
            timetable.next(at("2026-01-01T10:02:00Z")),
            Some(at("2026-01-01T10:05:00Z"))
        );
        assert_eq!(
            timetable.next(at("2026-01-01T10:05:00Z")),
            Some(at("2026-01-01T10:10:00Z"))
        );
        assert_eq!(
            timetable.last(at("2026-01-01T10:05:00Z")),
            Some(at("2026-01-01T10:05:00Z"))
        );
        assert_eq!(
            timetable.last(at("2026-01-01T10:04:59Z")),
            Some(at("2026-01-01T10:00:00Z"))
        );
    }

    #[test]
    fn cron_fields_are_read_in_their_time_zone_summer_and_winter() {
        let timetable = Timetable::new("30 9 * * 1-5", None, "Europe/Berlin").unwrap();
        assert_eq!(
            timetable.next(at("2026-01-02T12:00:00Z")),
            Some(at("2026-01-05T08:30:00Z"))
        );
        assert_eq!(
            timetable.next(at("2026-07-01T00:00:00Z")),
            Some(at("2026-07-01T07:30:00Z"))
        );
        assert_eq!(
            timetable.last(at("2026-07-01T08:00:00Z")),
            Some(at("2026-07-01T07:30:00Z"))
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_the_words_that_were_wrong() {
        for (schedule, zone) in [
            ("often", ""),
            ("61 * * * *", ""),
            ("* * * * *", "Europe/Atlantis"),
        ] {
            let error = Timetable::new(schedule, None, zone).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.to_string().contains(schedule), "{error}");
        }
        assert!(Timetable::new("every 0 seconds", Some(Duration::ZERO), "").is_err());
    }

    #[test]
    fn missed_ticks_are_one_and_past_due() {
        let timetable = every(60);
        let fired = at("2026-01-01T10:00:00Z");
        assert_eq!(timetable.due(fired, at("2026-01-01T10:00:59Z")), None);
        assert_eq!(
            timetable.due(fired, at("2026-01-01T10:01:01Z")),
            Some((at("2026-01-01T10:01:00Z"), false))
        );
        assert_eq!(
            timetable.due(fired, at("2026-01-01T10:05:01Z")),
            Some((at("2026-01-01T10:05:00Z"), true))
        );
        assert_eq!(
            timetable.due(fired, at("2026-01-01T10:01:45Z")),
            Some((at("2026-01-01T10:01:00Z"), true))
        );
    }

    #[tokio::test]
    async fn a_tick_is_kept_once_over_restarts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let clock = ManualClock::at(at("2026-01-01T10:00:10Z").timestamp_millis());
        let ticker = |store: Store| Ticker {
            function: "sweep".to_owned(),
            schedule: "every 1 minutes".to_owned(),
            timetable: every(60),
            inbox: "inbox/sweep/schedule".to_owned(),
            store,
            clock: Arc::new(clock.clone()),
            activities: Activities::default(),
        };
        let mut depths = Vec::new();
        for pass in [0_u64, 60, 1, 300] {
            clock.advance(Duration::from_secs(pass));
            let store = Store::open(&path).await.unwrap();
            let inbox = store.queue("inbox/sweep/schedule", &QueueSpec::default());
            ticker(store.clone()).step().await.unwrap();
            depths.push(inbox.depth().await.unwrap().visible);
            store.close().await;
        }
        assert_eq!(depths, [0, 1, 1, 2]);
    }
}

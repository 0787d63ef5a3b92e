//! Schedules and time zones: an accepted schedule has a next time, later than the last, and what is refused is told what to write.

use chrono::{DateTime, Timelike as _, Utc};
use nephos_manifest::schedule::{Schedule, ScheduleError, timezone};

/// 2000-01-01 and 2100-01-01.
const SECONDS: std::ops::Range<i64> = 946_684_800..4_102_444_800;

/// Reads `data` as a schedule, a time zone and seconds since 1970, each on a line.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut lines = text.split('\n');
    let schedule = lines.next().unwrap_or_default();
    let parsed = match Schedule::parse(schedule) {
        Ok(parsed) => parsed,
        Err(error) => return check_error(&error),
    };
    // After the schedule: the search for the nearest name is slow, and would be most of the fuzzer's work.
    let zone = timezone(lines.next().unwrap_or("UTC")).unwrap_or_else(|error| {
        check_error(&error);
        chrono_tz::UTC
    });
    let seconds = lines.next().and_then(|seconds| seconds.parse().ok());
    let seconds = seconds
        .filter(|seconds| SECONDS.contains(seconds))
        .unwrap_or(SECONDS.start);
    let Some(start) = DateTime::from_timestamp(seconds, 0) else {
        return;
    };
    assert!(
        Schedule::parse(&format!("  {schedule} ")).is_ok(),
        "spaces around it matter"
    );
    if let Schedule::Every(interval) = &parsed {
        assert!(
            (1..=366 * 86_400).contains(&interval.as_secs()),
            "{schedule}: {interval:?}"
        );
    }
    let mut last = start;
    for _ in 0..3 {
        let next = parsed.next(last, zone);
        let next: DateTime<Utc> =
            next.unwrap_or_else(|| panic!("{schedule:?} has no time after {last} in {zone}"));
        assert!(next > last, "{schedule:?} in {zone}: {next} is not after {last}");
        if let Schedule::Cron(_) = parsed {
            assert_eq!(
                (next.second(), next.nanosecond()),
                (0, 0),
                "{schedule:?}: within a minute"
            );
        }
        last = next;
    }
}

fn check_error(error: &ScheduleError) {
    assert!(!error.message.is_empty() && !error.help.is_empty(), "{error:?}");
}

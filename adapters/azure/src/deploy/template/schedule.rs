//! Schedules as timers have them: six fields of NCRONTAB, the first of them seconds, all in UTC.
//!
//! An interval of any length (a `TimeSpan`) is for App Service plans only: <https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer>.

use std::time::Duration;

use nephos_core::deploy::cron::{self, DAYS, Field, HOURS, MINUTES, MONTHS, WEEKDAYS};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The expression of a schedule.
pub(super) fn expression(text: &str, every: Option<Duration>, timezone: &str) -> Result<String, String> {
    if let Some(interval) = every {
        return rate(interval);
    }
    // `WEBSITE_TIME_ZONE` has no effect on Flex Consumption: https://learn.microsoft.com/azure/azure-functions/functions-app-settings
    if !["UTC", "Etc/UTC"].contains(&timezone) {
        return Err(format!(
            "timers of Flex Consumption have no time zone but UTC, and this schedule is in {timezone}; write its hours in UTC and leave out `timezone`, or schedule it more often and look at the local hour in the function"
        ));
    }
    fields(text)
}

/// `every 5 minutes`, on the clock: what does not divide the next larger unit would be uneven.
fn rate(interval: Duration) -> Result<String, String> {
    let seconds = interval.as_secs();
    if interval.subsec_nanos() == 0 && seconds > 0 {
        let divides = |unit: u64, next: u64| seconds.is_multiple_of(unit) && next.is_multiple_of(seconds);
        if seconds < MINUTE && divides(1, MINUTE) {
            return Ok(format!("*/{seconds} * * * * *"));
        }
        if (MINUTE..HOUR).contains(&seconds) && divides(MINUTE, HOUR) {
            return Ok(format!("0 */{} * * * *", seconds / MINUTE));
        }
        if (HOUR..DAY).contains(&seconds) && divides(HOUR, DAY) {
            return Ok(format!("0 0 */{} * * *", seconds / HOUR));
        }
        if seconds == DAY {
            return Ok("0 0 0 * * *".to_owned());
        }
    }
    Err("a timer on Azure follows the clock: choose an interval that divides a minute, an hour or a day, such as 15 minutes or 6 hours".to_owned())
}

/// Five fields as six. Lists only: a timer means something else by some steps, and has no 7th day.
fn fields(text: &str) -> Result<String, String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields.as_slice() else {
        return Err("a schedule is `every …` or five cron fields".to_owned());
    };
    let day = list(day, &DAYS)?;
    let weekday = list(weekday, &WEEKDAYS)?;
    // Both would have to hold there, and here one of them is enough.
    if day != "*" && weekday != "*" {
        return Err(
            "Azure cannot say `this day of the month or that day of the week`; write two schedules"
                .to_owned(),
        );
    }
    Ok(format!(
        "0 {} {} {day} {} {weekday}",
        list(minute, &MINUTES)?,
        list(hour, &HOURS)?,
        list(month, &MONTHS)?
    ))
}

fn list(text: &str, field: &Field) -> Result<String, String> {
    if text == "*" || text == "?" {
        return Ok("*".to_owned());
    }
    let values = cron::values(text, field).ok_or_else(|| {
        format!(
            "the {} `{text}` cannot be said on Azure; write it as numbers",
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

    fn every(seconds: u64) -> Result<String, String> {
        expression("every", Some(Duration::from_secs(seconds)), "Europe/London")
    }

    #[test]
    fn intervals_that_divide_the_clock_become_steps() {
        for (seconds, expected) in [
            (1, "*/1 * * * * *"),
            (30, "*/30 * * * * *"),
            (60, "0 */1 * * * *"),
            (900, "0 */15 * * * *"),
            (3600, "0 0 */1 * * *"),
            (21_600, "0 0 */6 * * *"),
            (86_400, "0 0 0 * * *"),
        ] {
            assert_eq!(every(seconds).unwrap(), expected);
        }
        for seconds in [0, 7, 90, 420, 5400, 18_000, 172_800] {
            assert!(
                every(seconds).unwrap_err().contains("follows the clock"),
                "{seconds}"
            );
        }
        assert!(expression("every", Some(Duration::from_millis(1500)), "UTC").is_err());
    }

    #[test]
    fn five_fields_become_six() {
        for (text, expected) in [
            ("* * * * *", "0 * * * * *"),
            ("0 6 * * 1-5", "0 0 6 * * 1,2,3,4,5"),
            ("*/20 8-10 ? jan,Jul ?", "0 0,20,40 8,9,10 * 1,7 *"),
            ("5 4 * * 5-7", "0 5 4 * * 0,5,6"),
            ("0 0 1 * *", "0 0 0 1 * *"),
        ] {
            assert_eq!(expression(text, None, "UTC").unwrap(), expected);
        }
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        for (text, zone, part) in [
            ("0 0 1 * 1", "UTC", "two schedules"),
            ("0 0 L * *", "UTC", "the day of the month `L`"),
            ("0 0 * * 5#3", "UTC", "the day of the week `5#3`"),
            ("@daily", "UTC", "five cron fields"),
            ("0 6 * * *", "Europe/London", "write its hours in UTC"),
        ] {
            let error = expression(text, None, zone).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}

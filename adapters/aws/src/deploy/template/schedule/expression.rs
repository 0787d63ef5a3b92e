//! Schedules in the words of EventBridge Scheduler: `every …` becomes a rate, five cron fields become six.

use std::time::Duration;

use nephos_core::deploy::cron::{self, DAYS, Field, HOURS, MINUTES, MONTHS, WEEKDAYS};

/// `rate(5 minutes)`: <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html>.
pub(super) fn rate(interval: Duration) -> Result<String, String> {
    const MINUTE: u64 = 60;
    let seconds = interval.as_secs();
    if seconds < MINUTE || !seconds.is_multiple_of(MINUTE) || interval.subsec_nanos() > 0 {
        return Err(
            "EventBridge Scheduler counts in whole minutes, one at least; choose such an interval".to_owned(),
        );
    }
    let (count, unit) = match seconds {
        days if days.is_multiple_of(24 * 60 * MINUTE) => (days / (24 * 60 * MINUTE), "day"),
        hours if hours.is_multiple_of(60 * MINUTE) => (hours / (60 * MINUTE), "hour"),
        minutes => (minutes / MINUTE, "minute"),
    };
    let plural = if count == 1 { "" } else { "s" };
    Ok(format!("rate({count} {unit}{plural})"))
}

/// `cron(minutes hours day-of-month month day-of-week year)`, from the same page: one of the two days must be `?`, and the days of the week
/// are counted from 1.
pub(super) fn cron(text: &str) -> Result<String, String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields.as_slice() else {
        return Err("a schedule is `every …` or five cron fields".to_owned());
    };
    let any = |field: &str| field == "*" || field == "?";
    let (day, weekday) = match (any(day), any(weekday)) {
        (true, true) => ("*".to_owned(), "?".to_owned()),
        (false, true) => (days(day)?, "?".to_owned()),
        (true, false) => ("?".to_owned(), weekdays(weekday)?),
        (false, false) => {
            return Err(
                "AWS cannot say `this day of the month or that day of the week`; write two schedules"
                    .to_owned(),
            );
        }
    };
    Ok(format!(
        "cron({} {} {day} {} {weekday} *)",
        list(minute, &MINUTES)?,
        list(hour, &HOURS)?,
        list(month, &MONTHS)?
    ))
}

/// Days of the month; also `L`, `LW`, `15W`, in the same words there.
fn days(text: &str) -> Result<String, String> {
    let upper = text.to_ascii_uppercase();
    let nearest = upper.strip_suffix('W').is_some_and(|day| {
        day == "L"
            || day
                .parse()
                .is_ok_and(|day: u32| (DAYS.first..=DAYS.last).contains(&day))
    });
    if upper == "L" || nearest {
        return Ok(upper);
    }
    list(text, &DAYS)
}

/// Days of the week; also the last (`5L`) and the third (`5#3`) one of a month.
fn weekdays(text: &str) -> Result<String, String> {
    let upper = text.to_ascii_uppercase();
    if let Some((day, week)) = upper.split_once('#') {
        if week == "L" {
            return Ok(format!("{}L", value(day, &WEEKDAYS)? % 7 + 1));
        }
        let week: u32 = week
            .parse()
            .ok()
            .filter(|week| (1..=5).contains(week))
            .ok_or_else(|| unsaid(text, &WEEKDAYS))?;
        return Ok(format!("{}#{week}", value(day, &WEEKDAYS)? % 7 + 1));
    }
    if let Some(day) = upper.strip_suffix('L').filter(|day| !day.is_empty()) {
        return Ok(format!("{}L", value(day, &WEEKDAYS)? % 7 + 1));
    }
    let mut days: Vec<u32> = values(text, &WEEKDAYS)?.into_iter().map(|day| day % 7).collect();
    days.sort_unstable();
    days.dedup();
    let names: Vec<&str> = days
        .iter()
        .filter_map(|day| WEEKDAYS.names.get(usize::try_from(*day).ok()?).copied())
        .collect();
    Ok(names.join(","))
}

/// `*`, or all values as a list: steps and ranges mean there what they mean here only in their simplest forms.
fn list(text: &str, field: &Field) -> Result<String, String> {
    if text == "*" || text == "?" {
        return Ok("*".to_owned());
    }
    if let Some(step) = text.strip_prefix("*/") {
        let step: u32 = step
            .parse()
            .ok()
            .filter(|step| *step > 0)
            .ok_or_else(|| unsaid(text, field))?;
        return Ok(format!("{}/{step}", field.first));
    }
    let mut values = values(text, field)?;
    values.sort_unstable();
    values.dedup();
    let values: Vec<String> = values.iter().map(u32::to_string).collect();
    Ok(values.join(","))
}

fn values(text: &str, field: &Field) -> Result<Vec<u32>, String> {
    cron::values(text, field).ok_or_else(|| unsaid(text, field))
}

fn value(text: &str, field: &Field) -> Result<u32, String> {
    cron::value(text, field).ok_or_else(|| unsaid(text, field))
}

fn unsaid(text: &str, field: &Field) -> String {
    format!(
        "the {} `{text}` cannot be said on AWS; write it as numbers",
        field.what
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_become_rates_in_the_largest_unit_that_fits() {
        for (seconds, expected) in [
            (60, "rate(1 minute)"),
            (300, "rate(5 minutes)"),
            (3600, "rate(1 hour)"),
            (5400, "rate(90 minutes)"),
            (86_400, "rate(1 day)"),
            (172_800, "rate(2 days)"),
        ] {
            assert_eq!(rate(Duration::from_secs(seconds)).unwrap(), expected);
        }
        for interval in [
            Duration::from_secs(30),
            Duration::from_secs(90),
            Duration::from_millis(60_500),
        ] {
            assert!(rate(interval).unwrap_err().contains("whole minutes"));
        }
    }

    #[test]
    fn five_fields_become_six_with_a_question_mark_for_the_day_that_is_not_asked_for() {
        for (text, expected) in [
            ("* * * * *", "cron(* * * * ? *)"),
            ("0 6 * * *", "cron(0 6 * * ? *)"),
            (
                "*/15 8-17 * * 1-5",
                "cron(0/15 8,9,10,11,12,13,14,15,16,17 ? * MON,TUE,WED,THU,FRI *)",
            ),
            ("0 0 1 1 *", "cron(0 0 1 1 ? *)"),
            ("0 0 ? jan,Jul ?", "cron(0 0 * 1,7 ? *)"),
            ("5 4 * * 0", "cron(5 4 ? * SUN *)"),
            ("5 4 * * 7", "cron(5 4 ? * SUN *)"),
            ("5 4 * * 5-7", "cron(5 4 ? * SUN,FRI,SAT *)"),
            ("5 4 * * sun,wed", "cron(5 4 ? * SUN,WED *)"),
            ("0 0 L * *", "cron(0 0 L * ? *)"),
            ("0 0 15W * *", "cron(0 0 15W * ? *)"),
            ("0 0 * * 5L", "cron(0 0 ? * 6L *)"),
            ("0 0 * * 5#L", "cron(0 0 ? * 6L *)"),
            ("0 0 * * FRI#3", "cron(0 0 ? * 6#3 *)"),
            ("0 0 * * 0#1", "cron(0 0 ? * 1#1 *)"),
            ("10-30/10 0 */2 * *", "cron(10,20,30 0 1/2 * ? *)"),
            ("50/5 0 * * *", "cron(50,55 0 * * ? *)"),
            ("0 0 * * */2", "cron(0 0 ? * SUN,TUE,THU,SAT *)"),
        ] {
            assert_eq!(cron(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        for (text, part) in [
            ("0 0 1 * 1", "two schedules"),
            ("0 0 */2 * 1", "two schedules"),
            ("0 22-2 * * *", "the hour `22-2`"),
            ("0 0 * * 5#6", "day of the week"),
            ("0 0 32W * *", "day of the month"),
            ("0 0 * * 1+", "day of the week"),
            ("0/0 0 * * *", "the minute"),
            ("@daily", "five cron fields"),
        ] {
            let error = cron(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}

//! Schedules: `every 5 minutes`, or the five fields of cron with an IANA time zone.

use std::str::FromStr as _;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use crate::units;

/// The longest interval: a year.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// A schedule that was understood.
#[derive(Debug, Clone)]
pub enum Schedule {
    /// At this interval.
    Every(Duration),
    /// By cron fields.
    Cron(Box<Cron>),
}

/// Why a schedule or time zone cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ScheduleError {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl ScheduleError {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: help.into(),
        }
    }
}

impl Schedule {
    /// Reads `every <interval>` or five cron fields (minute, hour, day of the month, month, day of the week).
    ///
    /// # Errors
    /// For a text that is neither, an interval below a second or above a year, and cron fields that never come true.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let text = text.trim();
        let mut words = text.splitn(2, char::is_whitespace);
        if words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case("every"))
        {
            return interval(words.next().unwrap_or_default().trim()).map(Self::Every);
        }
        cron(text).map(|cron| Self::Cron(Box::new(cron)))
    }

    /// The first time after `after` at which cron fields in `zone` are due. For an interval it is `after` and the interval.
    #[must_use]
    pub fn next(&self, after: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        match self {
            Self::Every(interval) => after.checked_add_signed(chrono::Duration::from_std(*interval).ok()?),
            Self::Cron(cron) => cron
                .find_next_occurrence(&after.with_timezone(&zone), false)
                .ok()
                .map(|next| next.with_timezone(&Utc)),
        }
    }
}

/// The time zone of this IANA name (`Europe/London`).
///
/// # Errors
/// For a name that the IANA database does not have, with the nearest one as help.
pub fn timezone(name: &str) -> Result<Tz, ScheduleError> {
    Tz::from_str(name).map_err(|_| {
        let names = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
        let help = crate::suggest::nearest(name, names).map_or_else(
            || "use a name of the IANA database, such as \"Europe/London\" or \"UTC\"".to_owned(),
            |nearest| format!("did you mean `{nearest}`?"),
        );
        ScheduleError::new(format!("there is no time zone `{name}`"), help)
    })
}

fn interval(text: &str) -> Result<Duration, ScheduleError> {
    // "every minute" is one minute.
    let with_number = if text.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
        format!("1 {text}")
    } else {
        text.to_owned()
    };
    let interval = units::duration(&with_number).map_err(|error| {
        ScheduleError::new(
            format!("`every {text}` is not an interval: {}", error.message),
            "write it as in \"every 5 minutes\"",
        )
    })?;
    if interval < Duration::from_secs(1) {
        return Err(ScheduleError::new(
            format!("`every {text}` is shorter than a second"),
            "an interval is at least \"every 1 second\"",
        ));
    }
    if interval > LONGEST {
        return Err(ScheduleError::new(
            format!("`every {text}` is longer than a year"),
            "use cron fields, such as \"0 6 1 1 *\"",
        ));
    }
    Ok(interval)
}

fn cron(text: &str) -> Result<Cron, ScheduleError> {
    const FORM: &str = "five fields: minute, hour, day of the month, month, day of the week (\"0 6 * * *\" is every day at six); or \"every 5 minutes\"";
    if let Some(fields) = nickname(text) {
        return Err(ScheduleError::new(
            format!("`{text}` is not five cron fields"),
            format!("write \"{fields}\""),
        ));
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != 5 {
        return Err(ScheduleError::new(
            format!("`{text}` has {} cron fields, not five", fields.len()),
            FORM,
        ));
    }
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build();
    let cron = parser.parse(text).map_err(|_| {
        let wrong = wrong_field(&parser, &fields);
        ScheduleError::new(format!("`{text}` is not a cron schedule{wrong}"), FORM)
    })?;
    // Only fields of the date can name one that does not exist (`30 2`, or `+`, which is no day of the week at all); the search for the next
    // one is not free.
    let dated = fields
        .get(2..)
        .is_some_and(|fields| fields.iter().any(|field| *field != "*"));
    if dated
        && cron
            .find_next_occurrence(&DateTime::<Utc>::UNIX_EPOCH, false)
            .is_err()
    {
        return Err(ScheduleError::new(
            format!("`{text}` never comes true"),
            "name a day that the month has",
        ));
    }
    Ok(cron)
}

/// Which field it is, found by trying each with stars for the others: the parser does not tell.
fn wrong_field(parser: &CronParser, fields: &[&str]) -> String {
    const FIELDS: [(&str, &str); 5] = [
        ("minute", "0 to 59"),
        ("hour", "0 to 23"),
        ("day of the month", "1 to 31"),
        ("month", "1 to 12 or JAN to DEC"),
        ("day of the week", "0 (Sunday) to 7 or SUN to SAT"),
    ];
    let wrong = fields.iter().zip(FIELDS).enumerate().find(|(index, (field, _))| {
        let mut alone = ["*"; 5];
        if let Some(place) = alone.get_mut(*index) {
            *place = field;
        }
        parser.parse(&alone.join(" ")).is_err()
    });
    wrong.map_or_else(String::new, |(_, (field, (name, range)))| {
        format!(": the {name} `{field}` is not within {range}")
    })
}

fn nickname(text: &str) -> Option<&'static str> {
    Some(match text.to_ascii_lowercase().as_str() {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::{TimeZone as _, Utc};

    use super::{Schedule, timezone};

    fn interval(text: &str) -> Duration {
        match Schedule::parse(text) {
            Ok(Schedule::Every(interval)) => interval,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn intervals_read_as_they_are_spoken() {
        assert_eq!(interval("every 5 minutes"), Duration::from_secs(300));
        assert_eq!(interval("every minute"), Duration::from_secs(60));
        assert_eq!(interval("Every 2 h"), Duration::from_secs(7200));
    }

    #[test]
    fn an_interval_of_nothing_is_refused() {
        let error = Schedule::parse("every 0 minutes").unwrap_err();
        assert_eq!(error.message, "`every 0 minutes` is shorter than a second");
        assert!(Schedule::parse("every 400 days").is_err());
        assert!(Schedule::parse("every").is_err());
    }

    #[test]
    fn cron_fields_follow_the_time_zone_through_summer_time() {
        let schedule = Schedule::parse("0 6 * * *").unwrap();
        let zone = timezone("Europe/London").unwrap();
        let winter = Utc.with_ymd_and_hms(2026, 1, 10, 12, 0, 0).unwrap();
        let summer = Utc.with_ymd_and_hms(2026, 7, 10, 12, 0, 0).unwrap();
        assert_eq!(
            schedule.next(winter, zone),
            Utc.with_ymd_and_hms(2026, 1, 11, 6, 0, 0).single()
        );
        assert_eq!(
            schedule.next(summer, zone),
            Utc.with_ymd_and_hms(2026, 7, 11, 5, 0, 0).single()
        );
    }

    #[test]
    fn wrong_fields_are_named_and_nicknames_written_out() {
        assert!(Schedule::parse("61 * * * *").is_err());
        assert_eq!(
            Schedule::parse("* * *").unwrap_err().message,
            "`* * *` has 3 cron fields, not five"
        );
        assert_eq!(Schedule::parse("@daily").unwrap_err().help, "write \"0 0 * * *\"");
        for never in ["0 0 30 2 *", "0 5 * * +", "0 0 31 4,6 ?"] {
            assert_eq!(
                Schedule::parse(never).unwrap_err().message,
                format!("`{never}` never comes true")
            );
        }
    }

    #[test]
    fn a_misspelt_time_zone_is_corrected() {
        assert_eq!(
            timezone("Europe/Lodnon").unwrap_err().help,
            "did you mean `Europe/London`?"
        );
    }
}

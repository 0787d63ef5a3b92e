//! Units as text: sizes (`512 MiB`) and durations (`30 s`), each with a message that says how to write it right.

use std::time::Duration;

/// Units of size and the bytes in each.
const SIZES: [(&str, u64); 7] = [
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// Units of time and the milliseconds in each; the first name of a length is the one that suggestions use.
const TIMES: [(&str, u64); 20] = [
    ("ms", 1),
    ("millisecond", 1),
    ("milliseconds", 1),
    ("s", 1_000),
    ("sec", 1_000),
    ("secs", 1_000),
    ("second", 1_000),
    ("seconds", 1_000),
    ("min", 60_000),
    ("mins", 60_000),
    ("minute", 60_000),
    ("minutes", 60_000),
    ("h", 3_600_000),
    ("hour", 3_600_000),
    ("hours", 3_600_000),
    ("d", 86_400_000),
    ("day", 86_400_000),
    ("days", 86_400_000),
    ("week", 604_800_000),
    ("weeks", 604_800_000),
];

/// Why a text is no size or duration, and how to write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnitError {
    /// What is wrong.
    pub(crate) message: String,
    /// What to write instead.
    pub(crate) help: String,
}

/// Bytes of a text such as `512 MiB` or `1.5 GB`.
pub(crate) fn size(text: &str) -> Result<u64, UnitError> {
    let (number, unit) = split(text);
    let known = "sizes are a number and one of B, KB, MB, GB, KiB, MiB, GiB";
    let error = |message: String, help: String| UnitError { message, help };
    if unit.is_empty() && is_number(number) {
        return Err(error(
            format!("`{text}` has no unit"),
            format!("write \"{number} MiB\""),
        ));
    }
    if !is_number(number) {
        return Err(error(
            format!("`{text}` is not a size"),
            format!("{known}, such as \"512 MiB\""),
        ));
    }
    let Some((_, bytes)) = SIZES.iter().find(|(name, _)| *name == unit) else {
        let folded = unit.to_ascii_lowercase();
        let meant = match folded.as_str() {
            "k" | "kib" => Some("KiB"),
            "m" | "mib" => Some("MiB"),
            "g" | "gib" => Some("GiB"),
            "kb" => Some("KB"),
            "mb" => Some("MB"),
            "gb" => Some("GB"),
            "b" | "byte" | "bytes" => Some("B"),
            _ => None,
        };
        return Err(error(
            format!("`{unit}` is not a unit of size"),
            meant.map_or_else(|| known.to_owned(), |meant| format!("write \"{number} {meant}\"")),
        ));
    };
    scale(number, *bytes).ok_or_else(|| {
        error(
            format!("`{text}` is too large"),
            "sizes go up to 2^53 bytes".to_owned(),
        )
    })
}

/// A text such as `30 s`, `5 minutes` or `250 ms`.
pub(crate) fn duration(text: &str) -> Result<Duration, UnitError> {
    let (number, unit) = split(text);
    let known = "durations are a number and one of ms, s, min, h, days";
    let error = |message: String, help: String| UnitError { message, help };
    if unit.is_empty() && is_number(number) {
        return Err(error(
            format!("`{text}` has no unit"),
            format!("write \"{number} s\""),
        ));
    }
    if !is_number(number) {
        return Err(error(
            format!("`{text}` is not a duration"),
            format!("{known}, such as \"30 s\""),
        ));
    }
    let Some((_, millis)) = TIMES.iter().find(|(name, _)| *name == unit) else {
        let folded = unit.to_lowercase();
        let meant = match folded.as_str() {
            "m" => Some("min"),
            other => TIMES
                .iter()
                .map(|(name, _)| *name)
                .find(|name| *name == other)
                .or_else(|| {
                    crate::suggest::nearest(
                        other,
                        TIMES.iter().map(|(name, _)| *name).filter(|name| name.len() > 2),
                    )
                }),
        };
        let meant = meant.map(|meant| plural(number, meant));
        return Err(error(
            format!("`{unit}` is not a unit of time"),
            meant.map_or_else(|| known.to_owned(), |meant| format!("write \"{number} {meant}\"")),
        ));
    };
    scale(number, *millis).map(Duration::from_millis).ok_or_else(|| {
        error(
            format!("`{text}` is too long"),
            "durations go up to 2^53 milliseconds".to_owned(),
        )
    })
}

/// The plural of a unit, where the number asks for it and the unit has one.
fn plural(number: &str, unit: &'static str) -> &'static str {
    TIMES
        .iter()
        .map(|(name, _)| *name)
        .find(|name| number != "1" && unit.len() > 3 && name.strip_suffix('s') == Some(unit))
        .unwrap_or(unit)
}

/// The duration as one would write it: `90 s`, `5 min`, `4 days`.
pub(crate) fn show(duration: Duration) -> String {
    let millis = duration.as_millis();
    [
        (86_400_000, "days"),
        (3_600_000, "h"),
        (60_000, "min"),
        (1_000, "s"),
    ]
    .into_iter()
    .find(|(unit, _)| millis > 0 && millis.is_multiple_of(*unit))
    .map_or_else(
        || format!("{millis} ms"),
        |(unit, name)| {
            format!(
                "{} {}",
                millis / unit,
                if millis == unit && name == "days" {
                    "day"
                } else {
                    name
                }
            )
        },
    )
}

/// The size as one would write it: `512 MiB`.
pub(crate) fn show_size(bytes: u64) -> String {
    [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")]
        .into_iter()
        .find(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit))
        .map_or_else(
            || format!("{bytes} B"),
            |(unit, name)| format!("{} {name}", bytes / unit),
        )
}

/// The number in front, and what follows it.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text
        .find(|letter: char| !(letter.is_ascii_digit() || letter == '.'))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim())
}

fn is_number(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_digit()) && text.parse::<f64>().is_ok()
}

/// `number` × `unit`, rounded; `None` where a float no longer tells whole numbers apart.
fn scale(number: &str, unit: u64) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[allow(clippy::cast_precision_loss, reason = "units are small")]
    let product = (number.parse::<f64>().ok()? * unit as f64).round();
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within range, as checked"
    )]
    (product <= EXACT).then_some(product as u64)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{duration, show, show_size, size};

    #[test]
    fn sizes_are_decimal_or_binary_as_written() {
        assert_eq!(size("512 MiB"), Ok(536_870_912));
        assert_eq!(size("512MB"), Ok(512_000_000));
        assert_eq!(size("1.5 GiB"), Ok(1_610_612_736));
        assert_eq!(size("0 KB"), Ok(0));
    }

    #[test]
    fn durations_take_short_and_long_names() {
        for (text, millis) in [
            ("30 s", 30_000),
            ("5 minutes", 300_000),
            ("1 h", 3_600_000),
            ("4 days", 345_600_000),
            ("250 ms", 250),
            ("0.5s", 500),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn a_bare_number_is_refused_with_the_text_to_write() {
        assert_eq!(size("512").unwrap_err().help, "write \"512 MiB\"");
        assert_eq!(duration("30").unwrap_err().help, "write \"30 s\"");
    }

    #[test]
    fn a_wrong_unit_is_corrected() {
        assert_eq!(size("512 Mb").unwrap_err().help, "write \"512 MB\"");
        assert_eq!(size("1 G").unwrap_err().help, "write \"1 GiB\"");
        assert_eq!(duration("5 m").unwrap_err().help, "write \"5 min\"");
        assert_eq!(duration("5 minuts").unwrap_err().help, "write \"5 minutes\"");
        assert_eq!(duration("5 MS").unwrap_err().help, "write \"5 ms\"");
    }

    #[test]
    fn nonsense_and_enormous_numbers_are_errors() {
        for text in [
            "",
            "s",
            "-1 s",
            "1.2.3 s",
            ".5 s",
            "99999999999999999999 h",
            "30 parsecs",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
        for text in ["", "MiB", "many", "99999999999999999999 GiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_shown_reads_back_as_the_same() {
        for millis in [1, 250, 1_000, 90_000, 300_000, 86_400_000, 345_600_000] {
            let length = Duration::from_millis(millis);
            assert_eq!(duration(&show(length)), Ok(length));
        }
        assert_eq!(show(Duration::from_secs(86_400)), "1 day");
        for bytes in [7, 1024, 512 << 20, 3 << 30] {
            assert_eq!(size(&show_size(bytes)), Ok(bytes));
        }
    }
}

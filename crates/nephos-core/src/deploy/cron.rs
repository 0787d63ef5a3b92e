//! The five cron fields as lists of numbers, for providers whose own expressions mean something else by steps, ranges and names.

/// One of the five fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// What it is, in words.
    pub what: &'static str,
    /// The smallest number.
    pub first: u32,
    /// The largest number.
    pub last: u32,
    /// Names for numbers, from the first on.
    pub names: &'static [&'static str],
}

/// Minutes.
pub const MINUTES: Field = Field {
    what: "minute",
    first: 0,
    last: 59,
    names: &[],
};
/// Hours.
pub const HOURS: Field = Field {
    what: "hour",
    first: 0,
    last: 23,
    names: &[],
};
/// Days of the month.
pub const DAYS: Field = Field {
    what: "day of the month",
    first: 1,
    last: 31,
    names: &[],
};
/// Months.
pub const MONTHS: Field = Field {
    what: "month",
    first: 1,
    last: 12,
    names: &[
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ],
};
/// Days of the week; Sunday is 0 and 7.
pub const WEEKDAYS: Field = Field {
    what: "day of the week",
    first: 0,
    last: 7,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
};

/// All values that a field names, as it names them: `1,5-7,10-20/5,30/10`. `None` for what is no list of numbers, ranges and steps.
#[must_use]
pub fn values(text: &str, field: &Field) -> Option<Vec<u32>> {
    let mut values = Vec::new();
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step.parse().ok().filter(|step: &u32| *step > 0)?)),
            None => (part, None),
        };
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (value(first, field)?, value(last, field)?),
            None if range == "*" => (field.first, if field.last == 7 { 6 } else { field.last }),
            None => {
                let first = value(range, field)?;
                (first, if step.is_some() { field.last } else { first })
            }
        };
        if first > last {
            return None;
        }
        let step = usize::try_from(step.unwrap_or(1)).unwrap_or(usize::MAX);
        values.extend((first..=last).step_by(step));
    }
    Some(values)
}

/// The value that a number or name is.
#[must_use]
pub fn value(text: &str, field: &Field) -> Option<u32> {
    let named = field
        .names
        .iter()
        .position(|name| name.eq_ignore_ascii_case(text))
        .and_then(|index| u32::try_from(index).ok())
        .map(|index| index + field.first);
    named
        .or_else(|| text.parse().ok())
        .filter(|value| (field.first..=field.last).contains(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_become_lists() {
        for (text, field, expected) in [
            ("1,5-7,10-20/5", MINUTES, Some(vec![1, 5, 6, 7, 10, 15, 20])),
            ("50/5", MINUTES, Some(vec![50, 55])),
            ("*/8", HOURS, Some(vec![0, 8, 16])),
            ("jan,Jul", MONTHS, Some(vec![1, 7])),
            ("*/2", WEEKDAYS, Some(vec![0, 2, 4, 6])),
            ("fri-7", WEEKDAYS, Some(vec![5, 6, 7])),
            ("22-2", HOURS, None),
            ("0/0", MINUTES, None),
            ("32", DAYS, None),
            ("L", DAYS, None),
            ("", DAYS, None),
        ] {
            assert_eq!(values(text, &field), expected, "{text}");
        }
    }
}

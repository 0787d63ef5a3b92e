//! Times in AWS's documents.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::de::{self, Deserialize, Deserializer, Visitor};

/// A time as [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339) writes it.
pub(super) struct Time(pub(super) DateTime<Utc>);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TimeVisitor)
    }
}

struct TimeVisitor;

impl Visitor<'_> for TimeVisitor {
    type Value = Time;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time of RFC 3339")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Time, E> {
        // The strict form is what AWS writes and quick to read; others write a space or leave a part out.
        DateTime::parse_from_rfc3339(text)
            .map(|time| time.to_utc())
            .or_else(|_| text.parse())
            .map(Time)
            .map_err(E::custom)
    }
}

/// Seconds since 1970 with a fraction, to the millisecond: more than that a double does not hold.
pub(super) fn seconds(seconds: f64) -> Option<DateTime<Utc>> {
    let millis = (seconds * 1000.0).round();
    // The conversion saturates, and a time so far away is none.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "out of range saturates, and is refused"
    )]
    DateTime::from_timestamp_millis(millis as i64).filter(|_| millis.is_finite())
}

/// Milliseconds since 1970, as text.
pub(super) fn milliseconds(text: &str) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(text.parse().ok()?)
}

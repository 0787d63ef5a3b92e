//! Times as AWS's documents write them that are not text of RFC 3339.

use chrono::{DateTime, Utc};

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

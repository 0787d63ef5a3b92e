//! Times in Azure's documents.

use chrono::{DateTime, NaiveDateTime, Utc};

/// A time as RFC 3339 writes it, or without its zone, which then is UTC: the host cuts it off from those that are not `DateTimeOffset`s.
pub(super) fn read(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.to_utc())
        .or_else(|_| text.parse::<NaiveDateTime>().map(|time| time.and_utc()))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_time_without_zone_is_utc() {
        let written = |text| read(text).map(|time| time.to_rfc3339());
        let noon = Some("2026-02-03T12:00:00+00:00".to_owned());
        for text in [
            "2026-02-03T12:00:00Z",
            "2026-02-03T13:00:00+01:00",
            "2026-02-03T12:00:00",
        ] {
            assert_eq!(written(text), noon, "{text}");
        }
        assert_eq!(
            written("2026-02-03T12:00:00.1234567"),
            Some("2026-02-03T12:00:00.123456700+00:00".to_owned())
        );
        for text in ["", "now", "2026-13-03T12:00:00Z", "02/03/2026 12:00:00"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}

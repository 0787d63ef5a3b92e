//! Values of a query, and the columns of the tables.

use std::cmp::Ordering;

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use serde_json::Value as Json;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Long(i64),
    Text(String),
    Time(DateTime<Utc>),
    Span(Duration),
}

impl Value {
    /// The type as an answer's columns name it.
    pub(super) fn kind(&self) -> Option<&'static str> {
        Some(match self {
            Self::Null => return None,
            Self::Bool(_) => "bool",
            Self::Long(_) => "long",
            Self::Text(_) => "string",
            Self::Time(_) => "datetime",
            Self::Span(_) => "timespan",
        })
    }

    pub(super) fn json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => (*value).into(),
            Self::Long(value) => (*value).into(),
            Self::Text(value) => value.as_str().into(),
            Self::Time(value) => value.to_rfc3339_opts(SecondsFormat::AutoSi, true).into(),
            Self::Span(value) => value.to_string().into(),
        }
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Text(text) => text.clone(),
            other => match other.json() {
                Json::String(text) => text,
                json => json.to_string(),
            },
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Null) || matches!(self, Self::Text(text) if text.is_empty())
    }

    /// The order of two values of one type.
    pub(super) fn order(&self, other: &Self) -> Option<Ordering> {
        Some(match (self, other) {
            (Self::Null, Self::Null) => Ordering::Equal,
            (Self::Null, _) => Ordering::Less,
            (_, Self::Null) => Ordering::Greater,
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Long(a), Self::Long(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Time(a), Self::Time(b)) => a.cmp(b),
            (Self::Span(a), Self::Span(b)) => a.cmp(b),
            _ => return None,
        })
    }
}

/// A moment of a literal: `2026-11-28T07:00:00Z`, with or without fraction and zone, or a day.
pub(super) fn moment(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim().trim_matches(['"', '\'']);
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    for form in [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M",
    ] {
        if let Ok(at) = chrono::NaiveDateTime::parse_from_str(text, form) {
            return Some(at.and_utc());
        }
    }
    let day = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(day.and_hms_opt(0, 0, 0)?.and_utc())
}

/// A span of a literal: `1h`, `30m`, `500ms`.
pub(super) fn span(text: &str) -> Option<Duration> {
    let at = text.find(|c: char| c.is_alphabetic())?;
    let (number, unit) = text.split_at(at);
    let number: i64 = number.parse().ok()?;
    match unit {
        "d" => Duration::try_days(number),
        "h" => Duration::try_hours(number),
        "m" | "min" => Duration::try_minutes(number),
        "s" | "sec" => Duration::try_seconds(number),
        "ms" => Duration::try_milliseconds(number),
        _ => None,
    }
}

//! The language of queries, as far as those who look after an application need it: comparisons, `AND`, `OR`, `NOT`, parentheses and `log_id`.
//! <https://cloud.google.com/logging/docs/view/logging-query-language>

mod tokens;

use std::cmp::Ordering;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde_json::Value;

use self::tokens::{Token, read};
use super::moment;
use crate::google_cloud::error::{Code, Outcome, Refusal};

/// The levels, from the lowest: <https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#logseverity>.
pub(super) const SEVERITIES: [&str; 9] = [
    "DEFAULT",
    "DEBUG",
    "INFO",
    "NOTICE",
    "WARNING",
    "ERROR",
    "CRITICAL",
    "ALERT",
    "EMERGENCY",
];

/// What an entry has, at its top.
const FIELDS: &[&str] = &[
    "errorGroups",
    "httpRequest",
    "insertId",
    "jsonPayload",
    "labels",
    "logName",
    "operation",
    "protoPayload",
    "receiveTimestamp",
    "resource",
    "severity",
    "sourceLocation",
    "spanId",
    "split",
    "textPayload",
    "timestamp",
    "trace",
    "traceSampled",
];

/// A query.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Filter {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Compare(Vec<String>, Operator, String),
    /// The end of a log's name.
    Log(String),
}

/// How a field is held against a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    Unequal,
    Has,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

fn wrong(what: &str) -> Refusal {
    Refusal::new(Code::InvalidArgument, format!("Unparseable filter: {what}"))
}

impl Filter {
    /// Reads one; an empty one lets everything through.
    pub(super) fn read(text: &str) -> Outcome<Self> {
        let mut parser = Parser {
            tokens: read(text)?,
            at: 0,
        };
        if parser.tokens.is_empty() {
            return Ok(Self::All(Vec::new()));
        }
        let filter = parser.all()?;
        match parser.peek() {
            None => Ok(filter),
            Some(token) => Err(wrong(&format!("{token:?} is not expected there"))),
        }
    }

    /// Whether an entry is one of those that are asked for.
    pub(super) fn fits(&self, entry: &Value) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.fits(entry)),
            Self::Any(parts) => parts.iter().any(|part| part.fits(entry)),
            Self::Not(part) => !part.fits(entry),
            Self::Log(end) => entry["logName"]
                .as_str()
                .is_some_and(|name| name.ends_with(end.as_str())),
            Self::Compare(path, operator, wanted) => {
                let default = Value::from("DEFAULT");
                let is_severity = path.len() == 1 && path[0] == "severity";
                let mut found = Vec::new();
                collect(entry, path, &mut found);
                if is_severity && found.is_empty() {
                    found.push(&default);
                }
                // A field that is not there fits no comparison.
                found
                    .into_iter()
                    .any(|value| compare(path, value, *operator, wanted))
            }
        }
    }
}

/// The values at a path; of lists, those of each item.
fn collect<'a>(value: &'a Value, path: &[String], found: &mut Vec<&'a Value>) {
    match (value, path.split_first()) {
        (Value::Array(items), _) => items.iter().for_each(|item| collect(item, path, found)),
        (_, None) => found.push(value),
        (_, Some((name, rest))) => {
            if let Some(value) = value.get(name) {
                collect(value, rest, found);
            }
        }
    }
}

fn compare(path: &[String], value: &Value, operator: Operator, wanted: &str) -> bool {
    if operator == Operator::Has {
        return wanted == "*"
            || match value {
                Value::String(text) => text.to_lowercase().contains(&wanted.to_lowercase()),
                Value::Object(fields) => fields.contains_key(wanted),
                other => {
                    let told = other.to_string();
                    told == wanted
                }
            };
    }
    let order = match (path, value) {
        ([field], Value::String(text)) if field == "severity" => rank(text).cmp(&rank(wanted)),
        ([field], Value::String(text)) if is_moment(field) => moment(text).cmp(&time(wanted)),
        (_, Value::String(text)) => text.to_lowercase().cmp(&wanted.to_lowercase()),
        (_, Value::Number(number)) => {
            let both = number.as_f64().zip(wanted.parse::<f64>().ok());
            match both.and_then(|(one, other)| one.partial_cmp(&other)) {
                Some(order) => order,
                None => return operator == Operator::Unequal,
            }
        }
        (_, Value::Bool(flag)) => flag.to_string().cmp(&wanted.to_lowercase()),
        _ => return false,
    };
    match operator {
        Operator::Equal | Operator::Has => order == Ordering::Equal,
        Operator::Unequal => order != Ordering::Equal,
        Operator::Less => order == Ordering::Less,
        Operator::LessOrEqual => order != Ordering::Greater,
        Operator::Greater => order == Ordering::Greater,
        Operator::GreaterOrEqual => order != Ordering::Less,
    }
}

fn is_moment(field: &str) -> bool {
    matches!(field, "timestamp" | "receiveTimestamp")
}

/// A moment of a query: by RFC 3339 or ISO 8601, or a day.
fn time(text: &str) -> Option<DateTime<Utc>> {
    let iso = || DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z").ok();
    let day = || Some(text.parse::<NaiveDate>().ok()?.and_time(NaiveTime::MIN).and_utc());
    moment(text)
        .or_else(|| iso().map(|time| time.with_timezone(&Utc)))
        .or_else(day)
}

/// A severity's place, by its name or its number (in hundreds).
fn rank(text: &str) -> Option<usize> {
    let named = SEVERITIES.iter().position(|one| one.eq_ignore_ascii_case(text));
    named.or_else(|| Some(text.parse::<usize>().ok()? / 100))
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Outcome<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token.ok_or_else(|| wrong("it ends too early"))
    }

    fn takes(&mut self, token: &Token) -> bool {
        let is_there = self.peek() == Some(token);
        self.at += usize::from(is_there);
        is_there
    }

    /// `AND`, which may be left out, binds least.
    fn all(&mut self) -> Outcome<Filter> {
        let mut parts = vec![self.any()?];
        loop {
            let is_joined = self.takes(&Token::And);
            match self.peek() {
                None | Some(Token::Close) if !is_joined => break,
                _ => parts.push(self.any()?),
            }
        }
        Ok(Filter::All(parts))
    }

    fn any(&mut self) -> Outcome<Filter> {
        let mut parts = vec![self.one()?];
        while self.takes(&Token::Or) {
            parts.push(self.one()?);
        }
        Ok(Filter::Any(parts))
    }

    fn one(&mut self) -> Outcome<Filter> {
        match self.next()? {
            Token::Not => Ok(Filter::Not(Box::new(self.one()?))),
            Token::Open => {
                let inner = self.all()?;
                self.close()?;
                Ok(inner)
            }
            Token::Word(path) if path.len() == 1 && path[0].eq_ignore_ascii_case("log_id") => self.log_id(),
            Token::Word(path) => self.comparison(path),
            Token::Text(text) => Err(wrong(&format!(
                "`{text}` has no field, and this stand-in does not search all of them"
            ))),
            token => Err(wrong(&format!("{token:?} is not expected there"))),
        }
    }

    fn close(&mut self) -> Outcome<()> {
        if self.takes(&Token::Close) {
            Ok(())
        } else {
            Err(wrong("a parenthesis is not closed"))
        }
    }

    /// `log_id("run.googleapis.com/stdout")`
    fn log_id(&mut self) -> Outcome<Filter> {
        match (self.next()?, self.next()?) {
            (Token::Open, Token::Text(id)) => {
                self.close()?;
                // Names of logs have it encoded.
                Ok(Filter::Log(format!("/logs/{}", id.replace('/', "%2F"))))
            }
            _ => Err(wrong("log_id has one text in parentheses")),
        }
    }

    fn comparison(&mut self, path: Vec<String>) -> Outcome<Filter> {
        if !FIELDS.contains(&path[0].as_str()) {
            return Err(wrong(&format!("Field not found: '{}'.", path.join("."))));
        }
        let Ok(Token::Compare(operator)) = self.next() else {
            return Err(wrong(&format!("'{}' is compared with nothing", path.join("."))));
        };
        self.value(&path, operator)
    }

    /// One value, or several in parentheses.
    fn value(&mut self, path: &[String], operator: Operator) -> Outcome<Filter> {
        match self.next()? {
            Token::Text(text) => compared(path, operator, text),
            Token::Word(parts) => compared(path, operator, parts.join(".")),
            Token::Not => Ok(Filter::Not(Box::new(self.value(path, operator)?))),
            Token::Open => {
                let mut all = Vec::new();
                loop {
                    let mut any = vec![self.value(path, operator)?];
                    while self.takes(&Token::Or) {
                        any.push(self.value(path, operator)?);
                    }
                    all.push(Filter::Any(any));
                    if !self.takes(&Token::And) && self.peek() == Some(&Token::Close) {
                        break;
                    }
                }
                self.close()?;
                Ok(Filter::All(all))
            }
            token => Err(wrong(&format!("{token:?} is no value"))),
        }
    }
}

fn compared(path: &[String], operator: Operator, wanted: String) -> Outcome<Filter> {
    let is_any = operator == Operator::Has && wanted == "*";
    if let ([field], false) = (path, is_any) {
        if field == "severity" && rank(&wanted).is_none() {
            return Err(wrong(&format!("`{wanted}` is no severity")));
        }
        if is_moment(field) && time(&wanted).is_none() {
            return Err(wrong(&format!("`{wanted}` is no time")));
        }
    }
    Ok(Filter::Compare(path.to_vec(), operator, wanted))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry() -> Value {
        json!({
            "logName": "projects/p/logs/run.googleapis.com%2Fstdout",
            "resource": {"type": "cloud_run_revision", "labels": {"service_name": "orders", "location": "r"}},
            "severity": "WARNING",
            "timestamp": "2026-01-02T03:04:05.5Z",
            "textPayload": "An Order came",
            "labels": {"run.googleapis.com/x": "1"},
            "httpRequest": {"status": 503},
        })
    }

    #[test]
    fn comparisons_are_those_of_the_language() {
        for fits in [
            "",
            r#"resource.type="cloud_run_revision" resource.labels.service_name = "ORDERS""#,
            "severity>=WARNING AND severity<ERROR",
            "severity = 400",
            r#"timestamp>="2026-01-02T03:04:05.4Z" AND timestamp<"2026-01-02T04:04:05.6+01:00""#,
            r#"timestamp>="2026-01-02T03:04:05.4+0000" timestamp>="2026-01-02""#,
            "textPayload:order",
            "textPayload:*",
            r#"labels."run.googleapis.com/x"="1""#,
            "httpRequest.status>=500",
            "httpRequest.status=(404 OR 503)",
            r#"log_id("run.googleapis.com/stdout")"#,
            r#"logName="projects/p/logs/run.googleapis.com%2Fstdout""#,
            "NOT trace:x -- a field that is not there",
            "-severity=INFO",
            "(severity=INFO OR severity=WARNING)\nNOT textPayload:gone",
            // OR binds more than AND.
            "severity=INFO OR severity=WARNING AND textPayload:order",
        ] {
            assert!(Filter::read(fits).unwrap().fits(&entry()), "{fits}");
        }
        for not in [
            "severity>WARNING",
            "trace!=x",
            "resource.labels.service_name=order",
            "httpRequest.status=(404 OR 500)",
            r#"log_id("run.googleapis.com/stderr")"#,
            r#"log_id("stdout")"#,
            r#"timestamp>"2026-01-02T03:04:05.5Z""#,
            "textPayload:order AND NOT textPayload:order",
        ] {
            assert!(!Filter::read(not).unwrap().fits(&entry()), "{not}");
        }
    }

    #[test]
    fn what_is_no_query_is_refused() {
        for wrong in [
            "severity",
            "severity=",
            "severity=LOUD",
            "invented=1",
            "(severity=INFO",
            "severity=INFO)",
            "timestamp>yesterday",
            "\"order\"",
            "textPayload=~\"o.*\"",
            "textPayload=\"open",
            "severity=INFO OR",
            "severity=INFO AND",
        ] {
            assert!(Filter::read(wrong).is_err(), "{wrong}");
        }
    }
}

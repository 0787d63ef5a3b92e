//! Conditions of queries: <https://cloud.google.com/firestore/docs/reference/rest/v1/StructuredQuery#Filter>.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::super::invalid;
use super::field::Path;
use super::query::{at, path};
use super::{name, value};
use crate::google_cloud::error::Outcome;

/// The most alternatives: <https://cloud.google.com/firestore/docs/query-data/queries#limits_on_or_queries>.
const MOST: usize = 30;
/// The most that are excluded.
const MOST_EXCLUDED: usize = 10;

/// A condition.
pub(super) enum Filter {
    All(Vec<Self>),
    Any(Vec<Self>),
    /// Compared with a value of its type.
    Compared(Path, &'static [Ordering], Value),
    Not(Path, Value),
    In(Path, Vec<Value>),
    NotIn(Path, Vec<Value>),
    Contains(Path, Vec<Value>),
    Unary(Path, fn(&Value) -> bool, bool),
}

impl Filter {
    /// Reads one of a query below `parent`.
    pub(super) fn read(sent: &Value, parent: &str) -> Outcome<Self> {
        let filter = Self::read_one(sent, parent)?;
        if filter.alternatives() > MOST {
            return Err(invalid("A query has at most 30 disjunctions."));
        }
        Ok(filter)
    }

    fn read_one(sent: &Value, parent: &str) -> Outcome<Self> {
        let mut kinds = sent.as_object().into_iter().flatten();
        let (Some((kind, filter)), None) = (kinds.next(), kinds.next()) else {
            return Err(invalid("A filter has exactly one of its fields."));
        };
        let op = filter["op"].as_str().unwrap_or_default();
        match kind.as_str() {
            "compositeFilter" => {
                let filters: Vec<Self> = (filter["filters"].as_array().into_iter().flatten())
                    .map(|filter| Self::read_one(filter, parent))
                    .collect::<Outcome<_>>()?;
                match op {
                    _ if filters.is_empty() => Err(invalid("A composite filter has at least one filter.")),
                    "AND" => Ok(Self::All(filters)),
                    "OR" => Ok(Self::Any(filters)),
                    _ => Err(invalid("Unknown CompositeFilter operator.")),
                }
            }
            "unaryFilter" => {
                let path = path(&filter["field"])?;
                match op {
                    "IS_NULL" => Ok(Self::Unary(path, value::is_null, true)),
                    "IS_NOT_NULL" => Ok(Self::Unary(path, value::is_null, false)),
                    "IS_NAN" => Ok(Self::Unary(path, value::is_nan, true)),
                    "IS_NOT_NAN" => Ok(Self::Unary(path, value::is_nan, false)),
                    _ => Err(invalid("Unknown UnaryFilter operator.")),
                }
            }
            _ => Self::of_field(op, filter, parent),
        }
    }

    fn of_field(op: &str, filter: &Value, parent: &str) -> Outcome<Self> {
        let path = path(&filter["field"])?;
        let sent = value::alone(&filter["value"])?;
        let list = || {
            let members = value::members(&sent);
            let members = members.ok_or_else(|| invalid(format!("'{op}' requires an ArrayValue.")))?;
            if members.is_empty() {
                return Err(invalid(format!("'{op}' requires an non-empty ArrayValue.")));
            }
            Ok(members.into_iter().cloned().collect::<Vec<Value>>())
        };
        if path.is_name() {
            let of_name = value::members(&sent).unwrap_or_else(|| vec![&sent]);
            for value in of_name {
                let Some(text) = value["referenceValue"].as_str() else {
                    return Err(invalid("__key__ filter value must be a Key"));
                };
                name::document(text, name::database(parent))?;
            }
        }
        use Ordering::{Equal, Greater, Less};
        let compared = |orders: &'static [Ordering]| Ok(Self::Compared(path.clone(), orders, sent.clone()));
        match op {
            "LESS_THAN" => compared(&[Less]),
            "LESS_THAN_OR_EQUAL" => compared(&[Less, Equal]),
            "GREATER_THAN" => compared(&[Greater]),
            "GREATER_THAN_OR_EQUAL" => compared(&[Greater, Equal]),
            "EQUAL" => compared(&[Equal]),
            "NOT_EQUAL" => Ok(Self::Not(path, sent)),
            "ARRAY_CONTAINS" => Ok(Self::Contains(path, vec![sent])),
            "ARRAY_CONTAINS_ANY" => Ok(Self::Contains(path, list()?)),
            "IN" => Ok(Self::In(path, list()?)),
            "NOT_IN" => match list()? {
                values if values.len() > MOST_EXCLUDED => {
                    Err(invalid("'NOT_IN' supports up to 10 comparison values."))
                }
                values => Ok(Self::NotIn(path, values)),
            },
            _ => Err(invalid("Unknown FieldFilter operator.")),
        }
    }

    /// How many there are when it is written as an `OR` of `AND`s.
    fn alternatives(&self) -> usize {
        match self {
            Self::All(filters) => filters
                .iter()
                .map(Self::alternatives)
                .fold(1, usize::saturating_mul),
            Self::Any(filters) => filters.iter().map(Self::alternatives).sum(),
            Self::In(_, values) | Self::Contains(_, values) => values.len(),
            _ => 1,
        }
    }

    /// The paths of which a query is ordered by itself.
    pub(super) fn ranges(&self) -> Vec<&Path> {
        match self {
            Self::All(filters) | Self::Any(filters) => filters.iter().flat_map(Self::ranges).collect(),
            Self::Compared(_, [Ordering::Equal], _)
            | Self::In(..)
            | Self::Contains(..)
            | Self::Unary(_, _, true) => Vec::new(),
            Self::Compared(path, ..)
            | Self::Not(path, _)
            | Self::NotIn(path, _)
            | Self::Unary(path, _, false) => vec![path],
        }
    }

    /// The paths of all others.
    pub(super) fn equals(&self) -> Vec<&Path> {
        match self {
            Self::All(filters) | Self::Any(filters) => filters.iter().flat_map(Self::equals).collect(),
            Self::Compared(path, [Ordering::Equal], _)
            | Self::In(path, _)
            | Self::Contains(path, _)
            | Self::Unary(path, _, true) => vec![path],
            _ => Vec::new(),
        }
    }

    pub(super) fn fits(&self, name: &str, fields: &Map<String, Value>) -> bool {
        let of = |path: &Path| at(path, name, fields);
        let is = |found: &Value, wanted: &Value| value::compare(found, wanted) == Ordering::Equal;
        let is_in = |found: &Value, values: &[Value]| values.iter().any(|wanted| is(found, wanted));
        match self {
            Self::All(filters) => filters.iter().all(|filter| filter.fits(name, fields)),
            Self::Any(filters) => filters.iter().any(|filter| filter.fits(name, fields)),
            Self::Compared(path, orders, wanted) => of(path).is_some_and(|found| {
                let is_nan = value::is_nan(&found) != value::is_nan(wanted);
                value::is_alike(&found, wanted) && !is_nan && orders.contains(&value::compare(&found, wanted))
            }),
            Self::In(path, values) => of(path).is_some_and(|found| is_in(&found, values)),
            // What is not there, or null, is not unlike anything.
            Self::Not(path, wanted) => {
                of(path).is_some_and(|found| !value::is_null(&found) && !is(&found, wanted))
            }
            Self::NotIn(path, values) => of(path).is_some_and(|found| {
                let is_out = !values.iter().any(value::is_null) && !is_in(&found, values);
                !value::is_null(&found) && is_out
            }),
            Self::Contains(path, values) => of(path).is_some_and(|found| {
                let members = value::members(&found).unwrap_or_default();
                members.into_iter().any(|member| is_in(member, values))
            }),
            Self::Unary(path, holds, wanted) => of(path).is_some_and(|found| {
                // What is not a number is still not null.
                holds(&found) == *wanted && (*wanted || !value::is_null(&found))
            }),
        }
    }
}

//! A query's rows.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};

use super::syntax::{Query, Scalar, Stage, parse};
use super::value::Value;
use super::{Line, Unanswered, Understood};

type Row = BTreeMap<String, Value>;

/// The columns of the tables, with their types.
const SHARED: &[(&str, &str)] = &[
    ("TimeGenerated", "datetime"),
    ("AppRoleName", "string"),
    ("AppRoleInstance", "string"),
    ("OperationId", "string"),
    ("OperationName", "string"),
    ("ParentId", "string"),
    ("SeverityLevel", "int"),
    ("Type", "string"),
    ("_ResourceId", "string"),
];
const TRACES: &[(&str, &str)] = &[("Message", "string")];
const EXCEPTIONS: &[(&str, &str)] = &[
    ("ExceptionType", "string"),
    ("OuterMessage", "string"),
    ("OuterType", "string"),
    ("InnermostMessage", "string"),
    ("InnermostType", "string"),
    ("ProblemId", "string"),
    ("Method", "string"),
    ("Assembly", "string"),
    ("Details", "dynamic"),
];

fn semantic<T>(message: impl Into<String>) -> Understood<T> {
    Err(Unanswered::Semantic(message.into()))
}

/// The table that a query asks for.
pub(super) fn run(text: &str, lines: &[Line], now: DateTime<Utc>) -> Understood<Json> {
    let query = parse(text)?;
    let mut columns = columns(&query)?;
    let mut rows: Vec<Row> = lines.iter().filter_map(|line| row(line, &query.tables)).collect();
    for stage in &query.stages {
        apply(stage, &mut columns, &mut rows, now)?;
    }
    let shown: Vec<Json> = columns
        .iter()
        .map(|(name, ty)| {
            // The type of a calculated column is that of its values.
            let ty = ty.as_str();
            let found = rows.iter().find_map(|row| row.get(name).and_then(Value::kind));
            json!({"name": name, "type": if ty.is_empty() { found.unwrap_or("string") } else { ty }})
        })
        .collect();
    let values: Vec<Json> = rows
        .iter()
        .map(|row| {
            columns
                .iter()
                .map(|(name, _)| row.get(name).map_or(Json::Null, Value::json))
                .collect()
        })
        .collect();
    Ok(json!({"name": "PrimaryResult", "columns": shown, "rows": values}))
}

fn columns(query: &Query) -> Understood<Vec<(String, String)>> {
    let mut all: Vec<(String, String)> = Vec::new();
    for table in &query.tables {
        let own = match table.as_str() {
            "AppTraces" => TRACES,
            "AppExceptions" => EXCEPTIONS,
            other => {
                return semantic(format!(
                    "'{other}' is no table: failed to resolve table or column expression named '{other}'"
                ));
            }
        };
        for (name, ty) in SHARED.iter().chain(own) {
            if !all.iter().any(|(known, _)| known == name) {
                all.push(((*name).to_owned(), (*ty).to_owned()));
            }
        }
    }
    Ok(all)
}

fn row(line: &Line, tables: &[String]) -> Option<Row> {
    let table = if line.exception.is_some() {
        "AppExceptions"
    } else {
        "AppTraces"
    };
    if !tables.iter().any(|one| one == table) {
        return None;
    }
    let mut row = Row::new();
    let mut set = |name: &str, value: Value| row.insert(name.to_owned(), value);
    set("TimeGenerated", Value::Time(line.at));
    set("AppRoleName", Value::Text(line.role.clone()));
    set("SeverityLevel", Value::Long(line.severity));
    set("Type", Value::Text(table.to_owned()));
    match &line.exception {
        None => {
            set("Message", Value::Text(line.text.clone()));
        }
        Some(ty) => {
            for name in ["ExceptionType", "OuterType", "InnermostType"] {
                set(name, Value::Text(ty.clone()));
            }
            for name in ["OuterMessage", "InnermostMessage"] {
                set(name, Value::Text(line.text.clone()));
            }
        }
    }
    Some(row)
}

fn apply(
    stage: &Stage,
    columns: &mut Vec<(String, String)>,
    rows: &mut Vec<Row>,
    now: DateTime<Utc>,
) -> Understood<()> {
    let known: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
    match stage {
        Stage::Where(condition) => {
            check(condition, &known)?;
            let mut kept = Vec::new();
            for row in rows.drain(..) {
                match value(condition, &row, now)? {
                    Value::Bool(true) => kept.push(row),
                    Value::Bool(false) | Value::Null => {}
                    _ => return semantic("'where' operator: the predicate is no boolean"),
                }
            }
            *rows = kept;
        }
        Stage::Extend(named) | Stage::Project(named) => {
            for (_, scalar) in named {
                check(scalar, &known)?;
            }
            let keeps = matches!(stage, Stage::Extend(_));
            for row in rows.iter_mut() {
                let mut new = if keeps { row.clone() } else { Row::new() };
                for (name, scalar) in named {
                    new.insert(name.clone(), value(scalar, row, now)?);
                }
                *row = new;
            }
            let types = columns.clone();
            let mut all = if keeps { columns.clone() } else { Vec::new() };
            for (name, scalar) in named {
                all.retain(|(other, _)| other != name);
                let ty = match scalar {
                    Scalar::Column(old) => types
                        .iter()
                        .find(|(other, _)| other == old)
                        .map(|(_, ty)| ty.clone()),
                    _ => None,
                };
                all.push((name.clone(), ty.unwrap_or_default()));
            }
            *columns = all;
        }
        Stage::Order(by) => {
            for (scalar, _) in by.iter().rev() {
                check(scalar, &known)?;
            }
            for (scalar, falls) in by.iter().rev() {
                let mut keyed = Vec::new();
                for row in rows.drain(..) {
                    keyed.push((value(scalar, &row, now)?, row));
                }
                keyed.sort_by(|(a, _), (b, _)| {
                    let order = a.order(b).unwrap_or(std::cmp::Ordering::Equal);
                    if *falls { order.reverse() } else { order }
                });
                *rows = keyed.into_iter().map(|(_, row)| row).collect();
            }
        }
        Stage::Take(count) => rows.truncate(*count),
    }
    Ok(())
}

const FUNCTIONS: &[(&str, usize, usize)] = &[
    ("ago", 1, 1),
    ("now", 0, 0),
    ("coalesce", 2, 64),
    ("strcat", 1, 64),
    ("tostring", 1, 1),
    ("toint", 1, 1),
    ("tolong", 1, 1),
    ("todatetime", 1, 1),
    ("isempty", 1, 1),
    ("isnotempty", 1, 1),
    ("isnull", 1, 1),
    ("isnotnull", 1, 1),
    ("iff", 3, 3),
    ("iif", 3, 3),
    ("not", 1, 1),
];

/// Names that are not there are refused even if there are no rows.
fn check(scalar: &Scalar, known: &[String]) -> Understood<()> {
    match scalar {
        Scalar::Column(name) if known.contains(name) => Ok(()),
        Scalar::Column(name) => semantic(format!("Failed to resolve scalar expression named '{name}'")),
        Scalar::Literal(_) => Ok(()),
        Scalar::Call(name, arguments) => {
            let Some((_, least, most)) = FUNCTIONS.iter().find(|(known, ..)| known == name) else {
                return semantic(format!("Unknown function: '{name}'"));
            };
            if !(*least..=*most).contains(&arguments.len()) {
                return semantic(format!(
                    "{name}(): wrong number of arguments: {}",
                    arguments.len()
                ));
            }
            arguments.iter().try_for_each(|inner| check(inner, known))
        }
        Scalar::Two(_, left, right) => check(left, known).and_then(|()| check(right, known)),
        Scalar::In(left, list, _) => {
            check(left, known).and_then(|()| list.iter().try_for_each(|inner| check(inner, known)))
        }
        Scalar::Between(inner, from, to) => [inner, from, to]
            .into_iter()
            .try_for_each(|inner| check(inner, known)),
    }
}

fn value(scalar: &Scalar, row: &Row, now: DateTime<Utc>) -> Understood<Value> {
    let of = |inner: &Scalar| value(inner, row, now);
    Ok(match scalar {
        Scalar::Column(name) => row.get(name).cloned().unwrap_or(Value::Null),
        Scalar::Literal(value) => value.clone(),
        Scalar::Call(name, arguments) => {
            let values = arguments.iter().map(of).collect::<Understood<Vec<_>>>()?;
            call(name, &values, now)?
        }
        Scalar::Two(sign, left, right) => two(sign, &of(left)?, &of(right)?)?,
        Scalar::In(left, list, word) => {
            let left = of(left)?;
            let mut found = false;
            for one in list {
                found |= of(one)? == left;
            }
            Value::Bool(found == (word == "in"))
        }
        Scalar::Between(inner, from, to) => {
            let inner = of(inner)?;
            match (inner.order(&of(from)?), inner.order(&of(to)?)) {
                (Some(from), Some(to)) => Value::Bool(from.is_ge() && to.is_le()),
                _ => return semantic("'between': the values are not of one type"),
            }
        }
    })
}

fn call(name: &str, values: &[Value], now: DateTime<Utc>) -> Understood<Value> {
    Ok(match (name, values) {
        ("now", []) => Value::Time(now),
        ("ago", [Value::Span(span)]) => Value::Time(now - *span),
        ("coalesce", values) => values
            .iter()
            .find(|value| !value.is_empty())
            .cloned()
            .unwrap_or(Value::Null),
        ("strcat", values) => Value::Text(values.iter().map(Value::text).collect()),
        ("tostring", [value]) => Value::Text(value.text()),
        ("toint" | "tolong", [value]) => value.text().parse().map_or(Value::Null, Value::Long),
        ("todatetime", [Value::Time(at)]) => Value::Time(*at),
        ("todatetime", [value]) => super::value::moment(&value.text()).map_or(Value::Null, Value::Time),
        ("isempty" | "isnull", [value]) => Value::Bool(value.is_empty()),
        ("isnotempty" | "isnotnull", [value]) => Value::Bool(!value.is_empty()),
        ("not", [Value::Bool(value)]) => Value::Bool(!value),
        ("iff" | "iif", [condition, yes, no]) => {
            if *condition == Value::Bool(true) { yes } else { no }.clone()
        }
        _ => return semantic(format!("{name}(): the arguments are not of the right types")),
    })
}

fn two(sign: &str, left: &Value, right: &Value) -> Understood<Value> {
    let texts = || (left.text().to_lowercase(), right.text().to_lowercase());
    Ok(Value::Bool(match sign {
        "and" => *left == Value::Bool(true) && *right == Value::Bool(true),
        "or" => *left == Value::Bool(true) || *right == Value::Bool(true),
        "==" => left == right,
        "!=" => left != right,
        "=~" => texts().0 == texts().1,
        "!~" => texts().0 != texts().1,
        "contains" => texts().0.contains(&texts().1),
        "!contains" => !texts().0.contains(&texts().1),
        "contains_cs" => left.text().contains(&right.text()),
        "startswith" => texts().0.starts_with(&texts().1),
        "!startswith" => !texts().0.starts_with(&texts().1),
        "endswith" => texts().0.ends_with(&texts().1),
        "has" => has(&texts().0, &texts().1),
        "!has" => !has(&texts().0, &texts().1),
        "has_cs" => has(&left.text(), &right.text()),
        "+" | "-" => return sum(sign, left, right),
        _ => match left.order(right) {
            _ if *left == Value::Null || *right == Value::Null => false,
            None => return semantic(format!("'{sign}': the values are not of one type")),
            Some(order) => match sign {
                "<" => order.is_lt(),
                "<=" => order.is_le(),
                ">" => order.is_gt(),
                _ => order.is_ge(),
            },
        },
    }))
}

fn sum(sign: &str, left: &Value, right: &Value) -> Understood<Value> {
    Ok(match (left, right) {
        (Value::Time(at), Value::Span(span)) => {
            Value::Time(if sign == "+" { *at + *span } else { *at - *span })
        }
        (Value::Time(a), Value::Time(b)) if sign == "-" => Value::Span(*a - *b),
        (Value::Long(a), Value::Long(b)) => Value::Long(if sign == "+" {
            a.saturating_add(*b)
        } else {
            a.saturating_sub(*b)
        }),
        _ => return semantic(format!("'{sign}': the values are not of the right types")),
    })
}

/// Whether a text has another as a whole term.
fn has(text: &str, term: &str) -> bool {
    text.match_indices(term).any(|(at, _)| {
        let before = text[..at]
            .chars()
            .next_back()
            .is_none_or(|c| !c.is_alphanumeric());
        let after = text[at + term.len()..]
            .chars()
            .next()
            .is_none_or(|c| !c.is_alphanumeric());
        before && after
    })
}

//! Template expressions (`[concat(resourceId('…'), '/x')]`): they are parsed once, with unknown functions refused, and evaluated where they stand.
//!
//! The language: <https://learn.microsoft.com/azure/azure-resource-manager/templates/template-expressions>

mod functions;
mod parse;

use serde_json::{Map, Value};

pub(super) use self::parse::parse;

/// Why an expression has no value.
#[derive(Debug)]
pub(super) enum Fault {
    /// It is wrong, in a sentence.
    Invalid(String),
    /// What it refers to is not there yet.
    Deferred,
}

impl Fault {
    fn invalid<T>(message: impl Into<String>) -> Result<T, Self> {
        Err(Self::Invalid(message.into()))
    }
}

/// A parsed expression.
#[derive(Debug, Clone)]
pub(super) enum Expression {
    Literal(Value),
    Call(String, Vec<Self>),
    Field(Box<Self>, String),
    Index(Box<Self>, Box<Self>),
}

/// Where a template is deployed.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) subscription: String,
    pub(super) subscription_name: String,
    pub(super) tenant: String,
    pub(super) group: String,
    pub(super) location: String,
}

/// What `reference` of a resource of the template gives.
pub(super) type References<'a> = &'a dyn Fn(&str) -> Result<Value, Fault>;

/// The expression in a text, or `None` for plain text.
pub(super) fn inside(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    (!inner.starts_with('[')).then_some(inner)
}

/// A text that begins with two brackets has one of them.
fn plain(text: &str) -> &str {
    if text.starts_with("[[") { &text[1..] } else { text }
}

/// A value with all its expressions evaluated, names of fields too.
pub(super) fn evaluate(value: &Value, place: &Place, references: References<'_>) -> Result<Value, Fault> {
    resolve(value, place, references, false)
}

/// The same, but what is not known yet stays as it was written.
pub(super) fn foresee(value: &Value, place: &Place, references: References<'_>) -> Result<Value, Fault> {
    resolve(value, place, references, true)
}

fn resolve(value: &Value, place: &Place, references: References<'_>, lenient: bool) -> Result<Value, Fault> {
    let again = |inner: &Value| resolve(inner, place, references, lenient);
    Ok(match value {
        Value::String(text) => match inside(text) {
            None => plain(text).into(),
            Some(inner) => match parse(inner)?.value(place, references) {
                Err(Fault::Deferred) if lenient => value.clone(),
                other => other?,
            },
        },
        Value::Array(list) => list.iter().map(again).collect::<Result<_, _>>()?,
        Value::Object(fields) => {
            let mut all = Map::new();
            for (name, inner) in fields {
                let Value::String(name) = again(&Value::String(name.clone()))? else {
                    return Fault::invalid(format!("the name of a property, {name}, is no text"));
                };
                all.insert(name, again(inner)?);
            }
            Value::Object(all)
        }
        other => other.clone(),
    })
}

/// Calls `each` with every expression in a value, in fields' names too.
pub(super) fn visit(value: &Value, each: &mut dyn FnMut(&Expression)) -> Result<(), Fault> {
    match value {
        Value::String(text) => {
            if let Some(inner) = inside(text) {
                parse(inner)?.visit(each);
            }
        }
        Value::Array(list) => {
            for inner in list {
                visit(inner, each)?;
            }
        }
        Value::Object(fields) => {
            for (name, inner) in fields {
                visit(&Value::String(name.clone()), each)?;
                visit(inner, each)?;
            }
        }
        _ => {}
    }
    Ok(())
}

impl Expression {
    fn visit(&self, each: &mut dyn FnMut(&Self)) {
        each(self);
        match self {
            Self::Literal(_) => {}
            Self::Call(_, arguments) => arguments.iter().for_each(|inner| inner.visit(each)),
            Self::Field(inner, _) => inner.visit(each),
            Self::Index(inner, index) => {
                inner.visit(each);
                index.visit(each);
            }
        }
    }

    /// The resource that a call of `reference` names.
    pub(super) fn referred(&self) -> Option<&str> {
        match self {
            Self::Call(name, arguments) if name.eq_ignore_ascii_case("reference") => {
                match arguments.first() {
                    Some(Self::Literal(Value::String(symbol))) => Some(symbol),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn value(&self, place: &Place, references: References<'_>) -> Result<Value, Fault> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Call(name, arguments) => {
                let arguments = arguments
                    .iter()
                    .map(|inner| inner.value(place, references))
                    .collect::<Result<Vec<_>, _>>()?;
                functions::call(name, &arguments, place, references)
            }
            Self::Field(inner, name) => field(&inner.value(place, references)?, name),
            Self::Index(inner, index) => {
                let value = inner.value(place, references)?;
                match index.value(place, references)? {
                    Value::String(name) => field(&value, &name),
                    Value::Number(number) => number
                        .as_u64()
                        .and_then(|at| value.get(usize::try_from(at).ok()?).cloned())
                        .ok_or_else(|| {
                            Fault::Invalid(format!(
                                "The language expression property array index '{number}' is out of bounds."
                            ))
                        }),
                    other => Fault::invalid(format!("{other} is no index")),
                }
            }
        }
    }
}

fn field(value: &Value, name: &str) -> Result<Value, Fault> {
    let Value::Object(fields) = value else {
        return Fault::invalid(format!(
            "The language expression property '{name}' can't be evaluated, the value is no object."
        ));
    };
    fields
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.clone())
        .ok_or_else(|| {
            Fault::Invalid(format!(
                "The language expression property '{name}' doesn't exist, available properties are '{}'.",
                fields.keys().cloned().collect::<Vec<_>>().join(", ")
            ))
        })
}

//! Route templates of `httpTrigger`: literals, parameters, optional ones, a few constraints, and one that takes the rest.

use std::cmp::Ordering;

use nephos_core::Result;
use percent_encoding::percent_decode_str;

use super::refused;

/// A route template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Parameter {
        name: String,
        optional: bool,
        constraint: Option<Constraint>,
    },
    Rest(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Constraint {
    Int,
    Alpha,
    Guid,
}

impl Template {
    /// Reads a function's route below the prefix of all.
    pub(super) fn read(prefix: &str, route: &str) -> Result<Self> {
        let whole = format!("{}/{}", prefix.trim_matches('/'), route.trim_matches('/'));
        let texts: Vec<&str> = whole.split('/').filter(|part| !part.is_empty()).collect();
        let mut parts = Vec::with_capacity(texts.len());
        for (at, text) in texts.iter().enumerate() {
            let part = Part::read(text, &whole)?;
            let is_last = at + 1 == texts.len();
            let ends = matches!(part, Part::Rest(_) | Part::Parameter { optional: true, .. });
            if ends && !is_last {
                return Err(refused(format!(
                    "the route `{whole}` has a parameter for the rest, or an optional one, that is not its last"
                )));
            }
            parts.push(part);
        }
        Ok(Self(parts))
    }

    /// The parameters, if a path (as the client sent it) matches; those without a value have none.
    pub(super) fn matches(&self, path: &str) -> Option<Vec<(String, Option<String>)>> {
        let mut found = Vec::new();
        let mut segments = path.split('/').filter(|segment| !segment.is_empty()).map(decode);
        for part in &self.0 {
            match part {
                Part::Literal(literal) => {
                    if !segments.next()?.eq_ignore_ascii_case(literal) {
                        return None;
                    }
                }
                Part::Parameter {
                    name,
                    optional,
                    constraint,
                } => match segments.next() {
                    Some(value) => {
                        if constraint.is_some_and(|constraint| !constraint.holds(&value)) {
                            return None;
                        }
                        found.push((name.clone(), Some(value)));
                    }
                    None if *optional => found.push((name.clone(), None)),
                    None => return None,
                },
                Part::Rest(name) => {
                    let rest: Vec<String> = segments.by_ref().collect();
                    found.push((name.clone(), (!rest.is_empty()).then(|| rest.join("/"))));
                }
            }
        }
        segments.next().is_none().then_some(found)
    }

    /// Which of two is tried first: literals before parameters, those with a constraint before those without, the rest last.
    pub(super) fn precedence(&self, other: &Self) -> Ordering {
        let ranks = |template: &Self| template.0.iter().map(Part::rank).collect::<Vec<_>>();
        ranks(self).cmp(&ranks(other))
    }
}

impl Part {
    fn read(text: &str, whole: &str) -> Result<Self> {
        let Some(inner) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) else {
            if text.contains(['{', '}', '*', '?']) {
                return Err(refused(format!(
                    "the route `{whole}` has the segment `{text}`, which this host does not know"
                )));
            }
            return Ok(Self::Literal(decode(text)));
        };
        if let Some(name) = inner.strip_prefix("**").or_else(|| inner.strip_prefix('*')) {
            return Ok(Self::Rest(name.to_owned()));
        }
        let (inner, optional) = inner
            .strip_suffix('?')
            .map_or((inner, false), |inner| (inner, true));
        let (name, constraint) = match inner.split_once(':') {
            None => (inner, None),
            Some((name, "int")) => (name, Some(Constraint::Int)),
            Some((name, "alpha")) => (name, Some(Constraint::Alpha)),
            Some((name, "guid")) => (name, Some(Constraint::Guid)),
            Some((_, other)) => {
                return Err(refused(format!(
                    "the route `{whole}` has the constraint `{other}`, which this host does not know"
                )));
            }
        };
        Ok(Self::Parameter {
            name: name.to_owned(),
            optional,
            constraint,
        })
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Literal(_) => 1,
            Self::Parameter {
                constraint: Some(_), ..
            } => 2,
            Self::Parameter { .. } => 3,
            Self::Rest(_) => 5,
        }
    }
}

impl Constraint {
    fn holds(self, value: &str) -> bool {
        match self {
            Self::Int => value.parse::<i32>().is_ok(),
            Self::Alpha => value.chars().all(|c| c.is_ascii_alphabetic()),
            Self::Guid => uuid::Uuid::parse_str(value).is_ok(),
        }
    }
}

/// A segment as text; an escaped slash stays escaped, as the host leaves it.
fn decode(segment: &str) -> String {
    let mut text = String::new();
    let mut rest = segment;
    while let Some(at) = rest.to_ascii_lowercase().find("%2f") {
        text.push_str(&percent_decode_str(&rest[..at]).decode_utf8_lossy());
        text.push_str(&rest[at..at + 3]);
        rest = &rest[at + 3..];
    }
    text.push_str(&percent_decode_str(rest).decode_utf8_lossy());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(template: &str, path: &str) -> Option<String> {
        let found = Template::read("api", template).unwrap().matches(path)?;
        let text =
            |(name, value): &(String, Option<String>)| format!("{name}={}", value.as_deref().unwrap_or("-"));
        Some(found.iter().map(text).collect::<Vec<_>>().join(","))
    }

    #[test]
    fn templates_match_whole_paths_without_regard_to_case() {
        assert_eq!(found("orders/{id}", "/api/Orders/7").as_deref(), Some("id=7"));
        assert_eq!(found("orders/{id}", "/api/orders"), None);
        assert_eq!(found("orders/{id}", "/api/orders/7/lines"), None);
        assert_eq!(found("orders/{id?}", "/api/orders").as_deref(), Some("id=-"));
        assert_eq!(found("orders/{id:int}", "/api/orders/x"), None);
        assert_eq!(found("{*path}", "/api").as_deref(), Some("path=-"));
        assert_eq!(
            found("{*path}", "/api/a%20b/c%2Fd").as_deref(),
            Some("path=a b/c%2Fd")
        );
        assert_eq!(found("orders", "/orders"), None);
    }

    #[test]
    fn literals_come_before_parameters_and_the_rest_last() {
        let mut templates: Vec<_> = ["{*rest}", "{id}", "{id:int}", "new"]
            .map(|route| Template::read("", route).unwrap())
            .into();
        templates.sort_by(Template::precedence);
        assert!(matches!(templates[0].0[0], Part::Literal(_)));
        assert!(matches!(
            templates[1].0[0],
            Part::Parameter {
                constraint: Some(_),
                ..
            }
        ));
        assert!(matches!(templates[3].0[0], Part::Rest(_)));
    }

    #[test]
    fn what_this_host_does_not_know_is_refused() {
        for route in ["a{b}", "{id:float}", "{*rest}/more", "{id?}/more"] {
            assert!(Template::read("", route).is_err(), "{route}");
        }
    }
}

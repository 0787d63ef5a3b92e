//! HTTP routes: `GET /orders/{id}`, and no two functions on one.

use std::collections::{BTreeMap, HashMap};

use nephos_core::app::{FunctionSpec, Trigger};

use super::clash::{Clash, Place};
use super::reader::{Checker, Field};
use crate::diagnostic::{Problem, ProblemKind};
use crate::suggest;

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// A route that was understood.
#[derive(Debug)]
pub(super) struct Route {
    /// The method; any if `None`.
    pub(super) method: Option<String>,
    /// The path.
    pub(super) path: String,
}

/// What is wrong with a path, and what to write.
struct PathError {
    message: String,
    help: String,
}

/// Reads `METHOD /path`, the method optional.
pub(super) fn parse(checker: &mut Checker<'_>, field: Field<'_>, text: &str) -> Option<Route> {
    let mut report = |message: String, help: String| {
        let problem = Problem::new(ProblemKind::InvalidPath, message).help(help);
        checker.value(&field.path, "here", problem);
    };
    let text = text.trim();
    let (method, path) = match text.split_once(char::is_whitespace) {
        Some((method, path)) if !method.starts_with('/') => (Some(method), path.trim_start()),
        _ => (None, text),
    };
    if let Some(method) = method.filter(|method| !METHODS.contains(method)) {
        let upper = method.to_ascii_uppercase();
        let help = if METHODS.contains(&upper.as_str()) {
            format!("write \"{upper} {path}\"")
        } else if matches!(upper.as_str(), "ANY" | "ALL" | "*") {
            format!("leave it out for any method: \"{path}\"")
        } else {
            suggest::help(&upper, "it can be", METHODS).unwrap_or_default()
        };
        report(format!("`{method}` is not an HTTP method"), help);
        return None;
    }
    if let Err(error) = check_path(path) {
        let help = match method {
            // Only the slash is missing: the whole text can be written out.
            Some(method) if !path.starts_with('/') => format!("write \"{method} /{path}\""),
            _ => error.help,
        };
        report(format!("`{text}`: {}", error.message), help);
        return None;
    }
    Some(Route {
        method: method.map(str::to_owned),
        path: path.to_owned(),
    })
}

fn check_path(path: &str) -> Result<(), PathError> {
    let error = |message: String, help: String| Err(PathError { message, help });
    let Some(rest) = path.strip_prefix('/') else {
        let help = format!("write \"/{path}\"");
        return error("the path does not begin with a slash".to_owned(), help);
    };
    if rest.is_empty() {
        return Ok(());
    }
    let segments: Vec<&str> = rest.split('/').collect();
    let mut names: Vec<&str> = Vec::new();
    for (index, segment) in segments.iter().enumerate() {
        let last = index + 1 == segments.len();
        if segment.is_empty() && !last {
            let help = "write each slash once".to_owned();
            return error("the path has an empty segment".to_owned(), help);
        }
        let Some(inside) = segment
            .strip_prefix('{')
            .and_then(|inner| inner.strip_suffix('}'))
        else {
            check_literal(segment)?;
            continue;
        };
        let name = inside.strip_prefix('*').unwrap_or(inside);
        if name != inside && !last {
            let help =
                format!("`{segment}` takes the rest of the path: move it to the end, or write `{{{name}}}`");
            return error(format!("`{segment}` is not at the end"), help);
        }
        if !super::name::is_variable(name) {
            let help = "a parameter's name is letters, digits and underscores: `{order_id}`".to_owned();
            return error(format!("`{segment}` is not a parameter"), help);
        }
        if names.contains(&name) {
            let help = "give each parameter a name of its own".to_owned();
            return error(format!("the parameter `{name}` is there twice"), help);
        }
        names.push(name);
    }
    Ok(())
}

fn check_literal(segment: &str) -> Result<(), PathError> {
    let error = |message: String, help: String| Err(PathError { message, help });
    if let Some(name) = segment.strip_prefix(':') {
        return error(
            format!("`{segment}` is not a parameter"),
            format!("write `{{{name}}}`"),
        );
    }
    if segment.contains('*') {
        let help = "write `{*rest}` for the rest of the path".to_owned();
        return error(format!("`{segment}` is not a parameter"), help);
    }
    if segment.contains(['{', '}']) {
        let help = "a parameter is a whole segment: `/orders/{id}`".to_owned();
        return error(
            format!("the braces in `{segment}` are not around all of it"),
            help,
        );
    }
    if matches!(segment, "." | "..") {
        let help = "write the path that is meant".to_owned();
        return error(format!("`{segment}` is resolved before a request is sent"), help);
    }
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-._~!$&'()+,;=:@%".contains(letter);
    if let Some(letter) = segment.chars().find(|letter| !plain(*letter)) {
        let help = match letter {
            '?' | '#' => "a route has no query and no fragment: the handler reads them".to_owned(),
            _ => "write it percent-encoded, as in \"/caf%C3%A9\"".to_owned(),
        };
        return error(format!("`{letter}` cannot be in a path"), help);
    }
    Ok(())
}

/// The path without its parameters' names: `{a}` and `{b}` are the same route.
fn structure(path: &str) -> String {
    path.split('/')
        .map(|segment| match segment {
            segment if segment.starts_with("{*") => "{*}",
            segment if segment.starts_with('{') => "{}",
            segment => segment,
        })
        .collect::<Vec<_>>()
        .join("/")
}

/// Reports two triggers on one route. One lookup for each route: the time grows with their number, not its square.
pub(super) fn check(checker: &mut Checker<'_>, functions: &BTreeMap<String, FunctionSpec>) {
    let mut routes: HashMap<String, Vec<(Option<&str>, Place<'_>)>> = HashMap::new();
    for (name, function) in functions {
        for (index, trigger) in function.on.iter().enumerate() {
            let Trigger::Http { method, path } = trigger else {
                continue;
            };
            let method = method.as_deref();
            let taken = routes.entry(structure(path)).or_default();
            crate::work::step(1 + taken.len());
            let other = taken
                .iter()
                .find(|(other, _)| *other == method || other.is_none() || method.is_none());
            if let Some((_, first)) = other {
                clash(checker, *first, (name, index), method, path);
            }
            // At most one entry for each method: the list stays short however many functions clash.
            if !taken.iter().any(|(other, _)| *other == method) {
                taken.push((method, (name, index)));
            }
        }
    }
    wildcards(checker, functions);
}

/// Reports a parameter and a rest of the path at one place (`/x/{id}` beside `/x/{*rest}`): no router tells them apart, and targets choose differently.
fn wildcards(checker: &mut Checker<'_>, functions: &BTreeMap<String, FunctionSpec>) {
    let mut seen: HashMap<String, (bool, Place<'_>)> = HashMap::new();
    for (name, function) in functions {
        for (index, trigger) in function.on.iter().enumerate() {
            let Trigger::Http { path, .. } = trigger else {
                continue;
            };
            let path = structure(path);
            for (at, _) in path.match_indices("/{") {
                crate::work::step(1);
                let (before, here) = path.split_at(at + 1);
                let takes_rest = here.starts_with("{*}");
                let place = (name.as_str(), index);
                let (other, first) = *seen.entry(before.to_owned()).or_insert((takes_rest, place));
                if other != takes_rest {
                    let clash = Clash {
                        kind: ProblemKind::RouteClash,
                        key: "http",
                        what: format!("what follows `{}`", before),
                        help: "one takes a segment of the path there, the other all the rest: give one a path of its own, or let one function take both",
                    };
                    super::clash::report(checker, first, place, clash);
                }
            }
        }
    }
}

fn clash(checker: &mut Checker<'_>, first: Place<'_>, second: Place<'_>, method: Option<&str>, path: &str) {
    let route = method.map_or_else(|| path.to_owned(), |method| format!("{method} {path}"));
    let clash = Clash {
        kind: ProblemKind::RouteClash,
        key: "http",
        what: format!("the route `{route}`"),
        help: "change one path or method; parameters' names do not tell routes apart, and no method means any",
    };
    super::clash::report(checker, first, second, clash);
}

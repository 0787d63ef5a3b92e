//! The parameters of a query.

use std::collections::BTreeMap;

use serde_json::Value;

use super::document::Call;
use super::mask::Mask;
use super::prose::behaviour;
use super::{Finding, Level, format};

/// A query's parameters, decoded; the last of one name counts.
pub(super) fn read(query: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect()
}

/// The mask of an update, if it stands in the query.
pub(super) fn mask(call: &Call<'_>, query: &str) -> Option<Mask> {
    let parameter = &call.method.parameters["updateMask"];
    if parameter["format"] != "google-fieldmask" {
        return None;
    }
    let (_, text) = read(query)
        .into_iter()
        .rev()
        .find(|(name, _)| name == "updateMask")?;
    Some(Mask::read(&text)).filter(|_| !text.is_empty())
}

pub(super) fn check(call: &Call<'_>, query: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (name, text) in read(query) {
        let place = format!("query.{name}");
        // Google's generated clients ask for numbers instead of the names of enumerations so:
        // <https://cloud.google.com/apis/docs/system-parameters>.
        if name == "$alt" && text.split(';').next() == Some("json") {
            continue;
        }
        let own = call
            .method
            .parameters
            .get(&name)
            .filter(|one| one["location"] == "query");
        let Some(parameter) = own.or_else(|| call.document.parameters.get(&name)) else {
            findings.push(call.finding(Level::Error, place, "there is no such parameter"));
            continue;
        };
        let count = seen.entry(name).or_default();
        *count += 1;
        if *count > 1 && parameter["repeated"] != true {
            findings.push(call.finding(Level::Error, &place, "is given more than once"));
        }
        if let Some((level, what)) = format::check_text(parameter, &text) {
            findings.push(call.finding(level, &place, what));
        }
        if parameter["deprecated"] == true {
            findings.push(call.finding(Level::Warning, &place, "is deprecated"));
        }
    }
    for (name, parameter) in call.method.parameters.as_object().into_iter().flatten() {
        let needed = parameter["location"] == "query" && behaviour(parameter).required;
        if needed && !seen.contains_key(name) {
            findings.push(call.finding(Level::Error, format!("query.{name}"), "is required"));
        }
    }
    if let (Some(mask), Some(schema)) = (mask(call, query), call.request_schema()) {
        let schema = call.schema(schema).unwrap_or(&Value::Null);
        findings.extend(mask.check(call, schema, "query.updateMask"));
    }
    findings
}

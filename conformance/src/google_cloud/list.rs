//! Lists: pages, and the part of Google's filters that names and labels need (<https://google.aip.dev/160>).

use serde_json::{Value, json};

use super::error::{Outcome, Refusal};
use super::kinds::Kind;
use super::request::Asked;
use super::state::{Shared, State};

/// The resources of a kind in a parent, as a page.
pub(super) fn page(shared: &Shared, state: &State, asked: &Asked<'_>, kind: &Kind) -> Outcome<Value> {
    let below = format!("{}/{}/", asked.name(shared), kind.collection);
    let filter = asked.parameter("filter").map(Filter::read).transpose()?;
    let bodies = state
        .resources
        .iter()
        .filter(|(name, resource)| {
            let rest = name.strip_prefix(&below);
            resource.kind == kind && rest.is_some_and(|rest| !rest.contains('/'))
        })
        .map(|(_, resource)| resource.body.clone())
        .filter(|body| filter.as_ref().is_none_or(|filter| filter.fits(body)))
        .collect();
    cut(asked, kind.list, bodies)
}

/// A page of these.
pub(super) fn cut(asked: &Asked<'_>, field: &str, all: Vec<Value>) -> Outcome<Value> {
    let (size, start) = asked.page()?;
    let more = all.len() > start + size;
    let page: Vec<Value> = all.into_iter().skip(start).take(size).collect();
    let mut answer = json!({});
    // An empty list is left out, as every field is that has nothing.
    if !page.is_empty() {
        answer[field] = page.into();
    }
    if more {
        answer["nextPageToken"] = format!("after-{}", start + size).into();
    }
    Ok(answer)
}

/// `labels.app=orders AND name:orders`
struct Filter(Vec<(Vec<String>, bool, String)>);

impl Filter {
    fn read(text: &str) -> Outcome<Self> {
        let wrong = || {
            Refusal::field(
                "filter",
                "this stand-in knows `field=value` and `field:part`, joined by AND",
            )
        };
        let words = text.split(" AND ").map(|word| {
            let at = word.find(['=', ':']).ok_or_else(wrong)?;
            let (field, value) = word.split_at(at);
            let exact = value.starts_with('=');
            let value = value.get(1..).unwrap_or_default().trim().trim_matches('"');
            if field.contains([' ', '(', '!', '<', '>', '-']) && !field.starts_with("labels.") {
                return Err(wrong());
            }
            let path = field.trim().split('.').map(str::to_owned).collect();
            Ok((path, exact, value.to_owned()))
        });
        words.collect::<Outcome<_>>().map(Self)
    }

    fn fits(&self, body: &Value) -> bool {
        self.0.iter().all(|(path, exact, value)| {
            let found = path.iter().try_fold(body, |body, name| body.get(name));
            match found.and_then(Value::as_str) {
                Some(text) if *exact => text == value,
                Some(text) => value == "*" || text.contains(value.as_str()),
                None => false,
            }
        })
    }
}

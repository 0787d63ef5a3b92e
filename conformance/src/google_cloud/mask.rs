//! Updates: which fields of a resource become those of a body.

use serde_json::{Map, Value};

use crate::discovery::camel;

/// The paths of a mask, in the spelling of JSON; none where it is empty or means everything.
pub(super) fn paths(mask: Option<&str>) -> Option<Vec<Vec<String>>> {
    let mask = mask.filter(|mask| !mask.is_empty() && *mask != "*")?;
    Some(
        mask.split(',')
            .map(|path| path.trim().split('.').map(camel).collect())
            .collect(),
    )
}

/// Takes over what the paths name; what the body does not have there is gone.
pub(super) fn apply(stored: &mut Map<String, Value>, body: &Map<String, Value>, paths: &[Vec<String>]) {
    for path in paths {
        set(stored, body, path);
    }
}

fn set(stored: &mut Map<String, Value>, body: &Map<String, Value>, path: &[String]) {
    let Some((name, rest)) = path.split_first() else {
        return;
    };
    if rest.is_empty() {
        match body.get(name) {
            Some(value) => stored.insert(name.clone(), value.clone()),
            None => stored.remove(name),
        };
        return;
    }
    let none = Map::new();
    let below = body.get(name).and_then(Value::as_object).unwrap_or(&none);
    let at = stored
        .entry(name.clone())
        .or_insert_with(|| Value::Object(Map::new()));
    if let Some(fields) = at.as_object_mut() {
        set(fields, below, rest);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mask_changes_what_it_names_and_nothing_else() {
        let mut stored = json!({"labels": {"a": "b"}, "template": {"timeout": "1s", "serviceAccount": "x"}});
        let body = json!({"labels": {"c": "d"}, "template": {"timeout": "2s"}});
        let paths = paths(Some("template.timeout,template.service_account")).unwrap();
        apply(stored.as_object_mut().unwrap(), body.as_object().unwrap(), &paths);
        assert_eq!(
            stored,
            json!({"labels": {"a": "b"}, "template": {"timeout": "2s"}})
        );
        assert!(super::paths(Some("*")).is_none() && super::paths(None).is_none());
    }
}

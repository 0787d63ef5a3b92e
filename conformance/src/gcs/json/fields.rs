//! Partial answers (`fields`): <https://cloud.google.com/storage/docs/json_api#partial-response>.

use serde_json::{Map, Value};

use crate::gcs::error::{Outcome, Refusal};

/// What one selector keeps: all of it, or parts.
#[derive(Debug, Default)]
struct Mask(Vec<(String, Option<Self>)>);

/// The fields of a document that `items(name,size),nextPageToken` and the like select.
pub(super) fn select(text: &str, document: &Value) -> Outcome<Value> {
    let mut rest = text;
    let mask = list(&mut rest).filter(|_| rest.is_empty());
    let mask =
        mask.ok_or_else(|| Refusal::parameter("fields", format!("'{text}' is no selection of fields")))?;
    Ok(keep(&mask, document))
}

fn list(rest: &mut &str) -> Option<Mask> {
    let mut mask = Mask::default();
    loop {
        mask.0.push(one(rest)?);
        match rest.strip_prefix(',') {
            Some(after) => *rest = after,
            None => return Some(mask),
        }
    }
}

fn one(rest: &mut &str) -> Option<(String, Option<Mask>)> {
    let end = rest.find([',', '/', '(', ')']).unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    if name.is_empty() {
        return None;
    }
    *rest = after;
    if let Some(after) = rest.strip_prefix('/') {
        *rest = after;
        let below = one(rest)?;
        return Some((name.to_owned(), Some(Mask(vec![below]))));
    }
    if let Some(after) = rest.strip_prefix('(') {
        *rest = after;
        let below = list(rest)?;
        *rest = rest.strip_prefix(')')?;
        return Some((name.to_owned(), Some(below)));
    }
    Some((name.to_owned(), None))
}

fn keep(mask: &Mask, value: &Value) -> Value {
    match value {
        Value::Array(list) => list.iter().map(|one| keep(mask, one)).collect(),
        Value::Object(map) => {
            let mut kept = Map::new();
            for (name, below) in &mask.0 {
                for (key, value) in map {
                    if name == "*" || name == key {
                        let value = below
                            .as_ref()
                            .map_or_else(|| value.clone(), |below| keep(below, value));
                        kept.insert(key.clone(), value);
                    }
                }
            }
            Value::Object(kept)
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_selected_is_left() {
        let document = json!({"items": [{"name": "a", "size": "1", "owner": {"id": 1}}], "kind": "k"});
        let of = |fields| select(fields, &document).map_err(|refusal| refusal.status);
        assert_eq!(of("kind"), Ok(json!({"kind": "k"})));
        assert_eq!(
            of("items(name,owner/id)"),
            Ok(json!({"items": [{"name": "a", "owner": {"id": 1}}]}))
        );
        assert_eq!(
            of("items/size,kind"),
            Ok(json!({"items": [{"size": "1"}], "kind": "k"}))
        );
        assert_eq!(of("*"), Ok(document.clone()));
        for wrong in ["", "a(", "a,", "a)b", "items(name"] {
            assert_eq!(of(wrong), Err(400), "{wrong}");
        }
    }
}

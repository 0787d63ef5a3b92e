//! Lists of objects, the same for both interfaces: order by the bytes of UTF-8, prefixes, pages.
//!
//! <https://cloud.google.com/storage/docs/json_api/v1/objects/list>, <https://cloud.google.com/storage/docs/xml-api/get-bucket-list>

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::{Outcome, Refusal};
use super::object::Object;
use super::state::Bucket;

/// What is asked for.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) prefix: String,
    pub(super) delimiter: Option<String>,
    /// Whether objects whose name ends with the delimiter are items too.
    pub(super) trailing: bool,
    /// Names from this one on.
    pub(super) start: Option<String>,
    /// Names after this one.
    pub(super) after: Option<String>,
    /// Names before this one.
    pub(super) end: Option<String>,
    pub(super) token: Option<String>,
    pub(super) most: usize,
}

/// A page.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) items: Vec<Object>,
    pub(super) prefixes: Vec<String>,
    pub(super) next: Option<String>,
}

/// The page that is asked for.
pub(super) fn list(bucket: &Bucket, wanted: &Wanted) -> Outcome<Page> {
    let from = wanted
        .token
        .as_deref()
        .map(|token| open(token, wanted))
        .transpose()?;
    let mut page = Page::default();
    let mut count = 0;
    let mut last: Option<(bool, String)> = None;
    for (name, object) in &bucket.objects {
        let is_in = name.starts_with(&wanted.prefix)
            && wanted.start.as_ref().is_none_or(|start| name >= start)
            && wanted.after.as_ref().is_none_or(|after| name > after)
            && wanted.end.as_ref().is_none_or(|end| name < end);
        if !is_in {
            continue;
        }
        let common = wanted.delimiter.as_deref().and_then(|delimiter| {
            let rest = name.get(wanted.prefix.len()..)?;
            let at = rest.find(delimiter)? + delimiter.len();
            Some(name.get(..wanted.prefix.len() + at)?.to_owned())
        });
        let is_item = common
            .as_ref()
            .is_none_or(|common| wanted.trailing && common == name);
        let is_new = common.is_some() && page.prefixes.last() != common.as_ref();
        let is_before = from.as_ref().is_some_and(|(is_prefix, from)| {
            if *is_prefix {
                name.starts_with(from.as_str()) || name <= from
            } else {
                name <= from
            }
        });
        if is_before || !(is_item || is_new) {
            continue;
        }
        if count >= wanted.most {
            page.next = last.map(|last| close(&last, wanted));
            return Ok(page);
        }
        count += 1;
        last = Some(match &common {
            Some(common) => (true, common.clone()),
            None => (false, name.clone()),
        });
        if is_item {
            page.items.push(object.clone());
        }
        if is_new {
            page.prefixes.extend(common);
        }
    }
    Ok(page)
}

/// A token says where a page ended, and of which list.
fn close((is_prefix, last): &(bool, String), wanted: &Wanted) -> String {
    let token = serde_json::json!([is_prefix, last, wanted.prefix, wanted.delimiter]);
    URL_SAFE_NO_PAD.encode(token.to_string())
}

fn open(token: &str, wanted: &Wanted) -> Outcome<(bool, String)> {
    let refused = || Refusal::parameter("pageToken", "it is none that this list gave");
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| refused())?;
    let (is_prefix, last, prefix, delimiter): (bool, String, String, Option<String>) =
        serde_json::from_slice(&bytes).map_err(|_| refused())?;
    if prefix != wanted.prefix || delimiter != wanted.delimiter {
        return Err(refused());
    }
    Ok((is_prefix, last))
}

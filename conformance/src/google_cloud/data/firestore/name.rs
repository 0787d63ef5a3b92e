//! Names of documents and collections: <https://cloud.google.com/firestore/quotas#collections_documents_and_fields>.

use std::cmp::Ordering;

use super::super::invalid;
use crate::google_cloud::error::Outcome;

/// Of one part, in bytes.
const LONGEST: usize = 1_500;
/// Of a whole name below its database, in bytes.
const LONGEST_WHOLE: usize = 6 * 1_024;
/// How many collections may be below each other.
const DEEPEST: usize = 100;

/// Whether it is one of those that Firestore keeps for itself.
pub(super) fn is_reserved(id: &str) -> bool {
    id.len() >= 4 && id.starts_with("__") && id.ends_with("__")
}

/// The database of a full name.
pub(super) fn database(name: &str) -> &str {
    name.split_once("/documents").map_or("", |(database, _)| database)
}

/// What of a full name is below its database.
pub(super) fn path(name: &str) -> &str {
    name.split_once("/documents/").map_or("", |(_, path)| path)
}

fn part(id: &str, what: &str) -> Outcome<()> {
    let wrong = |why: &str| {
        Err(invalid(format!(
            "{what} id \"{id}\" is invalid because it {why}."
        )))
    };
    if id.is_empty() {
        return wrong("is empty");
    }
    if id.contains('/') {
        return wrong("contains \"/\"");
    }
    if id == "." || id == ".." {
        return wrong("is a single or a double period");
    }
    if is_reserved(id) {
        return wrong("is reserved");
    }
    if id.len() > LONGEST {
        return wrong("is longer than 1500 bytes");
    }
    Ok(())
}

/// Whether a collection may be called so.
pub(super) fn collection(id: &str) -> Outcome<()> {
    part(id, "Collection")
}

fn parts(name: &str, database: &str) -> Outcome<usize> {
    let below = name
        .strip_prefix(database)
        .and_then(|below| below.strip_prefix("/documents"));
    let below = match below.map(|below| (below, below.strip_prefix('/'))) {
        Some(("", _)) => return Ok(0),
        Some((_, Some(below))) => below,
        _ => {
            let what = format!("Document name \"{name}\" is not of the database \"{database}\".");
            return Err(invalid(what));
        }
    };
    if below.len() > LONGEST_WHOLE {
        return Err(invalid("A document's name has at most 6 KiB."));
    }
    let mut count = 0;
    for id in below.split('/') {
        part(id, if count % 2 == 0 { "Collection" } else { "Resource" })?;
        count += 1;
    }
    if count > 2 * DEEPEST {
        return Err(invalid("Collections are at most 100 deep."));
    }
    Ok(count)
}

/// Whether it is the full name of a document of this database.
pub(super) fn document(name: &str, database: &str) -> Outcome<()> {
    match parts(name, database)? {
        count if count > 0 && count % 2 == 0 => Ok(()),
        _ => Err(invalid(format!(
            "Document name \"{name}\" is not that of a document: it has a collection at its end."
        ))),
    }
}

/// Whether something may be below it: a document, or a database's documents.
pub(super) fn parent(name: &str) -> Outcome<()> {
    match parts(name, database(name))? {
        count if count % 2 == 0 => Ok(()),
        _ => Err(invalid(format!("\"{name}\" is that of a collection."))),
    }
}

/// The order of names: part by part, by bytes.
pub(super) fn compare(one: &str, other: &str) -> Ordering {
    one.split('/').cmp(other.split('/'))
}

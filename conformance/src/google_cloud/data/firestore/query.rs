//! Queries of one collection: <https://cloud.google.com/firestore/docs/reference/rest/v1/StructuredQuery>.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::super::{invalid, only, unimplemented};
use super::field::Path;
use super::filter::Filter;
use super::store::{Document, Store, moment};
use super::{name, value};
use crate::google_cloud::error::{Code, Outcome, Refusal};

const KNOWN: &[&str] = &[
    "select", "from", "where", "orderBy", "startAt", "endAt", "offset", "limit",
];

/// A document that was found, by its full name.
pub(super) type Found = (String, Document);

struct Query {
    collection: String,
    filter: Option<Filter>,
    orders: Vec<Order>,
    start: Option<Cursor>,
    end: Option<Cursor>,
    offset: usize,
    limit: Option<usize>,
}

struct Order {
    path: Path,
    descends: bool,
}

/// A place between documents.
struct Cursor {
    values: Vec<Value>,
    is_before: bool,
}

/// Answers one, as the stream that it is over REST: a list of answers.
pub(super) fn run(store: &mut Store, parent: &str, asked: &Value) -> Outcome<Value> {
    name::parent(parent)?;
    let query = Query::read(asked, parent)?;
    let mask = select(asked)?;
    let found = query.find(store, parent);
    let at = moment(store.now());
    let skipped = query.offset.min(found.len());
    let rest = found.into_iter().skip(query.offset);
    let mut answers: Vec<Value> = rest
        .take(query.limit.unwrap_or(usize::MAX))
        .map(|(name, document)| json!({"document": document.told(&name, mask.as_deref()), "readTime": at}))
        .collect();
    if answers.is_empty() {
        answers.push(json!({"readTime": at}));
    }
    if let Some(first) = answers.first_mut().filter(|_| skipped > 0) {
        first["skippedResults"] = skipped.into();
    }
    if let Some(last) = answers.last_mut() {
        last["done"] = true.into();
    }
    Ok(answers.into())
}

/// What one finds.
pub(super) fn find(store: &Store, parent: &str, asked: &Value) -> Outcome<Vec<Found>> {
    Ok(Query::read(asked, parent)?.find(store, parent))
}

/// The fields that are told; a document's name always is.
fn select(asked: &Value) -> Outcome<Option<Vec<Path>>> {
    let Some(fields) = asked["select"]["fields"]
        .as_array()
        .filter(|fields| !fields.is_empty())
    else {
        return Ok(None);
    };
    let mut paths = fields.iter().map(path).collect::<Outcome<Vec<_>>>()?;
    paths.retain(|path| !path.is_name());
    Ok(Some(paths))
}

/// The path of `{"fieldPath": …}`.
pub(super) fn path(field: &Value) -> Outcome<Path> {
    Path::read(field["fieldPath"].as_str().unwrap_or_default())
}

fn number(asked: &Value, name: &str) -> Outcome<Option<usize>> {
    match asked.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(number) => match number.as_u64() {
            Some(number) => Ok(Some(usize::try_from(number).unwrap_or(usize::MAX))),
            None => Err(invalid(format!("{name} is negative"))),
        },
    }
}

impl Query {
    fn read(asked: &Value, parent: &str) -> Outcome<Self> {
        only(asked, KNOWN)?;
        let collection = match asked["from"].as_array().map(Vec::as_slice) {
            Some([selector]) => {
                if selector["allDescendants"] == true {
                    // It needs an index of its own, and those of documents without any are not there either.
                    return Err(unindexed());
                }
                match selector["collectionId"].as_str() {
                    Some(id) => id.to_owned(),
                    None => return Err(unimplemented("queries of all collections")),
                }
            }
            None | Some([]) => return Err(unimplemented("queries of all collections")),
            Some(_) => {
                let what = "StructuredQuery.from cannot have more than one collection selector.";
                return Err(invalid(what));
            }
        };
        name::collection(&collection)?;
        let filter = asked.get("where").filter(|filter| !filter.is_null());
        let filter = filter.map(|sent| Filter::read(sent, parent)).transpose()?;
        let mut orders: Vec<Order> = (asked["orderBy"].as_array().into_iter().flatten())
            .map(|order| {
                Ok(Order {
                    path: path(&order["field"])?,
                    descends: order["direction"] == "DESCENDING",
                })
            })
            .collect::<Outcome<_>>()?;
        needs_index(filter.as_ref(), &orders)?;
        // What is not said: by what is compared, and by name, in the last direction.
        let descends = orders.last().is_some_and(|order| order.descends);
        let mut also: Vec<Path> = (filter.iter().flat_map(Filter::ranges)).cloned().collect();
        also.sort();
        also.push(Path::name());
        for path in also {
            if !orders.iter().any(|order| order.path == path) {
                orders.push(Order { path, descends });
            }
        }
        let cursor = |name: &str| Cursor::read(&asked[name], &orders);
        Ok(Self {
            start: cursor("startAt")?,
            end: cursor("endAt")?,
            offset: number(asked, "offset")?.unwrap_or(0),
            limit: number(asked, "limit")?,
            collection,
            filter,
            orders,
        })
    }

    fn find(&self, store: &Store, parent: &str) -> Vec<Found> {
        let collection = format!("{parent}/{}", self.collection);
        let mut found: Vec<(Vec<Value>, Found)> = store
            .below(&collection)
            // Those of collections below are not of this one.
            .filter(|(name, _)| !name[collection.len() + 1..].contains('/'))
            .filter(|(name, document)| {
                let filter = self.filter.as_ref();
                filter.is_none_or(|filter| filter.fits(name, &document.fields))
            })
            .filter_map(|(name, document)| {
                let values = self
                    .orders
                    .iter()
                    .map(|order| at(&order.path, name, &document.fields));
                // What lacks a field that is ordered by is not in its index.
                let values = values.collect::<Option<Vec<Value>>>()?;
                Some((values, (name.clone(), document.clone())))
            })
            .filter(|(values, _)| {
                let is_behind = self.start.as_ref().is_none_or(|start| {
                    let order = self.compare(values, &start.values);
                    order == Ordering::Greater || (start.is_before && order == Ordering::Equal)
                });
                let is_ahead = self.end.as_ref().is_none_or(|end| {
                    let order = self.compare(values, &end.values);
                    order == Ordering::Less || (!end.is_before && order == Ordering::Equal)
                });
                is_behind && is_ahead
            })
            .collect();
        found.sort_by(|(one, _), (other, _)| self.compare(one, other));
        found.into_iter().map(|(_, found)| found).collect()
    }

    /// The order of two documents, or of a document and a cursor, which may have fewer values.
    fn compare(&self, one: &[Value], other: &[Value]) -> Ordering {
        let pairs = self.orders.iter().zip(one.iter().zip(other));
        let mut orders = pairs.map(|(order, (one, other))| {
            let compared = value::compare(one, other);
            if order.descends {
                compared.reverse()
            } else {
                compared
            }
        });
        orders
            .find(|order| *order != Ordering::Equal)
            .unwrap_or(Ordering::Equal)
    }
}

/// What a document has at a path; its name as a reference.
pub(super) fn at(path: &Path, name: &str, fields: &Map<String, Value>) -> Option<Value> {
    if path.is_name() {
        return Some(json!({"referenceValue": name}));
    }
    path.get(fields).cloned()
}

impl Cursor {
    fn read(sent: &Value, orders: &[Order]) -> Outcome<Option<Self>> {
        let Some(values) = sent["values"].as_array() else {
            return Ok(None);
        };
        if values.len() > orders.len() {
            return Err(invalid("Cursor has too many values."));
        }
        let values = (values.iter().zip(orders))
            .map(|(sent, order)| {
                let read = value::alone(sent)?;
                if order.path.is_name() && read.get("referenceValue").is_none() {
                    return Err(invalid("Cursor __key__ value is not a document reference."));
                }
                Ok(read)
            })
            .collect::<Outcome<_>>()?;
        Ok(Some(Self {
            values,
            is_before: sent["before"] == true,
        }))
    }
}

/// Each field has an index of its own; for more fields together somebody has to make one, which here nobody can.
/// <https://cloud.google.com/firestore/docs/query-data/index-overview#queries_supported_by_single-field_indexes>
fn needs_index(filter: Option<&Filter>, orders: &[Order]) -> Outcome<()> {
    let ranges = filter
        .iter()
        .flat_map(|filter| filter.ranges())
        .collect::<Vec<_>>();
    let ordered: BTreeSet<&Path> = (orders.iter().map(|order| &order.path))
        .chain(ranges)
        .filter(|path| !path.is_name())
        .collect();
    let mut others = filter.iter().flat_map(|filter| filter.equals());
    let is_mixed = !ordered.is_empty() && others.any(|path| !path.is_name() && !ordered.contains(path));
    // Names have one in one direction.
    let is_backwards = ordered.is_empty() && orders.iter().any(|order| order.descends);
    if ordered.len() > 1 || is_mixed || is_backwards {
        return Err(unindexed());
    }
    Ok(())
}

fn unindexed() -> Refusal {
    let message = "The query requires an index. You can create it in the Google Cloud console; this stand-in has those that are there by themselves.";
    Refusal::new(Code::FailedPrecondition, message)
}

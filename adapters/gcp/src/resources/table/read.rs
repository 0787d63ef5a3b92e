//! Queries and scans, as structured queries of one collection:
//! <https://cloud.google.com/firestore/docs/reference/rest/v1/projects.databases.documents/runQuery>.

use nephos_core::Result;
use nephos_core::resource::table::{Page, Query, SortRange};
use serde::Deserialize;
use serde_json::{Value, json};

use super::cursor::{Cursor, foreign};
use super::{Document, GcpTable, now};
use crate::document::{KEY, index};

/// The most documents of one page: each may have a megabyte.
const MAX_PAGE: usize = 300;

const QUERY: &str = "table.query";
const SCAN: &str = "table.scan";

/// One answer of a query. The last may have no document.
#[derive(Deserialize)]
struct Answer {
    document: Option<Document>,
}

/// The first text behind all that begin with this one, in the order of UTF-8 bytes; `None` if there is none.
fn behind(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        // The scalar after the last one; surrogates are none.
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}

fn filter(op: &str, text: &str) -> Value {
    json!({"fieldFilter": {"field": {"fieldPath": KEY}, "op": op, "value": {"stringValue": text}}})
}

/// What a query's items have in common.
fn filters(query: &Query) -> Vec<Value> {
    let at = |sort: &str| index(&query.partition, sort);
    let end = |prefix: &str| behind(prefix).map(|end| filter("LESS_THAN", &end));
    let all = at("");
    let (low, high) = match &query.range {
        SortRange::All => (all.clone(), end(&all)),
        SortRange::Prefix(prefix) => (at(prefix), end(&at(prefix))),
        SortRange::Between(low, high) => (
            at(low.as_deref().unwrap_or_default()),
            match high {
                Some(high) => Some(filter("LESS_THAN_OR_EQUAL", &at(high))),
                None => end(&all),
            },
        ),
    };
    [filter("GREATER_THAN_OR_EQUAL", &low)]
        .into_iter()
        .chain(high)
        .collect()
}

impl GcpTable {
    pub(super) async fn query_page(&self, query: &Query) -> Result<Page<Value>> {
        let start = match &query.cursor {
            None => None,
            Some(text) => match Cursor::read(QUERY, text).map_err(|error| self.of(error))? {
                Cursor::Index(last) if last.starts_with(&index(&query.partition, "")) => Some(last),
                _ => return Err(self.of(foreign(QUERY))),
            },
        };
        // Firestore takes no range that ends before it begins.
        if let SortRange::Between(Some(low), Some(high)) = &query.range
            && low > high
        {
            return Ok(Page {
                items: Vec::new(),
                next: None,
            });
        }
        let direction = if query.descending {
            "DESCENDING"
        } else {
            "ASCENDING"
        };
        let mut asked = json!({
            "where": {"compositeFilter": {"op": "AND", "filters": filters(query)}},
            "orderBy": [{"field": {"fieldPath": KEY}, "direction": direction}],
        });
        if let Some(last) = start {
            asked["startAt"] = json!({"values": [{"stringValue": last}], "before": false});
        }
        self.page(QUERY, asked, query.limit, |document| {
            let index = document.fields.get(KEY)?.get("stringValue")?.as_str()?;
            Some(Cursor::Index(index.to_owned()))
        })
        .await
    }

    pub(super) async fn scan_page(&self, limit: usize, cursor: Option<&str>) -> Result<Page<Value>> {
        let mut asked = json!({
            "orderBy": [{"field": {"fieldPath": "__name__"}, "direction": "ASCENDING"}],
        });
        if let Some(text) = cursor {
            let beginning = format!("{}/{}/", self.documents, self.collection);
            match Cursor::read(SCAN, text).map_err(|error| self.of(error))? {
                Cursor::Name(last) if last.starts_with(&beginning) => {
                    asked["startAt"] = json!({"values": [{"referenceValue": last}], "before": false});
                }
                _ => return Err(self.of(foreign(SCAN))),
            }
        }
        self.page(SCAN, asked, limit, |document| {
            Some(Cursor::Name(document.name.clone()))
        })
        .await
    }

    /// A page; one more document is asked for, to know whether there is another.
    async fn page(
        &self,
        operation: &'static str,
        mut asked: Value,
        limit: usize,
        cursor: impl Fn(&Document) -> Option<Cursor>,
    ) -> Result<Page<Value>> {
        let limit = limit.min(MAX_PAGE);
        asked["from"] = json!([{"collectionId": self.collection}]);
        asked["limit"] = (limit + 1).into();
        let path = format!("/{}:runQuery", self.documents);
        let answers: Vec<Answer> = self
            .rest
            .post(operation, &path, &json!({"structuredQuery": asked}))
            .await
            .map_err(|error| self.of(error))?;
        let mut documents: Vec<Document> = answers.into_iter().filter_map(|answer| answer.document).collect();
        let goes_on = documents.len() > limit;
        documents.truncate(limit);
        let next = documents
            .last()
            .filter(|_| goes_on)
            .and_then(cursor)
            .map(|cursor| cursor.write());
        let now = now();
        let mut items = Vec::with_capacity(documents.len());
        for document in &documents {
            items.extend(self.stored(document, now)?);
        }
        Ok(Page { items, next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_a_prefix_is_behind_all_that_begin_with_it_and_nothing_else() {
        for (prefix, end) in [
            ("1:a", Some("1:b")),
            ("1:\u{d7ff}", Some("1:\u{e000}")),
            ("1:\u{10ffff}", Some("1;")),
            ("\u{10ffff}", None),
        ] {
            assert_eq!(behind(prefix).as_deref(), end);
            if let Some(end) = end {
                assert!(format!("{prefix}\u{10ffff}").as_str() < end);
            }
        }
    }
}

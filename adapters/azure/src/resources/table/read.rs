//! Reads: one item, a partition, the whole table.

use nephos_core::resource::table::{Key, Page, Query, SortRange};
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Map, Value, json};

use super::AzureTable;
use super::cosmos::Documents;
use super::cursor::{self, Cursor};
use super::item::{self, Read, sortable};
use crate::document;

/// The most items that one request asks for: <https://learn.microsoft.com/rest/api/cosmos-db/query-documents>.
const MAX_PAGE: usize = 1000;

const QUERY: &str = "table.query";
const SCAN: &str = "table.scan";

impl AzureTable {
    /// The item, even if it has expired.
    pub(super) async fn find(&self, operation: &'static str, key: &Key) -> Result<Option<Read>> {
        let found = self
            .cosmos
            .get(operation, &key.partition, &item::id_of(key))
            .await
            .map_err(|error| self.of(error).with("key", key))?;
        found
            .map(|fields| Read::of(operation, &self.schema, fields))
            .transpose()
            .map_err(|error| self.of(error).with("key", key))
    }

    pub(super) async fn read_partition(&self, query: &Query) -> Result<Page<Value>> {
        let after = query
            .cursor
            .as_deref()
            .map(|text| cursor::behind(QUERY, &self.schema, &query.partition, text))
            .transpose()
            .map_err(|error| self.of(error))?;
        if self.schema.sort.is_none() {
            // At most one item, which needs no query.
            let found = match after {
                Some(_) => None,
                None => self.find(QUERY, &Key::new(query.partition.as_str())).await?,
            };
            return Ok(self.page(found, None));
        }
        let asked = statement(
            &self.schema.key,
            query,
            after.as_ref().and_then(|key| key.sort.as_deref()),
        );
        let max = query.limit.min(MAX_PAGE);
        let found = self
            .pages(QUERY, Some(&query.partition), &asked, max, None)
            .await?;
        let read = self.read(QUERY, found.documents)?;
        let next = match (found.continuation, read.last()) {
            (Some(_), Some(last)) => {
                let key = last.key(&self.schema).map_err(|error| self.of(error))?;
                Some(Cursor::behind(key).write())
            }
            _ => None,
        };
        Ok(self.page(read, next))
    }

    pub(super) async fn read_all(&self, limit: usize, cursor: Option<&str>) -> Result<Page<Value>> {
        let continuation = cursor
            .map(|text| cursor::continuation(SCAN, text))
            .transpose()
            .map_err(|error| self.of(error))?;
        let asked = json!({"query": "SELECT * FROM c", "parameters": []});
        let found = self
            .pages(SCAN, None, &asked, limit.min(MAX_PAGE), continuation)
            .await?;
        let next = found
            .continuation
            .map(|continuation| Cursor::Scan { continuation }.write());
        let read = self.read(SCAN, found.documents)?;
        Ok(self.page(read, next))
    }

    fn read(&self, operation: &'static str, documents: Vec<Map<String, Value>>) -> Result<Vec<Read>> {
        documents
            .into_iter()
            .map(|fields| Read::of(operation, &self.schema, fields))
            .collect::<Result<_>>()
            .map_err(|error| self.of(error))
    }

    /// The first page that is not empty: the service may stop before it has found anything.
    async fn pages(
        &self,
        operation: &'static str,
        partition: Option<&str>,
        asked: &Value,
        max: usize,
        mut continuation: Option<String>,
    ) -> Result<Documents> {
        loop {
            let found = self
                .cosmos
                .query(operation, partition, asked, max, continuation.as_deref())
                .await
                .map_err(|error| self.of(error))?;
            if !found.documents.is_empty() || found.continuation.is_none() {
                return Ok(found);
            }
            if found.continuation == continuation {
                return Err(self.of(Error::new(
                    ErrorKind::Unavailable,
                    operation,
                    "the service does not go on behind an empty page; try again",
                )));
            }
            continuation = found.continuation;
        }
    }

    fn page(&self, read: impl IntoIterator<Item = Read>, next: Option<String>) -> Page<Value> {
        let items = read
            .into_iter()
            .filter(|read| !read.is_expired())
            .map(Read::into_stored)
            .collect();
        Page { items, next }
    }
}

/// The query in the service's language. All values are parameters.
fn statement(key: &str, query: &Query, after: Option<&str>) -> Value {
    let sort = item::sort_field();
    let mut conditions = vec![format!("{} = @partition", document::partition_field(key))];
    let mut parameters = vec![json!({"name": "@partition", "value": query.partition})];
    let mut add = |condition: String, name: &str, value: &str| {
        conditions.push(condition);
        parameters.push(json!({"name": name, "value": sortable(value)}));
    };
    match &query.range {
        SortRange::All => {}
        SortRange::Prefix(prefix) => add(format!("STARTSWITH({sort}, @prefix)"), "@prefix", prefix),
        SortRange::Between(low, high) => {
            if let Some(low) = low {
                add(format!("{sort} >= @low"), "@low", low);
            }
            if let Some(high) = high {
                add(format!("{sort} <= @high"), "@high", high);
            }
        }
    }
    if let Some(after) = after {
        let sign = if query.descending { '<' } else { '>' };
        add(format!("{sort} {sign} @after"), "@after", after);
    }
    let order = if query.descending { "DESC" } else { "ASC" };
    json!({
        "query": format!("SELECT * FROM c WHERE {} ORDER BY {sort} {order}", conditions.join(" AND ")),
        "parameters": parameters,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_holds_no_value_but_its_parameters() {
        let query = Query::partition("p\"; DROP").between("a'", "b");
        let asked = statement("face", &query, Some("a1"));
        assert_eq!(
            asked["query"],
            r#"SELECT * FROM c WHERE c["face"] = @partition AND c["_nephos"]["sort"] >= @low AND c["_nephos"]["sort"] <= @high AND c["_nephos"]["sort"] > @after ORDER BY c["_nephos"]["sort"] ASC"#
        );
        assert_eq!(asked["parameters"].as_array().unwrap().len(), 4);
        let asked = statement("id", &Query::partition("p").prefix("é").descending(), Some("é1"));
        assert!(
            asked["query"].as_str().unwrap().contains("< @after ORDER BY"),
            "{asked}"
        );
        assert_eq!(asked["parameters"][1]["value"], "Ã©");
    }
}

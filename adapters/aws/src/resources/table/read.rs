//! Getting, querying and scanning: strongly consistent, expired items left out.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use nephos_core::Result;
use nephos_core::resource::table::{Key, Page, Query, SortRange, Stored};
use serde_json::Value;

use super::cursor::{self, Reading};
use super::value::Attributes;
use super::{AwsTable, now};
use crate::error::failed;

pub(super) async fn get(table: &AwsTable, key: &Key) -> Result<Option<Stored<Value>>> {
    let found = table
        .client
        .get_item()
        .table_name(&table.table)
        .set_key(Some(table.key(key)))
        .consistent_read(true)
        .send()
        .await
        .map_err(|error| table.of(failed("table.get", error)))?;
    Ok(found.item.and_then(|item| table.stored(item, now())))
}

/// Items that were read, and where DynamoDB stopped, if not at the end.
struct Read {
    items: Option<Vec<Attributes>>,
    last: Option<Attributes>,
}

/// One page: of as many requests as it takes, because DynamoDB ends a page at 1 MB, and counts expired items.
struct Pager<'a> {
    table: &'a AwsTable,
    reading: Reading,
    limit: usize,
    now: i64,
    items: Vec<Stored<Value>>,
}

impl<'a> Pager<'a> {
    fn new(table: &'a AwsTable, reading: Reading, limit: usize) -> Self {
        Self {
            table,
            reading,
            limit,
            now: now(),
            items: Vec::new(),
        }
    }

    /// How many items to ask for: one more than the page holds tells whether there is another.
    fn ask(&self) -> i32 {
        i32::try_from(self.limit - self.items.len().min(self.limit))
            .unwrap_or(i32::MAX)
            .saturating_add(1)
    }

    /// Where to go on, if the page is not full.
    fn take(&mut self, read: Read) -> Option<Attributes> {
        let alive = read
            .items
            .unwrap_or_default()
            .into_iter()
            .filter_map(|item| self.table.stored(item, self.now));
        self.items.extend(alive);
        read.last.filter(|_| self.items.len() <= self.limit)
    }

    fn page(mut self) -> Result<Page<Value>> {
        let more = self.items.len() > self.limit;
        self.items.truncate(self.limit);
        let next = match self.items.last() {
            Some(last) if more => Some(cursor::write(self.reading, self.table.schema.key_of(&last.item)?)),
            _ => None,
        };
        Ok(Page {
            items: self.items,
            next,
        })
    }
}

pub(super) async fn scan(table: &AwsTable, limit: usize, cursor: Option<&str>) -> Result<Page<Value>> {
    const OPERATION: &str = "table.scan";
    let mut start = cursor
        .map(|text| cursor::read(OPERATION, Reading::Scan, &table.schema, None, text))
        .transpose()
        .map_err(|error| table.of(error))?
        .map(|key| table.key(&key));
    let mut pager = Pager::new(table, Reading::Scan, limit);
    loop {
        let read = table
            .client
            .scan()
            .table_name(&table.table)
            .consistent_read(true)
            .limit(pager.ask())
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(|error| table.of(failed(OPERATION, error)))?;
        start = pager.take(Read {
            items: read.items,
            last: read.last_evaluated_key,
        });
        if start.is_none() {
            return pager.page();
        }
    }
}

pub(super) async fn query(table: &AwsTable, query: &Query) -> Result<Page<Value>> {
    const OPERATION: &str = "table.query";
    let mut start = query
        .cursor
        .as_deref()
        .map(|text| {
            cursor::read(
                OPERATION,
                Reading::Query,
                &table.schema,
                Some(&query.partition),
                text,
            )
        })
        .transpose()
        .map_err(|error| table.of(error))?
        .map(|key| table.key(&key));
    let mut pager = Pager::new(table, Reading::Query, query.limit);
    let Some(keys) = KeyCondition::of(table, query) else {
        return pager.page();
    };
    loop {
        let read = table
            .client
            .query()
            .table_name(&table.table)
            .consistent_read(true)
            .key_condition_expression(keys.text)
            .set_expression_attribute_names(Some(keys.names.clone()))
            .set_expression_attribute_values(Some(keys.values.clone()))
            .scan_index_forward(!query.descending)
            .limit(pager.ask())
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(|error| table.of(failed(OPERATION, error)))?;
        start = pager.take(Read {
            items: read.items,
            last: read.last_evaluated_key,
        });
        if start.is_none() {
            return pager.page();
        }
    }
}

/// Which keys a query takes:
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.KeyConditionExpressions.html>
struct KeyCondition {
    text: &'static str,
    names: HashMap<String, String>,
    values: Attributes,
}

impl KeyCondition {
    /// `None` if no key can be in the range: DynamoDB would call it an error.
    fn of(table: &AwsTable, query: &Query) -> Option<Self> {
        let (text, low, high) = match &query.range {
            SortRange::All => ("#k = :k", None, None),
            // No sort key is empty, and all begin with nothing.
            SortRange::Prefix(prefix) if prefix.is_empty() => ("#k = :k", None, None),
            SortRange::Prefix(prefix) => ("#k = :k AND begins_with(#s, :low)", Some(prefix), None),
            SortRange::Between(low, high) => {
                let low = low.as_ref().filter(|low| !low.is_empty());
                match (low, high.as_ref()) {
                    (None, None) => ("#k = :k", None, None),
                    (Some(low), None) => ("#k = :k AND #s >= :low", Some(low), None),
                    (_, Some(high)) if high.is_empty() => return None,
                    (None, Some(high)) => ("#k = :k AND #s <= :high", None, Some(high)),
                    (Some(low), Some(high)) if low > high => return None,
                    (Some(low), Some(high)) => {
                        ("#k = :k AND #s BETWEEN :low AND :high", Some(low), Some(high))
                    }
                }
            }
        };
        let mut names = HashMap::from([("#k".to_owned(), table.schema.key.clone())]);
        let mut values = Attributes::from([(":k".to_owned(), AttributeValue::S(query.partition.clone()))]);
        for (placeholder, value) in [(":low", low), (":high", high)] {
            if let Some(value) = value {
                values.insert(placeholder.to_owned(), AttributeValue::S(value.clone()));
                names.insert("#s".to_owned(), table.schema.sort.clone()?);
            }
        }
        Some(Self { text, names, values })
    }
}

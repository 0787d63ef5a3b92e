//! Writing: one item by its own call, which costs half of a transaction; several by a transaction, all or nothing.

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem};
use nephos_core::resource::table::{Condition, Key, Version, Write};
use nephos_core::{Error, ErrorKind, Result};
use serde_json::Value;

use super::condition::{self, Expression};
use super::value::{Attributes, to_attributes};
use super::{AwsTable, now};
use crate::error::{code, failed, of_entry};
use crate::payload::VERSION;

const OPERATION: &str = "table.write";

/// One write as DynamoDB takes it.
struct Prepared<'a> {
    change: Change,
    expression: Expression,
    condition: &'a Condition,
    key: Key,
}

enum Change {
    Put { item: Attributes, version: Version },
    Delete { key: Attributes },
}

pub(super) async fn write(table: &AwsTable, batch: &[Write]) -> Result<Vec<Option<Version>>> {
    let now = now();
    let mut prepared = batch
        .iter()
        .map(|write| prepare(table, write, now))
        .collect::<Result<Vec<_>>>()?;
    let versions = prepared
        .iter()
        .map(|write| match &write.change {
            Change::Put { version, .. } => Some(version.clone()),
            Change::Delete { .. } => None,
        })
        .collect();
    if prepared.len() == 1
        && let Some(only) = prepared.pop()
    {
        one(table, only).await?;
    } else {
        all(table, prepared).await?;
    }
    Ok(versions)
}

fn prepare<'a>(table: &AwsTable, write: &'a Write, now: i64) -> Result<Prepared<'a>> {
    let (change, condition, key) = match write {
        Write::Put { item, condition } => {
            let key = table.schema.key_of(item)?;
            let (item, version) = versioned(table, item)?;
            (Change::Put { item, version }, condition, key)
        }
        Write::Delete { key, condition } => (Change::Delete { key: table.key(key) }, condition, key.clone()),
    };
    Ok(Prepared {
        change,
        expression: condition::of(&table.schema, condition, now),
        condition,
        key,
    })
}

fn versioned(table: &AwsTable, item: &Value) -> Result<(Attributes, Version)> {
    let refuse = |message: &'static str| table.of(Error::new(ErrorKind::InvalidArgument, OPERATION, message));
    let object = item
        .as_object()
        .ok_or_else(|| refuse("an item is a JSON object"))?;
    let mut attributes = to_attributes(object);
    let version = uuid::Uuid::new_v4().simple().to_string();
    let own = attributes.insert(VERSION.to_owned(), AttributeValue::S(version.clone()));
    if own.is_some() {
        return Err(
            refuse("the name of an attribute is taken by Nephos itself; give it another")
                .with("attribute", VERSION),
        );
    }
    Ok((attributes, Version(version)))
}

async fn one(table: &AwsTable, write: Prepared<'_>) -> Result<()> {
    let Prepared {
        change,
        expression,
        condition,
        key,
    } = write;
    let written = match change {
        Change::Put { item, .. } => table
            .client
            .put_item()
            .table_name(&table.table)
            .set_item(Some(item))
            .set_condition_expression(expression.text)
            .set_expression_attribute_names(expression.names)
            .set_expression_attribute_values(expression.values)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| failed(OPERATION, error)),
        Change::Delete { key } => table
            .client
            .delete_item()
            .table_name(&table.table)
            .set_key(Some(key))
            .set_condition_expression(expression.text)
            .set_expression_attribute_names(expression.names)
            .set_expression_attribute_values(expression.values)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| failed(OPERATION, error)),
    };
    written.map_err(|error| of_write(table, error, 0, condition, &key))
}

async fn all(table: &AwsTable, writes: Vec<Prepared<'_>>) -> Result<()> {
    let mut request = table.client.transact_write_items();
    let mut about = Vec::with_capacity(writes.len());
    for write in writes {
        let Prepared {
            change,
            expression,
            condition,
            key,
        } = write;
        about.push((condition, key));
        request = request.transact_items(item(table, change, expression)?);
    }
    let Err(error) = request.send().await else {
        return Ok(());
    };
    // Why it was called off is told write by write: <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>
    let reason = match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => cancelled
            .cancellation_reasons()
            .iter()
            .enumerate()
            .filter(|(_, reason)| reason.code().is_some_and(|code| code != "None"))
            // A condition that does not hold says more than that the write met another.
            .min_by_key(|(_, reason)| reason.code() != Some("ConditionalCheckFailed"))
            .map(|(index, reason)| {
                let error = of_entry(OPERATION, reason.code().unwrap_or_default(), reason.message());
                (index, error)
            }),
        _ => None,
    };
    Err(match reason {
        Some((index, error)) => match about.get(index) {
            Some((condition, key)) => of_write(table, error, index, condition, key),
            None => table.of(error),
        },
        None => table.of(failed(OPERATION, error)),
    })
}

fn item(table: &AwsTable, change: Change, expression: Expression) -> Result<TransactWriteItem> {
    let incomplete = |error| {
        table.of(Error::new(
            ErrorKind::Internal,
            OPERATION,
            "the request lacks something that DynamoDB demands",
        )
        .caused_by(error))
    };
    Ok(match change {
        Change::Put { item, .. } => TransactWriteItem::builder()
            .put(
                Put::builder()
                    .table_name(&table.table)
                    .set_item(Some(item))
                    .set_condition_expression(expression.text)
                    .set_expression_attribute_names(expression.names)
                    .set_expression_attribute_values(expression.values)
                    .build()
                    .map_err(incomplete)?,
            )
            .build(),
        Change::Delete { key } => TransactWriteItem::builder()
            .delete(
                Delete::builder()
                    .table_name(&table.table)
                    .set_key(Some(key))
                    .set_condition_expression(expression.text)
                    .set_expression_attribute_names(expression.names)
                    .set_expression_attribute_values(expression.values)
                    .build()
                    .map_err(incomplete)?,
            )
            .build(),
    })
}

/// The error of one write: which it was, and what its condition means.
fn of_write(table: &AwsTable, error: Error, index: usize, condition: &Condition, key: &Key) -> Error {
    let conditional = matches!(
        code(&error),
        Some("ConditionalCheckFailed" | "ConditionalCheckFailedException")
    );
    let error = match condition {
        Condition::Absent if conditional => Error::new(
            ErrorKind::AlreadyExists,
            OPERATION,
            "there is an item of this key already",
        ),
        _ if conditional => Error::new(
            ErrorKind::Conflict,
            OPERATION,
            "the item is another version by now, or gone; read it again",
        ),
        _ => error,
    };
    table.of(error).with("index", index).with("key", key)
}

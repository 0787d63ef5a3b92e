//! Tables as collections of Firestore: <https://cloud.google.com/firestore/docs/reference/rest/v1/projects.databases.documents>.

mod cursor;
mod read;
mod write;

use std::any::Any;
use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::Utc;
use nephos_core::resource::Binding;
use nephos_core::resource::table::{
    Key, Page, Query, Stored, TableCapabilities, TableDriver, TableSchema, Version, Write,
};
use nephos_core::wiring;
use nephos_core::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::rest::Rest;
use crate::config::Config;
use crate::document::{document_id, from_fields};

/// Where Firestore is.
pub(crate) const SERVICE: &str = "https://firestore.googleapis.com/v1";

/// The properties of a table's binding with its key attributes, as on every target.
const KEY: &str = "key";
const SORT: &str = "sort";
const TTL: &str = "ttl";

/// The largest document, with its name, and what name, keys and our fields take of it: <https://cloud.google.com/firestore/quotas#limits>
const MAX_DOCUMENT: usize = 1_048_576;
const RESERVED: usize = 8_192;

/// The longest partition or sort key, in bytes: together they are a field that is indexed to its 1,500th byte, and no longer is a document's name.
const MAX_KEY: usize = 740;

/// The most writes of one commit. Firestore has no such limit any more, but one of 10 MiB for all of them together.
const MAX_BATCH: usize = 500;

/// A collection.
///
/// An item's version is the moment of its document's last change. Firestore measures a number as eight bytes, however short it is as JSON: an item of very many numbers may be
/// refused below the declared size.
#[derive(Debug)]
pub struct GcpTable {
    rest: Rest,
    name: String,
    schema: TableSchema,
    /// `projects/p/databases/(default)/documents`
    documents: String,
    collection: String,
}

/// A document, as Firestore tells it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    name: String,
    #[serde(default)]
    fields: Map<String, Value>,
    update_time: String,
}

/// One answer of those that a `batchGet` gives.
#[derive(Deserialize)]
struct Got {
    found: Option<Document>,
}

impl GcpTable {
    /// Opens the table whose collection the binding names: `projects/p/databases/(default)/documents/orders`, or a name within the project's database `(default)`; with its
    /// key attributes.
    ///
    /// # Errors
    /// As [`wiring::physical`], and [`ErrorKind::InvalidArgument`] if it is no such name, or the binding does not name the partition key.
    pub fn open(config: &Config, binding: &Binding) -> Result<Self> {
        let refused = |message: &'static str| {
            Error::new(ErrorKind::InvalidArgument, "context.open", message).with("table", &binding.name)
        };
        let of = |error: Error| error.with("table", &binding.name);
        let physical = wiring::physical(binding)?;
        let full = config
            .full_name("databases/(default)/documents", physical)
            .map_err(of)?;
        let is_plain = |text: &str| {
            let is_taken = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:()".contains(&byte);
            text.bytes().all(is_taken) && text.bytes().any(|byte| byte.is_ascii_alphanumeric())
        };
        let (documents, collection) = match full.split('/').collect::<Vec<_>>().as_slice() {
            [
                "projects",
                project,
                "databases",
                database,
                "documents",
                collection,
            ] if [project, database, collection]
                .into_iter()
                .all(|part| is_plain(part)) =>
            {
                (
                    format!("projects/{project}/databases/{database}/documents"),
                    (*collection).to_owned(),
                )
            }
            _ => {
                return Err(refused(
                    "it does not name a collection of Firestore (`projects/<project>/databases/<database>/documents/<name>`); deploy the function again",
                )
                .with("name", full));
            }
        };
        let property = |name: &str| binding.properties.get(name).cloned();
        let key = property(KEY).ok_or_else(|| {
            refused("the binding does not say which attribute is the table's key; deploy the function again")
        })?;
        Ok(Self {
            rest: Rest::new(config, SERVICE).map_err(of)?,
            name: binding.name.clone(),
            schema: TableSchema {
                key,
                sort: property(SORT),
                ttl: property(TTL),
            },
            documents,
            collection,
        })
    }

    fn of(&self, error: Error) -> Error {
        error.with("table", &self.name)
    }

    /// The full name of an item's document.
    fn document(&self, key: &Key) -> String {
        let id = document_id(&key.partition, key.sort.as_deref());
        format!("{}/{}/{id}", self.documents, self.collection)
    }

    /// The documents of these names, by name. By their names in the body: a path would have to be encoded, and not all that lies between keeps it so.
    async fn documents(
        &self,
        operation: &'static str,
        names: &[String],
    ) -> Result<BTreeMap<String, Document>> {
        let path = format!("/{}:batchGet", self.documents);
        let got: Vec<Got> = self
            .rest
            .post(operation, &path, &json!({"documents": names}))
            .await
            .map_err(|error| self.of(error))?;
        Ok(got
            .into_iter()
            .filter_map(|got| got.found)
            .map(|document| (document.name.clone(), document))
            .collect())
    }

    /// The item with its version, or `None` if it has expired by `now`.
    fn stored(&self, document: &Document, now: i64) -> Result<Option<Stored<Value>>> {
        let item = Value::Object(from_fields(&document.fields).map_err(|error| self.of(error))?);
        if self.is_expired(&item, now) {
            return Ok(None);
        }
        Ok(Some(Stored {
            item,
            version: Version(document.update_time.clone()),
        }))
    }

    fn is_expired(&self, item: &Value, now: i64) -> bool {
        let expiry = self.schema.ttl.as_ref().and_then(|ttl| item.get(ttl)?.as_f64());
        expiry.is_some_and(|expiry| expiry <= now as f64)
    }
}

/// The present as times to live are written.
fn now() -> i64 {
    Utc::now().timestamp()
}

#[async_trait]
impl TableDriver for GcpTable {
    fn capabilities(&self) -> TableCapabilities {
        TableCapabilities {
            max_item_bytes: MAX_DOCUMENT - RESERVED,
            max_batch: MAX_BATCH,
            ttl: true,
            scan: true,
            batch_across_partitions: true,
            max_key_bytes: Some(MAX_KEY),
        }
    }

    fn schema(&self) -> &TableSchema {
        &self.schema
    }

    async fn get(&self, key: &Key) -> Result<Option<Stored<Value>>> {
        let name = self.document(key);
        let found = self
            .documents("table.get", std::slice::from_ref(&name))
            .await?
            .remove(&name);
        match found {
            Some(document) => self.stored(&document, now()),
            None => Ok(None),
        }
    }

    async fn write(&self, batch: &[Write]) -> Result<Vec<Option<Version>>> {
        self.write_batch(batch).await
    }

    async fn query(&self, query: &Query) -> Result<Page<Value>> {
        self.query_page(query).await
    }

    async fn scan(&self, limit: usize, cursor: Option<&str>) -> Result<Page<Value>> {
        self.scan_page(limit, cursor).await
    }

    fn as_any(&self) -> &dyn Any {
        // There is no client of Google's underneath; this one sends what it is given.
        &self.rest
    }
}

//! Writes: one by one request, several of one partition by one transaction.
//!
//! The change feed does not tell an insertion from a change, so the driver writes into the item which of the two it was. That is known of a conditional write. A plain one is
//! tried as an insertion first, and is a change if there is an item already.

mod batch;

use azure_core::http::RawResponse;
use nephos_core::event::ChangeKind;
use nephos_core::resource::table::{Condition, Key, Version, Write};
use nephos_core::{Error, ErrorKind, Result};

use super::AzureTable;
use super::cosmos::{Terms, etag, is_missing, success};
use super::item::{self, Document};

const PUT: &str = "table.put";
const DELETE: &str = "table.delete";

impl AzureTable {
    pub(super) async fn write_all(&self, batch: &[Write]) -> Result<Vec<Option<Version>>> {
        match batch {
            [write] => {
                let key = self.key(write)?;
                self.write_one(write)
                    .await
                    .map(|version| vec![version])
                    .map_err(|error| self.of(error).with("index", 0).with("key", key))
            }
            batch => self.write_together(batch).await,
        }
    }

    fn key(&self, write: &Write) -> Result<Key> {
        match write {
            Write::Put { item, .. } => self.schema.key_of(item).map_err(|error| self.of(error)),
            Write::Delete { key, .. } => Ok(key.clone()),
        }
    }

    async fn write_one(&self, write: &Write) -> Result<Option<Version>> {
        match write {
            Write::Put { item, condition } => {
                let document = Document::of(&self.schema, item)?;
                let expiry = self.schema.expiry_of(item)?;
                let etag = self.put(document, condition).await?;
                Ok(Some(item::version(&etag, expiry)))
            }
            Write::Delete { key, condition } => self.delete(key, condition).await.map(|()| None),
        }
    }

    async fn put(&self, document: Document, condition: &Condition) -> Result<String> {
        if let Condition::Version(version) = condition {
            let tag = item::etag(version).ok_or_else(|| changed(PUT))?;
            let answer = self
                .send(document, ChangeKind::Modified, Some(tag), false)
                .await?;
            return match u16::from(answer.status()) {
                412 => Err(changed(PUT)),
                _ if is_missing(&answer) => Err(changed(PUT)),
                _ => etag(PUT, &success(PUT, answer)?),
            };
        }
        let inserted = self
            .send(document.clone(), ChangeKind::Inserted, None, false)
            .await?;
        if u16::from(inserted.status()) != 409 {
            return etag(PUT, &success(PUT, inserted)?);
        }
        if *condition == Condition::Absent {
            return self.replace_expired(document).await;
        }
        let replaced = self.send(document, ChangeKind::Modified, None, true).await?;
        etag(PUT, &success(PUT, replaced)?)
    }

    /// The service removes what has expired some time later: until then it is in the way.
    async fn replace_expired(&self, document: Document) -> Result<String> {
        if self.schema.ttl.is_none() {
            return Err(exists(PUT));
        }
        let there = match self.find(PUT, &document.key).await {
            Ok(there) => there,
            // Whoever may only write cannot look. Within a second or two the service itself does not see the item any more.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return Err(exists(PUT)),
            Err(error) => return Err(error),
        };
        let answer = match there {
            Some(there) if !there.is_expired() => return Err(exists(PUT)),
            Some(there) => {
                self.send(document, ChangeKind::Inserted, Some(&there.etag), false)
                    .await?
            }
            None => self.send(document, ChangeKind::Inserted, None, false).await?,
        };
        match u16::from(answer.status()) {
            // Somebody else was faster.
            409 | 412 => Err(exists(PUT)),
            _ => etag(PUT, &success(PUT, answer)?),
        }
    }

    async fn send(
        &self,
        document: Document,
        change: ChangeKind,
        if_match: Option<&str>,
        upsert: bool,
    ) -> Result<RawResponse> {
        let partition = document.key.partition.clone();
        let terms = Terms { if_match, upsert };
        self.cosmos
            .put(PUT, &partition, &document.written(change), terms)
            .await
    }

    async fn delete(&self, key: &Key, condition: &Condition) -> Result<()> {
        let tag = match condition {
            Condition::Version(version) => Some(item::etag(version).ok_or_else(|| changed(DELETE))?),
            _ => None,
        };
        if *condition == Condition::Absent {
            return self.must_be_absent(key).await;
        }
        let answer = self
            .cosmos
            .delete(DELETE, &key.partition, &item::id_of(key), tag)
            .await?;
        match u16::from(answer.status()) {
            412 => Err(changed(DELETE)),
            _ if is_missing(&answer) && tag.is_some() => Err(changed(DELETE)),
            _ if is_missing(&answer) => Ok(()),
            _ => success(DELETE, answer).map(|_| ()),
        }
    }

    /// To delete what is not there is to do nothing, if it is not there.
    async fn must_be_absent(&self, key: &Key) -> Result<()> {
        match self.find(DELETE, key).await? {
            Some(there) if !there.is_expired() => Err(exists(DELETE)),
            _ => Ok(()),
        }
    }
}

fn exists(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::AlreadyExists,
        operation,
        "there is an item of this key already",
    )
}

fn changed(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::Conflict,
        operation,
        "the item is another version by now; read it again, and repeat the write",
    )
}

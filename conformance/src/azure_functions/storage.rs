//! A storage account's queues and blobs over REST, signed with the account's key: what the host and Event Grid do there, and what tests read back.

mod sign;

use std::time::Duration;

use chrono::{DateTime, Utc};
use nephos_core::{Error, ErrorKind, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::refused;
use super::settings::Connection;

const VERSION: &str = "2025-05-05";

/// What stays as it is in a blob's name.
const NAME: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// A storage account.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its key, in Base64.
    pub key: String,
    /// Where its blobs are (`http://127.0.0.1:10000/name`).
    pub blobs: String,
    /// Where its queues are.
    pub queues: String,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("name", &self.name)
            .field("blobs", &self.blobs)
            .field("queues", &self.queues)
            .finish_non_exhaustive()
    }
}

/// A message as it was received.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are those of the service")]
pub struct Message {
    pub message_id: String,
    pub insertion_time: String,
    pub expiration_time: String,
    #[serde(default)]
    pub pop_receipt: String,
    #[serde(default)]
    pub time_next_visible: String,
    pub dequeue_count: u32,
    #[serde(default)]
    pub message_text: String,
}

impl Message {
    /// A time of the message.
    pub(super) fn time(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc2822(text).map_or(DateTime::<Utc>::MAX_UTC, |time| time.with_timezone(&Utc))
    }
}

#[derive(Debug, Deserialize)]
struct Messages {
    #[serde(default, rename = "QueueMessage")]
    messages: Vec<Message>,
}

/// A blob as a listing tells of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are those of the service")]
pub struct Blob {
    pub name: String,
    pub properties: Properties,
}

/// What a listing tells of a blob.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "the names are those of the service")]
pub struct Properties {
    #[serde(rename = "Etag", default)]
    pub etag: String,
    #[serde(rename = "Content-Length", default)]
    pub length: u64,
    #[serde(rename = "Content-Type", default)]
    pub content_type: String,
    #[serde(rename = "BlobType", default)]
    pub blob_type: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listing {
    blobs: Blobs,
    #[serde(default)]
    next_marker: String,
}

#[derive(Debug, Deserialize)]
struct Blobs {
    #[serde(default, rename = "Blob")]
    blobs: Vec<Blob>,
}

impl Account {
    /// The account behind a connection: the one of its connection string, or `known` where an identity is to be used, whose key is needed because nobody here checks tokens.
    pub(super) fn of(connection: &Connection, known: Option<&Self>) -> Result<Self> {
        let fields = connection.fields();
        let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        if matches!(connection, Connection::Text(_)) {
            let [name, key, queues] = ["accountname", "accountkey", "queueendpoint"].map(field);
            if name.is_empty() || key.is_empty() || queues.is_empty() {
                return Err(refused(
                    "the connection string of a storage account needs AccountName, AccountKey and QueueEndpoint".to_owned(),
                ));
            }
            return Ok(Self {
                name: name.to_owned(),
                key: key.to_owned(),
                blobs: field("blobendpoint").trim_end_matches('/').to_owned(),
                queues: queues.trim_end_matches('/').to_owned(),
            });
        }
        let uri = field("queueserviceuri").trim_end_matches('/');
        known
            .filter(|account| {
                uri == account.queues || (uri.is_empty() && field("accountname") == account.name)
            })
            .cloned()
            .ok_or_else(|| {
                refused(format!(
                    "no storage account is known at `queueServiceUri` `{uri}`: name the account's own, without a queue"
                ))
            })
    }

    /// The account's connection string.
    #[must_use]
    pub fn connection_string(&self) -> String {
        format!(
            "DefaultEndpointsProtocol=http;AccountName={};AccountKey={};BlobEndpoint={};QueueEndpoint={};",
            self.name, self.key, self.blobs, self.queues
        )
    }

    /// Makes a queue, if it is not there.
    ///
    /// # Errors
    /// The service's.
    pub async fn create_queue(&self, queue: &str) -> Result<()> {
        let url = format!("{}/{queue}", self.queues);
        self.call("PUT", &url, &[], b"", &[201, 204]).await.map(drop)
    }

    /// Sends a message with this text, as it is.
    ///
    /// # Errors
    /// The service's; [`ErrorKind::NotFound`] if there is no such queue.
    pub async fn put_message(&self, queue: &str, text: &str) -> Result<()> {
        let body = format!(
            "<QueueMessage><MessageText>{}</MessageText></QueueMessage>",
            quick_xml::escape::escape(text)
        );
        let url = format!("{}/{queue}/messages", self.queues);
        self.call("POST", &url, &[], body.as_bytes(), &[201])
            .await
            .map(drop)
    }

    /// Receives up to `most` messages, which nobody else sees for `lease`.
    ///
    /// # Errors
    /// The service's; [`ErrorKind::NotFound`] if there is no such queue.
    pub async fn get_messages(&self, queue: &str, most: usize, lease: Duration) -> Result<Vec<Message>> {
        let query = format!(
            "numofmessages={most}&visibilitytimeout={}",
            lease.as_secs().max(1)
        );
        self.messages(queue, &query).await
    }

    /// Looks at up to 32 messages.
    ///
    /// # Errors
    /// The service's; [`ErrorKind::NotFound`] if there is no such queue.
    pub async fn peek_messages(&self, queue: &str) -> Result<Vec<Message>> {
        self.messages(queue, "numofmessages=32&peekonly=true").await
    }

    async fn messages(&self, queue: &str, query: &str) -> Result<Vec<Message>> {
        let url = format!("{}/{queue}/messages?{query}", self.queues);
        let answer = self.call("GET", &url, &[], b"", &[200]).await?;
        xml::<Messages>(&answer.body).map(|found| found.messages)
    }

    /// Deletes a message that was received.
    ///
    /// # Errors
    /// The service's; [`ErrorKind::NotFound`] if it is another's meanwhile.
    pub async fn delete_message(&self, queue: &str, id: &str, receipt: &str) -> Result<()> {
        let url = format!(
            "{}/{queue}/messages/{id}?popreceipt={}",
            self.queues,
            escaped(receipt)
        );
        self.call("DELETE", &url, &[], b"", &[204]).await.map(drop)
    }

    /// Says when a message that was received is seen again, and gives the new receipt.
    ///
    /// # Errors
    /// As [`delete_message`](Self::delete_message).
    pub async fn update_message(
        &self,
        queue: &str,
        id: &str,
        receipt: &str,
        after: Duration,
    ) -> Result<String> {
        let url = format!(
            "{}/{queue}/messages/{id}?popreceipt={}&visibilitytimeout={}",
            self.queues,
            escaped(receipt),
            after.as_secs()
        );
        let answer = self.call("PUT", &url, &[], b"", &[204]).await?;
        Ok(answer
            .headers
            .get("x-ms-popreceipt")
            .and_then(|value| value.to_str().ok())
            .unwrap_or(receipt)
            .to_owned())
    }

    /// Makes a container, if it is not there.
    ///
    /// # Errors
    /// The service's.
    pub async fn create_container(&self, container: &str) -> Result<()> {
        let url = format!("{}/{container}?restype=container", self.blobs);
        self.call("PUT", &url, &[], b"", &[201, 409]).await.map(drop)
    }

    /// Writes a block blob whole.
    ///
    /// # Errors
    /// The service's.
    pub async fn put_blob(&self, container: &str, name: &str, content_type: &str, body: &[u8]) -> Result<()> {
        let url = self.blob_url(container, name);
        let headers = [("x-ms-blob-type", "BlockBlob"), ("content-type", content_type)];
        self.call("PUT", &url, &headers, body, &[201]).await.map(drop)
    }

    /// Deletes a blob.
    ///
    /// # Errors
    /// The service's; [`ErrorKind::NotFound`] if it is not there.
    pub async fn delete_blob(&self, container: &str, name: &str) -> Result<()> {
        let url = self.blob_url(container, name);
        self.call("DELETE", &url, &[], b"", &[202]).await.map(drop)
    }

    /// All blobs of a container.
    ///
    /// # Errors
    /// The service's; [`ErrorKind::NotFound`] if there is no such container.
    pub async fn list_blobs(&self, container: &str) -> Result<Vec<Blob>> {
        let mut found = Vec::new();
        let mut marker = String::new();
        loop {
            let url = format!(
                "{}/{container}?restype=container&comp=list&marker={}",
                self.blobs,
                escaped(&marker)
            );
            let answer = self.call("GET", &url, &[], b"", &[200]).await?;
            let page: Listing = xml(&answer.body)?;
            found.extend(page.blobs.blobs);
            if page.next_marker.is_empty() {
                return Ok(found);
            }
            marker = page.next_marker;
        }
    }

    /// Where a blob is.
    #[must_use]
    pub fn blob_url(&self, container: &str, name: &str) -> String {
        format!("{}/{container}/{}", self.blobs, utf8_percent_encode(name, NAME))
    }

    async fn call(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        expected: &[u16],
    ) -> Result<crate::http::Answer> {
        let date = Utc::now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let mut headers: Vec<(&str, &str)> = headers.to_vec();
        headers.push(("x-ms-date", &date));
        headers.push(("x-ms-version", VERSION));
        let authorization = self.sign(method, url, &headers, body.len())?;
        headers.push(("authorization", &authorization));
        let answer = crate::http::call_with(method, url, body, &headers)
            .await
            .map_err(|error| {
                Error::new(
                    ErrorKind::Unavailable,
                    "storage.call",
                    "the storage account does not answer",
                )
                .caused_by(error.to_string())
            })?;
        if expected.contains(&answer.status) {
            return Ok(answer);
        }
        let kind = match answer.status {
            404 => ErrorKind::NotFound,
            400 => ErrorKind::InvalidArgument,
            401 | 403 => ErrorKind::PermissionDenied,
            409 | 412 => ErrorKind::Conflict,
            _ => ErrorKind::Unavailable,
        };
        Err(
            Error::new(kind, "storage.call", "the storage account refused a request")
                .with("request", format!("{method} {url}"))
                .with("status", answer.status)
                .caused_by(answer.text()),
        )
    }
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn xml<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T> {
    let text = String::from_utf8_lossy(body);
    quick_xml::de::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| {
        Error::new(
            ErrorKind::Decode,
            "storage.read",
            "the storage account's answer cannot be read",
        )
        .caused_by(error)
    })
}

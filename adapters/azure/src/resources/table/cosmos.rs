//! Requests to a container: <https://learn.microsoft.com/rest/api/cosmos-db/documents>.

use std::sync::Arc;

use azure_core::http::headers::HeaderName;
use azure_core::http::{Method, RawResponse, Request, Url};
use nephos_core::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::config::Config;
use crate::config::signing::{MasterKey, date};
use crate::resources::rest::{Proof, Rest, TokenForm};

/// The version of the interface: the first with tokens of Microsoft Entra ID and with transactions.
const VERSION: &str = "2020-07-15";

const CONTINUATION: HeaderName = HeaderName::from_static("x-ms-continuation");
const ETAG: HeaderName = HeaderName::from_static("etag");
const SUBSTATUS: HeaderName = HeaderName::from_static("x-ms-substatus");

/// The substatus of a 404 that says that the container itself is not there.
const NO_CONTAINER: &str = "1003";

/// A container.
#[derive(Debug)]
pub(super) struct Cosmos {
    rest: Rest,
    documents: Url,
}

/// Some documents, and where to go on.
#[derive(Debug)]
pub(super) struct Documents {
    pub(super) documents: Vec<Map<String, Value>>,
    pub(super) continuation: Option<String>,
}

/// How a request to one document differs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Terms<'a> {
    pub(super) if_match: Option<&'a str>,
    pub(super) upsert: bool,
}

impl Cosmos {
    /// The container of this URL (`https://<account>.documents.azure.com/dbs/<db>/colls/<container>`).
    pub(super) fn open(config: &Config, physical: &str) -> Result<Self> {
        let mut documents = config.address(physical)?;
        let parts: Vec<&str> = documents.path_segments().into_iter().flatten().collect();
        let [.., "dbs", database, "colls", container] = parts.as_slice() else {
            return Err(not_a_container(physical));
        };
        if database.is_empty() || container.is_empty() {
            return Err(not_a_container(physical));
        }
        let proof = match config.cosmos_key() {
            Some(key) => Proof::Signed(Arc::new(MasterKey(key.clone()))),
            // The account's own name is what a token is for, wherever it is asked.
            None => Proof::Token(scope(physical)?, TokenForm::Cosmos),
        };
        if let Ok(mut parts) = documents.path_segments_mut() {
            parts.push("docs");
        }
        Ok(Self {
            rest: Rest::new(config, &documents, proof),
            documents,
        })
    }

    pub(super) fn rest(&self) -> &Rest {
        &self.rest
    }

    /// Whether it is an emulator: no account is asked over plain HTTP.
    pub(super) fn is_emulator(&self) -> bool {
        self.documents.scheme() == "http"
    }

    fn request(&self, method: Method, id: Option<&str>, partition: Option<&str>) -> Request {
        let mut url = self.documents.clone();
        if let (Some(id), Ok(mut parts)) = (id, url.path_segments_mut()) {
            parts.push(id);
        }
        let mut request = Request::new(url, method);
        request.insert_header("x-ms-version", VERSION);
        request.insert_header("x-ms-date", date());
        request.insert_header("accept", "application/json");
        match partition {
            Some(partition) => {
                request.insert_header("x-ms-documentdb-partitionkey", partition_header(partition));
            }
            None => request.insert_header("x-ms-documentdb-query-enablecrosspartition", "True"),
        }
        request
    }

    /// The document, if it is there.
    pub(super) async fn get(
        &self,
        operation: &'static str,
        partition: &str,
        id: &str,
    ) -> Result<Option<Map<String, Value>>> {
        let mut request = self.request(Method::Get, Some(id), Some(partition));
        if self.is_emulator() {
            // It fails for a document that is not there, unless it is told to look everywhere.
            request.insert_header("x-ms-documentdb-query-enablecrosspartition", "True");
        }
        let answer = self.rest.ask(operation, request).await?;
        if is_missing(&answer) {
            return Ok(None);
        }
        read(operation, &success(operation, answer)?).map(Some)
    }

    /// Creates the document, or replaces it; returns its tag. The answer may be a refusal.
    pub(super) async fn put(
        &self,
        operation: &'static str,
        partition: &str,
        document: &Value,
        terms: Terms<'_>,
    ) -> Result<RawResponse> {
        let id = document.get("id").and_then(Value::as_str);
        let (method, id) = match terms.if_match {
            Some(_) => (Method::Put, id),
            None => (Method::Post, None),
        };
        let mut request = self.request(method, id, Some(partition));
        request.insert_header("content-type", "application/json");
        // The document is known here.
        request.insert_header("prefer", "return=minimal");
        if let Some(etag) = terms.if_match {
            request.insert_header("if-match", etag.to_owned());
        }
        if terms.upsert {
            request.insert_header("x-ms-documentdb-is-upsert", "True");
        }
        request.set_body(bytes::Bytes::from(document.to_string()));
        self.rest.ask(operation, request).await
    }

    /// Deletes the document. The answer may be a refusal.
    pub(super) async fn delete(
        &self,
        operation: &'static str,
        partition: &str,
        id: &str,
        if_match: Option<&str>,
    ) -> Result<RawResponse> {
        let mut request = self.request(Method::Delete, Some(id), Some(partition));
        if let Some(etag) = if_match {
            request.insert_header("if-match", etag.to_owned());
        }
        self.rest.ask(operation, request).await
    }

    /// Does all operations or none; returns what became of each.
    pub(super) async fn batch(
        &self,
        operation: &'static str,
        partition: &str,
        operations: &[Value],
    ) -> Result<Vec<Outcome>> {
        let mut request = self.request(Method::Post, None, Some(partition));
        request.insert_header("content-type", "application/json");
        request.insert_header("x-ms-cosmos-is-batch-request", "True");
        request.insert_header("x-ms-cosmos-batch-atomic", "True");
        request.insert_header("x-ms-cosmos-batch-ordered", "True");
        request.set_body(bytes::Bytes::from(Value::from(operations.to_vec()).to_string()));
        let answer = self.rest.send(operation, request).await?;
        read(operation, &answer)
    }

    /// One page of a query; of one partition, or of all.
    pub(super) async fn query(
        &self,
        operation: &'static str,
        partition: Option<&str>,
        query: &Value,
        max: usize,
        continuation: Option<&str>,
    ) -> Result<Documents> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(rename = "Documents")]
            documents: Vec<Map<String, Value>>,
        }
        let mut request = self.request(Method::Post, None, partition);
        request.insert_header("content-type", "application/query+json");
        request.insert_header("x-ms-documentdb-isquery", "True");
        request.insert_header("x-ms-max-item-count", max.to_string());
        if let Some(continuation) = continuation {
            request.insert_header("x-ms-continuation", continuation.to_owned());
        }
        request.set_body(bytes::Bytes::from(query.to_string()));
        let answer = self.rest.send(operation, request).await?;
        let continuation = answer
            .headers()
            .get_optional_str(&CONTINUATION)
            .filter(|continuation| !continuation.is_empty())
            .map(str::to_owned);
        let Answer { documents } = read(operation, &answer)?;
        Ok(Documents {
            documents,
            continuation,
        })
    }
}

/// What became of one operation of a batch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Outcome {
    pub(super) status_code: u16,
    #[serde(default)]
    pub(super) sub_status_code: Option<u32>,
    #[serde(default)]
    pub(super) e_tag: Option<String>,
}

/// The answer, if it is a success.
pub(super) fn success(operation: &'static str, answer: RawResponse) -> Result<RawResponse> {
    if answer.status().is_success() {
        Ok(answer)
    } else {
        Err(crate::resources::rest::refused(operation, &answer))
    }
}

/// The tag of the document that a write made.
pub(super) fn etag(operation: &'static str, answer: &RawResponse) -> Result<String> {
    match answer.headers().get_optional_str(&ETAG) {
        Some(etag) => Ok(etag.to_owned()),
        None => Err(unreadable(operation)),
    }
}

/// Whether it says that there is no such document; that there is no container is an error.
pub(super) fn is_missing(answer: &RawResponse) -> bool {
    u16::from(answer.status()) == 404
        && !matches!(
            answer.headers().get_optional_str(&SUBSTATUS),
            Some(NO_CONTAINER | "1002")
        )
}

fn read<T: for<'de> Deserialize<'de>>(operation: &'static str, answer: &RawResponse) -> Result<T> {
    serde_json::from_slice(answer.body()).map_err(|error| unreadable(operation).caused_by(error))
}

fn unreadable(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        operation,
        "the answer is not one of Cosmos DB; check what lies between here and the endpoint",
    )
}

/// A list with the key, in ASCII.
fn partition_header(partition: &str) -> String {
    let json = Value::from(vec![partition]).to_string();
    let mut ascii = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && c != '\u{7f}' {
            ascii.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                ascii.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    ascii
}

/// What a token for the account is asked for.
fn scope(physical: &str) -> Result<String> {
    let url = Url::parse(physical).map_err(|error| not_a_container(physical).caused_by(error))?;
    match url.host_str() {
        Some(host) => Ok(format!("https://{host}/.default")),
        None => Err(not_a_container(physical)),
    }
}

fn not_a_container(physical: &str) -> Error {
    Error::new(
        ErrorKind::InvalidArgument,
        "context.open",
        "the table's URL does not name a container of Cosmos DB (`…/dbs/<database>/colls/<container>`); deploy the function again",
    )
    .with("url", physical)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(physical: &str) -> Result<Cosmos> {
        Cosmos::open(
            &Config::load(&std::iter::empty::<(&str, &str)>().collect())?,
            physical,
        )
    }

    #[test]
    fn a_containers_url_is_where_its_documents_are() {
        let cosmos = open("https://acct.documents.azure.com/dbs/app/colls/faces").unwrap();
        assert_eq!(
            cosmos.documents.as_str(),
            "https://acct.documents.azure.com/dbs/app/colls/faces/docs"
        );
        assert!(!cosmos.is_emulator());
        for physical in [
            "faces",
            "https://acct.documents.azure.com/dbs/app",
            "https://acct.documents.azure.com/dbs/app/colls/",
        ] {
            let error = open(physical).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{physical}");
        }
    }

    #[test]
    fn a_partition_key_is_ascii_in_a_header_whatever_it_is() {
        for key in ["a", "é 🦀", "\"\\", "\u{7f}\u{0}\n"] {
            let header = partition_header(key);
            assert!(
                header.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
                "{header}"
            );
            assert_eq!(serde_json::from_str::<Vec<String>>(&header).unwrap(), [key]);
        }
    }
}

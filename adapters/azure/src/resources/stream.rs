//! Streams of Event Hubs: <https://learn.microsoft.com/rest/api/eventhub/send-batch-events>.
//!
//! Records are appended by the service's REST interface, which neither tells a record's sequence nor reads. What reads is AMQP, by a crate that stands on another version
//! of `azure_core` than the rest does; a function gets its records by its trigger.

use std::any::Any;

use async_trait::async_trait;
use azure_core::http::{Request, Url};
use nephos_core::resource::Binding;
use nephos_core::resource::stream::{Append, Position, StreamCapabilities, StreamDriver, StreamPage};
use nephos_core::wiring;
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::bus;
use super::rest::{Proof, Rest, TokenForm, last_part};
use crate::config::Config;
use nephos_core::resource::parts::{PartLimits, parts};

const APPEND: &str = "stream.append";

/// The service that a token is for.
const SCOPE: &str = "https://eventhubs.azure.net/.default";

/// The version of the interface.
const VERSION: &str = "2014-01";

/// The most that one request appends; also the most bytes of one record: <https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas>.
const SEND: PartLimits = PartLimits {
    entries: 1_000,
    bytes: 1_048_576,
};

/// What the form of a record takes of it, besides what it carries.
const RESERVED: usize = 4_096;

/// A hub.
#[derive(Debug)]
pub struct AzureStream {
    rest: Rest,
    url: Url,
    name: String,
}

impl AzureStream {
    /// Opens the hub whose URL the binding holds (`sb:`).
    ///
    /// # Errors
    /// As [`wiring::physical`], and [`ErrorKind::InvalidArgument`] if it is not the URL of a hub.
    pub fn open(config: &Config, binding: &Binding) -> Result<Self> {
        let address = config.address(wiring::physical(binding)?)?;
        last_part(&address)?;
        let mut url = bus::messages(&address);
        url.query_pairs_mut().append_pair("api-version", VERSION);
        let proof = Proof::Token(SCOPE.to_owned(), TokenForm::Bearer);
        Ok(Self {
            rest: Rest::new(config, &url, proof),
            url,
            name: binding.name.clone(),
        })
    }

    fn of(&self, error: Error) -> Error {
        error.with("stream", &self.name)
    }

    /// The requests that append all records, in order: text of one key together, other bytes one by one.
    fn requests(&self, batch: &[Append]) -> Result<Vec<Request>> {
        let mut requests = Vec::new();
        let mut together: Vec<(Value, usize)> = Vec::new();
        let mut key: Option<&str> = None;
        for record in batch {
            let broker = json!({"PartitionKey": record.partition_key});
            let properties = bus::properties(&record.body, &record.attributes);
            let message = bus::in_json(&record.body, &broker, &properties);
            if key != Some(&record.partition_key) || message.is_none() {
                self.flush(&mut together, &mut requests)?;
            }
            key = Some(&record.partition_key);
            match message {
                Some(message) => {
                    let size = message.to_string().len();
                    together.push((message, size));
                }
                None => requests.push(bus::in_headers(
                    APPEND,
                    &self.url,
                    &record.body,
                    &broker,
                    &properties,
                )?),
            }
        }
        self.flush(&mut together, &mut requests)?;
        Ok(requests)
    }

    fn flush(&self, together: &mut Vec<(Value, usize)>, requests: &mut Vec<Request>) -> Result<()> {
        // With a comma or bracket each.
        for part in parts(together, SEND, |(_, size)| size + 2) {
            if let [(_, size)] = part
                && size + 2 > SEND.bytes
            {
                return Err(Error::new(
                    ErrorKind::ResourceExhausted,
                    APPEND,
                    "the record is larger than a hub takes with the signs that JSON escapes; put the content into a bucket and append its key",
                )
                .with("bytes", size)
                .with("max_bytes", SEND.bytes));
            }
            let messages: Vec<Value> = part.iter().map(|(message, _)| message.clone()).collect();
            // All of a request are in one partition, which the request itself must say.
            let broker = messages
                .first()
                .map(|message| message["BrokerProperties"].clone());
            let mut request = bus::list(&self.url, messages);
            request.insert_header("brokerproperties", bus::ascii(&broker.unwrap_or_default()));
            requests.push(request);
        }
        together.clear();
        Ok(())
    }
}

#[async_trait]
impl StreamDriver for AzureStream {
    fn capabilities(&self) -> StreamCapabilities {
        StreamCapabilities {
            max_record_bytes: SEND.bytes - RESERVED,
            attributes: true,
            read: false,
            sequences: false,
        }
    }

    async fn append_batch(&self, batch: &[Append]) -> Result<Vec<Option<String>>> {
        // All of them are written before the first is sent: one that is refused must not be found in the middle.
        for request in self.requests(batch).map_err(|error| self.of(error))? {
            self.rest
                .send(APPEND, request)
                .await
                .map_err(|error| self.of(error))?;
        }
        Ok(vec![None; batch.len()])
    }

    async fn read(&self, _position: &Position, _max: usize) -> Result<StreamPage> {
        Err(self.of(Error::new(
            ErrorKind::Unsupported,
            "stream.read",
            "a stream on Azure can only trigger functions; let a `stream` trigger read it",
        )))
    }

    fn as_any(&self) -> &dyn Any {
        // There is no client of Azure's underneath; this one sends what it is given.
        &self.rest
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use azure_core::http::Body;
    use nephos_core::resource::ResourceKind;

    use super::*;

    fn stream() -> AzureStream {
        let binding = Binding {
            name: "clicks".to_owned(),
            kind: ResourceKind::Stream,
            access: BTreeSet::new(),
            url: None,
            properties: BTreeMap::from([(
                wiring::PHYSICAL.to_owned(),
                "sb://ns.servicebus.windows.net/clicks".to_owned(),
            )]),
        };
        let config = Config::load(&std::iter::empty::<(&str, &str)>().collect()).unwrap();
        AzureStream::open(&config, &binding).unwrap()
    }

    fn body(request: &Request) -> &[u8] {
        match request.body() {
            Body::Bytes(bytes) => bytes,
            _ => panic!("a stream of bytes"),
        }
    }

    #[test]
    fn records_are_appended_in_order_and_text_of_one_key_together() {
        let batch = [
            Append::new("a", "1"),
            Append::new("a", "2"),
            Append::new("b", "3"),
            Append::new("b", vec![0xff]),
            Append::new("b", "4"),
        ];
        let requests = stream().requests(&batch).unwrap();
        let bodies: Vec<String> = requests
            .iter()
            .map(|request| String::from_utf8_lossy(body(request)).into_owned())
            .collect();
        assert_eq!(bodies.len(), 4, "{bodies:?}");
        let first: Value = serde_json::from_str(&bodies[0]).unwrap();
        assert_eq!((&first[0]["Body"], &first[1]["Body"]), (&json!("1"), &json!("2")));
        assert_eq!(first[0]["BrokerProperties"], json!({"PartitionKey": "a"}));
        assert_eq!(body(&requests[2]), [0xff]);
        assert_eq!(
            requests[0].url().as_str(),
            "https://ns.servicebus.windows.net/clicks/messages?api-version=2014-01"
        );
    }

    #[test]
    fn what_json_makes_too_large_is_refused_before_anything_is_sent() {
        let large = Append::new("a", "\u{1}".repeat(500_000));
        let error = stream().requests(&[Append::new("a", "1"), large]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
    }

    #[tokio::test]
    async fn a_stream_that_cannot_be_read_says_what_reads_it() {
        let error = stream().read(&Position::Oldest, 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains("trigger"), "{error}");
    }
}

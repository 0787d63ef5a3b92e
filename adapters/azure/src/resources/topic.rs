//! Topics of Event Grid: <https://learn.microsoft.com/azure/event-grid/post-to-custom-topic>.

use std::any::Any;

use async_trait::async_trait;
use azure_core::http::{Method, Request, Url};
use chrono::Utc;
use nephos_core::event::cloudevents::to_cloudevents;
use nephos_core::event::{Data, Event, Notification};
use nephos_core::resource::Binding;
use nephos_core::resource::topic::{Publication, TopicCapabilities, TopicDriver};
use nephos_core::wiring;
use nephos_core::{Error, ErrorKind, Result};

use super::rest::{Proof, Rest, TokenForm};
use crate::config::Config;
use nephos_core::resource::parts::{PartLimits, parts};

const OPERATION: &str = "topic.publish";

/// The service that a token is for.
const SCOPE: &str = "https://eventgrid.azure.net/.default";

/// The version of the interface.
const VERSION: &str = "2018-01-01";

/// The most that one request publishes; also the most bytes of one notification: <https://learn.microsoft.com/azure/event-grid/quotas-limits>.
const PUBLISH: PartLimits = PartLimits {
    entries: 5_000,
    bytes: 1_048_576,
};

/// What the form of a notification takes of it, besides what it carries.
const RESERVED: usize = 4_096;

/// A custom topic that takes CloudEvents.
///
/// A notification's largest size is declared for text. Bytes that are not text are carried as Base64, of which three quarters fit; beyond that, publishing is
/// refused with [`ErrorKind::ResourceExhausted`] before anything is sent.
#[derive(Debug)]
pub struct AzureTopic {
    rest: Rest,
    url: Url,
    name: String,
}

impl AzureTopic {
    /// Opens the topic whose URL the binding holds.
    ///
    /// # Errors
    /// As [`wiring::physical`], and [`ErrorKind::InvalidArgument`] if it is no URL.
    pub fn open(config: &Config, binding: &Binding) -> Result<Self> {
        let mut url = config.address(wiring::physical(binding)?)?;
        url.query_pairs_mut().append_pair("api-version", VERSION);
        let proof = Proof::Token(SCOPE.to_owned(), TokenForm::Bearer);
        Ok(Self {
            rest: Rest::new(config, &url, proof),
            url,
            name: binding.name.clone(),
        })
    }

    fn of(&self, error: Error) -> Error {
        error.with("topic", &self.name)
    }

    /// The notification's id, and its form.
    fn prepare(&self, publication: &Publication) -> Result<(String, String)> {
        let id = uuid::Uuid::new_v4().to_string();
        let notification = Notification {
            id: id.clone(),
            topic: self.name.clone(),
            body: publication.body.clone(),
            subject: publication.subject.clone(),
            attributes: publication.attributes.clone(),
            published_at: Some(Utc::now()),
        };
        let events = to_cloudevents(&Event::of(Data::Topic(notification))).map_err(|error| self.of(error))?;
        let json = events
            .first()
            .map(serde_json::to_string)
            .transpose()
            .ok()
            .flatten()
            .ok_or_else(|| {
                self.of(Error::new(
                    ErrorKind::InvalidArgument,
                    OPERATION,
                    "the notification cannot be written as JSON",
                ))
            })?;
        // With the brackets of the list.
        if json.len() + 2 <= PUBLISH.bytes {
            return Ok((id, json));
        }
        Err(self.of(
            Error::new(
                ErrorKind::ResourceExhausted,
                OPERATION,
                "the notification is larger than a topic takes, as bytes that are not text take a third more; put the content into a bucket and publish its key",
            )
            .with("bytes", json.len())
            .with("max_bytes", PUBLISH.bytes),
        ))
    }
}

#[async_trait]
impl TopicDriver for AzureTopic {
    fn capabilities(&self) -> TopicCapabilities {
        TopicCapabilities {
            max_message_bytes: PUBLISH.bytes - RESERVED,
            attributes: true,
        }
    }

    async fn publish_batch(&self, batch: &[Publication]) -> Result<Vec<String>> {
        // All of them are written before the first is sent: one that is too large must not be found in the middle.
        let prepared = batch
            .iter()
            .map(|publication| self.prepare(publication))
            .collect::<Result<Vec<_>>>()?;
        // With a comma or bracket each.
        for part in parts(&prepared, PUBLISH, |(_, json)| json.len() + 2) {
            let events: Vec<&str> = part.iter().map(|(_, json)| json.as_str()).collect();
            let mut request = Request::new(self.url.clone(), Method::Post);
            request.insert_header(
                "content-type",
                "application/cloudevents-batch+json; charset=utf-8",
            );
            request.set_body(bytes::Bytes::from(format!("[{}]", events.join(","))));
            self.rest
                .send(OPERATION, request)
                .await
                .map_err(|error| self.of(error))?;
        }
        Ok(prepared.into_iter().map(|(id, _)| id).collect())
    }

    fn as_any(&self) -> &dyn Any {
        // There is no client of Azure's underneath; this one sends what it is given.
        &self.rest
    }
}

//! What queues, topics and streams share: messages on their way into a topic of Pub/Sub.
//! <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/publish>

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nephos_core::event::Payload;
use nephos_core::resource::Binding;
use nephos_core::resource::parts::{PartLimits, parts};
use nephos_core::wiring;
use nephos_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::rest::Rest;
use crate::config::Config;
use crate::payload::to_attributes;

/// Where Pub/Sub is.
pub(crate) const SERVICE: &str = "https://pubsub.googleapis.com/v1";

/// What one request publishes: <https://cloud.google.com/pubsub/quotas#resource_limits>. It says 10 MB, in whatever form the request is counted.
const PUBLISH: PartLimits = PartLimits {
    entries: 1_000,
    bytes: 10_000_000 - 1_024,
};

/// The largest message, with its attributes: as much as a request holds in Base64, which takes a third more.
pub(super) const MAX_MESSAGE: usize = 7_000_000;

/// Of a message's attributes: <https://cloud.google.com/pubsub/quotas#resource_limits>
const MAX_ATTRIBUTES: usize = 100;
const MAX_NAME: usize = 256;
const MAX_VALUE: usize = 1_024;

/// The longest ordering key, in bytes: <https://cloud.google.com/pubsub/docs/ordering#publish_messages_with_ordering_keys>
const MAX_ORDERING_KEY: usize = 1_024;

/// A topic to publish to.
#[derive(Debug)]
pub(super) struct Publisher {
    pub(super) rest: Rest,
    /// `projects/p/topics/t`
    topic: String,
}

/// A message, as it is sent.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sent {
    #[serde(skip_serializing_if = "String::is_empty")]
    data: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ordering_key: Option<String>,
}

#[derive(Serialize)]
struct Publish<'a> {
    messages: &'a [Sent],
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Published {
    #[serde(default)]
    message_ids: Vec<String>,
}

/// The project and the last part of `projects/p/topics/t`.
pub(super) fn named<'a>(full: &'a str, collection: &str) -> Option<(&'a str, &'a str)> {
    let is_plain = |text: &str| {
        let is_taken = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~+%:".contains(&byte);
        text.bytes().all(is_taken) && text.bytes().any(|byte| byte.is_ascii_alphanumeric())
    };
    match full.split('/').collect::<Vec<_>>().as_slice() {
        ["projects", project, kind, name] if *kind == collection && is_plain(project) && is_plain(name) => {
            Some((project, name))
        }
        _ => None,
    }
}

impl Publisher {
    /// Opens the topic whose name the binding holds: `projects/p/topics/t`, or a name within the project.
    ///
    /// # Errors
    /// As [`wiring::physical`], and [`ErrorKind::InvalidArgument`] if it is no such name.
    pub(super) fn open(config: &Config, binding: &Binding) -> Result<Self> {
        let of = |error: Error| error.with(binding.kind.name(), &binding.name);
        let topic = config
            .full_name("topics", wiring::physical(binding)?)
            .map_err(of)?;
        if named(&topic, "topics").is_none() {
            return Err(of(Error::new(
                ErrorKind::InvalidArgument,
                "context.open",
                "it does not name a topic of Pub/Sub (`projects/<project>/topics/<name>`); deploy the function again",
            )
            .with("name", topic)));
        }
        Ok(Self {
            rest: Rest::new(config, SERVICE).map_err(of)?,
            topic,
        })
    }

    /// The topic's full name.
    pub(super) fn topic(&self) -> &str {
        &self.topic
    }

    /// Publishes all, in order; returns their ids in the same order.
    pub(super) async fn publish(&self, operation: &'static str, messages: &[Sent]) -> Result<Vec<String>> {
        let path = format!("/{}:publish", encoded(&self.topic));
        let mut ids = Vec::with_capacity(messages.len());
        for part in parts(messages, PUBLISH, Sent::size) {
            let published: Published = self
                .rest
                .post(operation, &path, &Publish { messages: part })
                .await?;
            if published.message_ids.len() != part.len() {
                return Err(crate::error::unreadable(
                    operation,
                    "it has another number of ids than there were messages",
                ));
            }
            ids.extend(published.message_ids);
        }
        Ok(ids)
    }
}

/// A full name as a part of a path: names may have a percent sign.
pub(super) fn encoded(full: &str) -> String {
    full.replace('%', "%25")
}

impl Sent {
    /// A message, before anything is sent: one that Pub/Sub does not take must not be found in the middle.
    pub(super) fn new(
        operation: &'static str,
        body: &Payload,
        subject: Option<&str>,
        attributes: &BTreeMap<String, String>,
        ordering_key: Option<&str>,
    ) -> Result<Self> {
        let refused = |message: &'static str| Error::new(ErrorKind::InvalidArgument, operation, message);
        let attributes = to_attributes(body.content_type.as_deref(), subject, attributes);
        if attributes.len() > MAX_ATTRIBUTES {
            return Err(refused("a message on Pub/Sub has at most 100 attributes, of which two may be Nephos's; put some into the body")
                .with("attributes", attributes.len()));
        }
        for (name, value) in &attributes {
            if name.len() > MAX_NAME {
                return Err(
                    refused("the name of an attribute on Pub/Sub has at most 256 bytes")
                        .with("bytes", name.len()),
                );
            }
            if value.len() > MAX_VALUE {
                return Err(refused(
                    "the value of an attribute on Pub/Sub has at most 1024 bytes; put it into the body",
                )
                .with("attribute", name)
                .with("bytes", value.len()));
            }
        }
        if ordering_key.is_some_and(|key| key.len() > MAX_ORDERING_KEY) {
            return Err(refused("an ordering key on Pub/Sub has at most 1024 bytes"));
        }
        if body.bytes.is_empty() && attributes.is_empty() {
            // Pub/Sub takes no message that says nothing.
            let attributes = BTreeMap::from([(crate::payload::EMPTY.to_owned(), String::new())]);
            return Ok(Self {
                data: String::new(),
                attributes,
                ordering_key: ordering_key.map(str::to_owned),
            });
        }
        Ok(Self {
            data: STANDARD.encode(&body.bytes),
            attributes,
            ordering_key: ordering_key.map(str::to_owned),
        })
    }

    /// At most so many bytes of JSON; a character of an attribute may be escaped to six.
    fn size(&self) -> usize {
        let attributes = self.attributes.iter();
        let attributes: usize = attributes
            .map(|(name, value)| 6 * (name.len() + value.len()) + 6)
            .sum();
        let key = self.ordering_key.as_deref().map_or(0, str::len);
        self.data.len() + attributes + 6 * key + 64
    }
}

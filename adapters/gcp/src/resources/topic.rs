//! Topics of Pub/Sub.

use std::any::Any;

use async_trait::async_trait;
use nephos_core::resource::Binding;
use nephos_core::resource::topic::{Publication, TopicCapabilities, TopicDriver};
use nephos_core::{Error, Result};

use super::pubsub::{MAX_MESSAGE, Publisher, Sent};
use crate::config::Config;

const OPERATION: &str = "topic.publish";

/// A topic.
#[derive(Debug)]
pub struct GcpTopic {
    publisher: Publisher,
    name: String,
}

impl GcpTopic {
    /// Opens the topic whose name the binding holds: `projects/p/topics/t`, or a name within the project.
    ///
    /// # Errors
    /// As [`physical`](nephos_core::wiring::physical), and [`ErrorKind::InvalidArgument`](nephos_core::ErrorKind::InvalidArgument) if it is no such name.
    pub fn open(config: &Config, binding: &Binding) -> Result<Self> {
        Ok(Self {
            publisher: Publisher::open(config, binding)?,
            name: binding.name.clone(),
        })
    }

    fn of(&self, error: Error) -> Error {
        error.with("topic", &self.name)
    }
}

#[async_trait]
impl TopicDriver for GcpTopic {
    fn capabilities(&self) -> TopicCapabilities {
        TopicCapabilities {
            max_message_bytes: MAX_MESSAGE,
            attributes: true,
        }
    }

    async fn publish_batch(&self, batch: &[Publication]) -> Result<Vec<String>> {
        let messages = batch
            .iter()
            .map(|one| {
                Sent::new(
                    OPERATION,
                    &one.body,
                    one.subject.as_deref(),
                    &one.attributes,
                    None,
                )
            })
            .collect::<Result<Vec<_>>>()
            .map_err(|error| self.of(error))?;
        self.publisher
            .publish(OPERATION, &messages)
            .await
            .map_err(|error| self.of(error))
    }

    fn as_any(&self) -> &dyn Any {
        // There is no client of Google's underneath; this one sends what it is given.
        &self.publisher.rest
    }
}

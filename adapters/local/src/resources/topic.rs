//! The topic driver over the embedded host's resource API.

use std::any::Any;

use async_trait::async_trait;
use nephos_core::Result;
use nephos_core::resource::ResourceKind;
use nephos_core::resource::topic::{Publication, TopicCapabilities, TopicDriver};

use super::capabilities;
use super::client::Client;
use super::parts;
use crate::wire::{IdsReply, PublishBody, resource_path};

/// A topic of the embedded host.
#[derive(Debug)]
pub struct LocalTopic {
    client: Client,
    name: String,
}

impl LocalTopic {
    /// The topic of this name.
    #[must_use]
    pub fn new(client: Client, name: &str) -> Self {
        Self {
            client,
            name: name.to_owned(),
        }
    }
}

#[async_trait]
impl TopicDriver for LocalTopic {
    fn capabilities(&self) -> TopicCapabilities {
        capabilities::TOPIC
    }

    async fn publish_batch(&self, batch: &[Publication]) -> Result<Vec<String>> {
        let path = resource_path(ResourceKind::Topic, &self.name, "publish");
        let mut ids = Vec::with_capacity(batch.len());
        for part in parts(batch, |notification| notification.body.bytes.len()) {
            let body = PublishBody {
                notifications: part.iter().map(Into::into).collect(),
            };
            let reply: IdsReply = self.client.call("topic.publish", &path, &body).await?;
            ids.extend(reply.ids);
        }
        Ok(ids)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

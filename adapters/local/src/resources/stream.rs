//! The stream driver over the embedded host's resource API.

use std::any::Any;

use async_trait::async_trait;
use nephos_core::Result;
use nephos_core::resource::ResourceKind;
use nephos_core::resource::stream::{Append, Position, StreamCapabilities, StreamDriver, StreamPage};

use super::capabilities;
use super::client::Client;
use super::parts;
use crate::wire::{AppendBody, ReadBody, ReadReply, SequencesReply, resource_path};

/// A stream of the embedded host.
#[derive(Debug)]
pub struct LocalStream {
    client: Client,
    name: String,
}

impl LocalStream {
    /// The stream of this name.
    #[must_use]
    pub fn new(client: Client, name: &str) -> Self {
        Self {
            client,
            name: name.to_owned(),
        }
    }

    fn path(&self, operation: &str) -> String {
        resource_path(ResourceKind::Stream, &self.name, operation)
    }
}

#[async_trait]
impl StreamDriver for LocalStream {
    fn capabilities(&self) -> StreamCapabilities {
        capabilities::STREAM
    }

    async fn append_batch(&self, batch: &[Append]) -> Result<Vec<Option<String>>> {
        let mut sequences = Vec::with_capacity(batch.len());
        for part in parts(batch, |record| record.body.bytes.len()) {
            let body = AppendBody {
                records: part.iter().map(Into::into).collect(),
            };
            let reply: SequencesReply = self
                .client
                .call("stream.append", &self.path("append"), &body)
                .await?;
            sequences.extend(reply.sequences);
        }
        Ok(sequences)
    }

    async fn read(&self, position: &Position, max: usize) -> Result<StreamPage> {
        let body = ReadBody {
            position: position.clone(),
            max,
        };
        let reply: ReadReply = self.client.call("stream.read", &self.path("read"), &body).await?;
        Ok(reply.into())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

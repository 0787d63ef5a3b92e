//! Streams on Kinesis.

mod append;
mod position;
mod read;

use std::any::Any;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_kinesis::Client;
use nephos_core::resource::Binding;
use nephos_core::resource::stream::{Append, Position, StreamCapabilities, StreamDriver, StreamPage};
use nephos_core::{Error, Result, wiring};

/// The largest record with its partition key, unless the stream's limit was raised:
/// <https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html>
const MAX_RECORD: usize = 1_048_576;

/// What the first line of a record may take, with its media type.
const RESERVED: usize = 1024;

/// A stream of Kinesis.
///
/// A record's sequence is Kinesis's number for it, as in the events of Lambda. Records of one partition key are in order; between keys there is none, because they may be
/// in different shards.
#[derive(Debug)]
pub struct AwsStream {
    client: Client,
    name: String,
    stream: String,
}

impl AwsStream {
    /// Opens the stream whose name the binding holds.
    ///
    /// # Errors
    /// As [`wiring::physical`].
    pub fn open(config: &SdkConfig, binding: &Binding) -> Result<Self> {
        Ok(Self {
            client: Client::new(config),
            name: binding.name.clone(),
            stream: wiring::physical(binding)?.to_owned(),
        })
    }

    fn of(&self, error: Error) -> Error {
        error.with("stream", &self.name)
    }
}

#[async_trait]
impl StreamDriver for AwsStream {
    fn capabilities(&self) -> StreamCapabilities {
        StreamCapabilities {
            max_record_bytes: MAX_RECORD - RESERVED,
            attributes: true,
            read: true,
            sequences: true,
        }
    }

    async fn append_batch(&self, batch: &[Append]) -> Result<Vec<Option<String>>> {
        append::append(self, batch).await
    }

    async fn read(&self, position: &Position, max: usize) -> Result<StreamPage> {
        read::read(self, position, max).await
    }

    fn as_any(&self) -> &dyn Any {
        &self.client
    }
}

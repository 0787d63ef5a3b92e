//! Streams as topics of Pub/Sub with ordering keys: <https://cloud.google.com/pubsub/docs/ordering>.

use std::any::Any;

use async_trait::async_trait;
use nephos_core::resource::Binding;
use nephos_core::resource::stream::{Append, Position, StreamCapabilities, StreamDriver, StreamPage};
use nephos_core::{Error, ErrorKind, Result};

use super::pubsub::{MAX_MESSAGE, Publisher, Sent};
use crate::config::Config;

const APPEND: &str = "stream.append";

/// A topic whose messages have their partition keys for ordering keys.
///
/// Pub/Sub keeps the order of one key only for what is published in one region, so a function appends from where it runs. A record has no number in a log, and nobody reads a
/// topic from a place of their choice: a function is triggered by it.
#[derive(Debug)]
pub struct GcpStream {
    publisher: Publisher,
    name: String,
}

impl GcpStream {
    /// Opens the stream whose topic the binding names: `projects/p/topics/t`, or a name within the project.
    ///
    /// # Errors
    /// As [`physical`](nephos_core::wiring::physical), and [`ErrorKind::InvalidArgument`] if it is no such name.
    pub fn open(config: &Config, binding: &Binding) -> Result<Self> {
        Ok(Self {
            publisher: Publisher::open(config, binding)?,
            name: binding.name.clone(),
        })
    }

    fn of(&self, error: Error) -> Error {
        error.with("stream", &self.name)
    }
}

#[async_trait]
impl StreamDriver for GcpStream {
    fn capabilities(&self) -> StreamCapabilities {
        StreamCapabilities {
            max_record_bytes: MAX_MESSAGE,
            attributes: true,
            read: false,
            sequences: false,
        }
    }

    async fn append_batch(&self, batch: &[Append]) -> Result<Vec<Option<String>>> {
        let messages = batch
            .iter()
            .map(|one| {
                let key = Some(one.partition_key.as_str());
                Sent::new(APPEND, &one.body, None, &one.attributes, key)
            })
            .collect::<Result<Vec<_>>>()
            .map_err(|error| self.of(error))?;
        let ids = self.publisher.publish(APPEND, &messages).await;
        // An id tells no order.
        Ok(ids
            .map_err(|error| self.of(error))?
            .into_iter()
            .map(|_| None)
            .collect())
    }

    async fn read(&self, _position: &Position, _max: usize) -> Result<StreamPage> {
        Err(self.of(Error::new(
            ErrorKind::Unsupported,
            "stream.read",
            "a topic of Pub/Sub is not read from a place of one's choice; let a function be triggered by the stream",
        )))
    }

    fn as_any(&self) -> &dyn Any {
        // There is no client of Google's underneath; this one sends what it is given.
        &self.publisher.rest
    }
}

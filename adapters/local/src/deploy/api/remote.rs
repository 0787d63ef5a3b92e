//! The command's side of the API: an engine that runs in another process.

use bytes::Bytes;
use futures::stream::{self, Stream};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request};
use http_body_util::BodyExt as _;
use nephos_core::event::cloudevents::to_json;
use nephos_core::event::{Message, Payload};
use nephos_core::resource::ResourceKind;
use nephos_core::resource::queue::Received;
use nephos_core::{Error, ErrorKind, Event, Outcome, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::events::decode_outcome;
use crate::resources::LocalDrivers;
use crate::resources::client::{Client, failure, read};
use crate::wire::{OutcomeKind, PeekBody, ReceiveReply, query_value, resource_path};

/// A running engine, over its API with the admin token.
#[derive(Debug, Clone)]
pub struct Remote {
    client: Client,
}

impl Remote {
    /// The engine whose API is at `base` (`http://127.0.0.1:4567`).
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn new(base: &str, token: &str) -> Result<Self> {
        Client::new(base, token).map(|client| Self { client })
    }

    /// Drivers of the engine's resources.
    #[must_use]
    pub fn drivers(&self) -> LocalDrivers {
        LocalDrivers::new(self.client.clone())
    }

    /// What is running.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the engine does not answer, or its own.
    pub async fn status(&self) -> Result<serde_json::Value> {
        self.get("engine.status", "/v1/status").await
    }

    /// The names of the resources of one kind.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub async fn names(&self, kind: ResourceKind) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Listing {
            names: Vec<String>,
        }
        let listing: Listing = self.get("engine.list", &format!("/v1/{}", kind.name())).await?;
        Ok(listing.names)
    }

    /// Calls a function with `event`, directly, without retries. A handler's failure is an outcome.
    ///
    /// # Errors
    /// As [`status`](Self::status), [`ErrorKind::NotFound`] if there is no such function.
    pub async fn invoke(&self, function: &str, event: &Event) -> Result<Outcome> {
        const OPERATION: &str = "engine.invoke";
        let path = format!("/v1/invoke/{}", query_value(function));
        let request = post(OPERATION, &path, event)?;
        let response = self.client.exchange(OPERATION, request).await?;
        if OutcomeKind::of(response.headers()).is_none() {
            return Err(failure(OPERATION, response).await);
        }
        let (parts, body) = response.into_parts();
        let bytes = body
            .collect()
            .await
            .map_err(|error| broke_off(OPERATION, error))?;
        decode_outcome(parts, bytes.to_bytes(), &event.record_ids())
    }

    /// Gives `event` to every trigger that it fits; returns how many those were.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub async fn emit(&self, event: &Event) -> Result<usize> {
        #[derive(Deserialize)]
        struct Emitted {
            triggers: usize,
        }
        const OPERATION: &str = "engine.emit";
        let request = post(OPERATION, "/v1/emit", event)?;
        let response = self.client.send(OPERATION, request).await?;
        let emitted: Emitted = parse(OPERATION, &read(OPERATION, response).await?)?;
        Ok(emitted.triggers)
    }

    /// A queue's messages in the order of their sending, at most `max`, without receiving them.
    ///
    /// # Errors
    /// As [`status`](Self::status), [`ErrorKind::NotFound`] if there is no such queue.
    pub async fn peek(&self, queue: &str, max: usize) -> Result<Vec<Message<Payload>>> {
        let path = resource_path(ResourceKind::Queue, queue, "peek");
        let reply: ReceiveReply = self.client.call("queue.peek", &path, &PeekBody { max }).await?;
        Ok(reply
            .messages
            .into_iter()
            .map(|message| Received::from(message).message)
            .collect())
    }

    /// What happens from now on; ends with the engine.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub async fn activity(&self) -> Result<impl Stream<Item = Result<serde_json::Value>> + Send + 'static> {
        const OPERATION: &str = "engine.activity";
        let request = get(OPERATION, "/v1/activity")?;
        let body = self.client.send(OPERATION, request).await?.into_body();
        let lines = Lines {
            body,
            pending: Vec::new(),
        };
        Ok(stream::try_unfold(lines, |mut lines| async move {
            let line = lines.next(OPERATION).await?;
            line.map(|line| Ok((parse(OPERATION, &line)?, lines))).transpose()
        }))
    }

    async fn get<T: DeserializeOwned>(&self, operation: &'static str, path: &str) -> Result<T> {
        let response = self.client.send(operation, get(operation, path)?).await?;
        parse(operation, &read(operation, response).await?)
    }
}

/// A body, line by line.
struct Lines {
    body: hyper::body::Incoming,
    pending: Vec<u8>,
}

impl Lines {
    async fn next(&mut self, operation: &'static str) -> Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let rest = self.pending.split_off(end + 1);
                return Ok(Some(std::mem::replace(&mut self.pending, rest)));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self
                    .pending
                    .extend_from_slice(frame.data_ref().map(Bytes::as_ref).unwrap_or_default()),
                Some(Err(error)) => return Err(broke_off(operation, error)),
                None => return Ok(None),
            }
        }
    }
}

fn get(operation: &'static str, path: &str) -> Result<Request<Bytes>> {
    Request::get(path)
        .body(Bytes::new())
        .map_err(|error| invalid(operation, error))
}

fn post(operation: &'static str, path: &str, event: &Event) -> Result<Request<Bytes>> {
    let (content_type, body) = to_json(event)?;
    Request::post(path)
        .header(CONTENT_TYPE, HeaderValue::from_static(content_type))
        .body(body)
        .map_err(|error| invalid(operation, error))
}

fn invalid(operation: &'static str, error: http::Error) -> Error {
    Error::new(
        ErrorKind::InvalidArgument,
        operation,
        "the request's path is no URL",
    )
    .caused_by(error)
}

fn broke_off(operation: &'static str, error: hyper::Error) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        operation,
        "the connection to the embedded host broke off",
    )
    .caused_by(error)
}

fn parse<T: DeserializeOwned>(operation: &'static str, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        Error::new(
            ErrorKind::Internal,
            operation,
            "the embedded host's answer cannot be read",
        )
        .caused_by(error)
    })
}

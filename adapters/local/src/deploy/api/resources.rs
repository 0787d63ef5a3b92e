//! `POST /v1/{kind}/{name}/{operation}`: the drivers' methods, behind the same checks that a function's own handles make.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use nephos_core::resource::queue::{Receipt, Received};
use nephos_core::resource::stream::Position;
use nephos_core::resource::table::{Query, Write};
use nephos_core::resource::{Access, ResourceKind};
use nephos_core::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;

use super::{Caller, Problem, ResourceRegistry, Shared, json, read};
use crate::deploy::store::EmbeddedQueue;
use crate::wire::{
    AckBody, AppendBody, ExtendBody, GetBody, IdsReply, ItemReply, MAX_RESOURCE_BYTES, NackBody, PeekBody,
    PublishBody, ReadBody, ReadReply, ReceiveBody, ReceiveReply, ScanBody, SecretBody, SecretReply, SendBody,
    SequencesReply, VersionsReply, WriteBody,
};

/// The longest that a receive waits for a first message.
const MAX_WAIT: Duration = Duration::from_secs(300);

pub(super) async fn operate(
    State(shared): State<Arc<Shared>>,
    Path((kind, name, operation)): Path<(String, String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    // Who may not ask does not have his body read.
    let caller = shared.tokens.caller(request.headers())?.clone();
    let (kind, access) = operation_of(&kind, &operation)?;
    if let Some(access) = access {
        caller.require(kind, &name, access)?;
    }
    let body = read(request, MAX_RESOURCE_BYTES).await?;
    let call = Call {
        registry: &shared.registry,
        caller: &caller,
        name: &name,
        operation: &operation,
        body: &body,
    };
    match kind {
        ResourceKind::Queue => call.queue().await,
        ResourceKind::Topic => call.topic().await,
        ResourceKind::Stream => call.stream().await,
        ResourceKind::Table => call.table().await,
        ResourceKind::Secret => call.secret().await,
        ResourceKind::Bucket => Err(no_such_operation("bucket", &operation).into()),
    }
}

/// The kind, and the access that the operation needs; `None` where each entry of its body needs its own.
fn operation_of(kind: &str, operation: &str) -> Result<(ResourceKind, Option<Access>)> {
    let known = match (kind, operation) {
        ("queue", "send") => (ResourceKind::Queue, Some(Access::Send)),
        ("queue", "receive" | "ack" | "nack" | "extend" | "depth" | "peek") => {
            (ResourceKind::Queue, Some(Access::Receive))
        }
        ("topic", "publish") => (ResourceKind::Topic, Some(Access::Publish)),
        ("stream", "append") => (ResourceKind::Stream, Some(Access::Write)),
        ("stream", "read") => (ResourceKind::Stream, Some(Access::Read)),
        ("table", "get" | "query" | "scan") => (ResourceKind::Table, Some(Access::Read)),
        ("table", "write") => (ResourceKind::Table, None),
        ("secret", "get") => (ResourceKind::Secret, Some(Access::Read)),
        _ => return Err(no_such_operation(kind, operation)),
    };
    Ok(known)
}

fn no_such_operation(kind: &str, operation: &str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        "api.route",
        "resources of this kind have no such operation",
    )
    .with("kind", kind)
    .with("operation", operation)
}

/// One request.
struct Call<'a> {
    registry: &'a ResourceRegistry,
    caller: &'a Caller,
    name: &'a str,
    operation: &'a str,
    body: &'a [u8],
}

impl Call<'_> {
    fn body<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(self.body).map_err(|error| {
            Error::new(
                ErrorKind::InvalidArgument,
                "api.read",
                "the request's body is not the JSON that the operation takes",
            )
            .with("operation", self.operation)
            .caused_by(error)
        })
    }

    async fn queue(&self) -> Result<Response, Problem> {
        let queue = self.registry.queue(self.name)?;
        match self.operation {
            "send" => {
                let body: SendBody = self.body()?;
                let messages = body.messages.into_iter().map(Into::into).collect();
                let ids = queue.send_batch(messages).await?;
                json(&IdsReply { ids })
            }
            "receive" => {
                let body: ReceiveBody = self.body()?;
                let received = queue
                    .receive(
                        body.max,
                        Duration::from_millis(body.visibility_timeout_ms),
                        Duration::from_millis(body.wait_ms).min(MAX_WAIT),
                    )
                    .await?;
                let messages = received.into_iter().map(Into::into).collect();
                json(&ReceiveReply { messages })
            }
            "ack" => {
                let body: AckBody = self.body()?;
                json(&queue.ack_batch(&body.receipts).await?)
            }
            "nack" => {
                let body: NackBody = self.body()?;
                json(
                    &queue
                        .nack(&body.receipt, Duration::from_millis(body.delay_ms))
                        .await?,
                )
            }
            "extend" => {
                let body: ExtendBody = self.body()?;
                let timeout = Duration::from_millis(body.visibility_timeout_ms);
                json(&queue.extend(&body.receipt, timeout).await?)
            }
            "depth" => json(&queue.depth().await?),
            "peek" => {
                let body: PeekBody = self.body()?;
                let embedded = queue.driver().as_any().downcast_ref::<EmbeddedQueue>();
                let embedded = embedded.ok_or_else(|| no_such_operation("queue", "peek"))?;
                let messages = embedded.peek(body.max).await?.into_iter();
                // Nobody received them: there is nothing to acknowledge.
                let unreceived = |message| Received {
                    message,
                    receipt: Receipt(String::new()),
                };
                json(&ReceiveReply {
                    messages: messages.map(|message| unreceived(message).into()).collect(),
                })
            }
            other => Err(no_such_operation("queue", other).into()),
        }
    }

    async fn topic(&self) -> Result<Response, Problem> {
        let topic = self.registry.topic(self.name)?;
        let body: PublishBody = self.body()?;
        let notifications = body.notifications.into_iter().map(Into::into).collect();
        let ids = topic.publish_batch(notifications).await?;
        json(&IdsReply { ids })
    }

    async fn stream(&self) -> Result<Response, Problem> {
        let stream = self.registry.stream(self.name)?;
        match self.operation {
            "append" => {
                let body: AppendBody = self.body()?;
                let records = body.records.into_iter().map(Into::into).collect();
                let sequences = stream.append_batch(records).await?;
                json(&SequencesReply { sequences })
            }
            "read" => {
                let ReadBody { position, max }: ReadBody = self.body()?;
                let position: Position = position;
                json(&ReadReply::from(stream.read(&position, max).await?))
            }
            other => Err(no_such_operation("stream", other).into()),
        }
    }

    async fn table(&self) -> Result<Response, Problem> {
        match self.operation {
            "get" => {
                let table = self.registry.table(self.name)?;
                let body: GetBody = self.body()?;
                let item = table.get_stored(body.key).await?;
                json(&ItemReply { item })
            }
            "write" => {
                let body: WriteBody = self.body()?;
                for write in &body.batch {
                    let access = match write {
                        Write::Put { .. } => Access::Write,
                        Write::Delete { .. } => Access::Delete,
                    };
                    self.caller.require(ResourceKind::Table, self.name, access)?;
                }
                if body.batch.is_empty() {
                    self.caller
                        .require(ResourceKind::Table, self.name, Access::Write)?;
                }
                let versions = self.registry.table(self.name)?.write_batch(body.batch).await?;
                json(&VersionsReply { versions })
            }
            "query" => {
                let table = self.registry.table(self.name)?;
                let query: Query = self.body()?;
                json(&table.query::<serde_json::Value>(&query).await?)
            }
            "scan" => {
                let table = self.registry.table(self.name)?;
                let ScanBody { limit, cursor } = self.body()?;
                json(&table.scan::<serde_json::Value>(limit, cursor.as_deref()).await?)
            }
            other => Err(no_such_operation("table", other).into()),
        }
    }

    async fn secret(&self) -> Result<Response, Problem> {
        let secret = self.registry.secret(self.name)?;
        let body: SecretBody = self.body()?;
        let value = match &body.version {
            Some(version) => secret.get_version(version).await?,
            None => secret.get().await?,
        };
        json(&SecretReply {
            base64: value.expose().clone(),
            version: value.version().map(str::to_owned),
        })
    }
}

//! Tries everything with the resource `thing`, and reports what was allowed.

use std::collections::BTreeMap;
use std::time::Duration;

use nephos::prelude::*;
use nephos::resource::stream::Position;
use nephos_conformance::probe::Command;
use serde_json::json;

use crate::act::observe;

const THING: &str = "thing";

/// The message's tag is the kind of the resource.
#[nephos::function]
pub(crate) async fn prober(message: Message<Command>, cx: Context) -> Result<()> {
    let mut tried: BTreeMap<&str, Result<()>> = BTreeMap::new();
    match message.body.tag.as_str() {
        "bucket" => {
            tried.insert(
                "read",
                async { cx.bucket(THING)?.list("", None, 1).await.map(drop) }.await,
            );
            tried.insert(
                "write",
                async { cx.bucket(THING)?.put("a", "x").await.map(drop) }.await,
            );
            tried.insert("delete", async { cx.bucket(THING)?.delete("a").await }.await);
        }
        "queue" => {
            tried.insert("send", async { cx.queue(THING)?.send("x").await.map(drop) }.await);
            let receive = async {
                cx.queue(THING)?
                    .receive(1, Duration::from_secs(1), Duration::ZERO)
                    .await
                    .map(drop)
            };
            tried.insert("receive", receive.await);
        }
        "topic" => {
            tried.insert(
                "publish",
                async { cx.topic(THING)?.publish("x").await.map(drop) }.await,
            );
        }
        "stream" => {
            tried.insert(
                "read",
                async { cx.stream(THING)?.read(&Position::Oldest, 1).await.map(drop) }.await,
            );
            tried.insert(
                "write",
                async { cx.stream(THING)?.append(Append::new("k", "x")).await.map(drop) }.await,
            );
        }
        "table" => {
            tried.insert(
                "read",
                async { cx.table(THING)?.get::<serde_json::Value>("a").await.map(drop) }.await,
            );
            tried.insert(
                "write",
                async { cx.table(THING)?.put(&json!({"id": "a"})).await.map(drop) }.await,
            );
            tried.insert("delete", async { cx.table(THING)?.delete("a").await }.await);
        }
        "secret" => {
            tried.insert("read", async { cx.secret(THING)?.get().await.map(drop) }.await);
        }
        other => return Err(Error::reject(format!("no kind of resource: {other}"))),
    }
    let outcomes: BTreeMap<_, _> = tried
        .iter()
        .map(|(access, outcome)| match outcome {
            // That a secret is not set is told only to who may read it.
            Ok(()) => (*access, "allowed"),
            Err(error) if error.kind() == ErrorKind::NotFound => (*access, "allowed"),
            Err(error) => (*access, error.kind().name()),
        })
        .collect();
    observe(
        &cx,
        &message.body.tag,
        message.attempt,
        &message.id,
        json!(outcomes),
    )
    .await
}

//! Tries everything with the resource `thing`, and reports what was allowed.

use std::collections::BTreeMap;
use std::time::Duration;

use nephos::prelude::*;
use nephos::resource::bucket::SignedMethod;
use nephos::resource::stream::Position;
use nephos::resource::table::{Condition, Query, Write};
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
            tried.insert(
                "read+write copy",
                async { cx.bucket(THING)?.copy("a", "b").await }.await,
            );
            let content = || futures::stream::iter([Ok::<_, std::io::Error>("x".into())]);
            tried.insert(
                "write put_stream",
                async {
                    let bucket = cx.bucket(THING)?;
                    bucket
                        .put_stream("c", content(), Default::default())
                        .await
                        .map(drop)
                }
                .await,
            );
            for (access, method) in [
                ("read signed_url", SignedMethod::Get),
                ("write signed_url", SignedMethod::Put),
                ("delete signed_url", SignedMethod::Delete),
            ] {
                let signed = async {
                    cx.bucket(THING)?
                        .signed_url(method, "a", Duration::from_secs(60))
                        .await
                        .map(drop)
                };
                tried.insert(access, signed.await);
            }
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
            tried.insert(
                "read query",
                async {
                    cx.table(THING)?
                        .query::<serde_json::Value>(&Query::partition("a"))
                        .await
                        .map(drop)
                }
                .await,
            );
            let put = || Write::Put {
                item: json!({"id": "b"}),
                condition: Condition::Always,
            };
            let delete = || Write::Delete {
                key: "c".into(),
                condition: Condition::Always,
            };
            for (access, batch) in [
                ("write write_batch", vec![put()]),
                ("delete write_batch", vec![delete()]),
                ("write+delete write_batch", vec![put(), delete()]),
            ] {
                let written = async { cx.table(THING)?.write_batch(batch).await.map(drop) };
                tried.insert(access, written.await);
            }
        }
        "secret" => {
            tried.insert("read", async { cx.secret(THING)?.get().await.map(drop) }.await);
        }
        other => return Err(Error::reject(format!("no kind of resource: {other}"))),
    }
    let outcomes: BTreeMap<_, _> = tried
        .iter()
        .map(|(access, outcome)| match outcome {
            // That a secret is not set, or that a bucket signs no URLs, is told only to who has the access.
            Ok(()) => (*access, "allowed"),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Unsupported) => {
                (*access, "allowed")
            }
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

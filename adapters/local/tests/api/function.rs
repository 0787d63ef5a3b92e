//! A function with its resources, both over real sockets: host, handler, driver, API, store.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use nephos_core::adapter::Launch;
use nephos_core::env::{Environment, WIRING};
use nephos_core::event::{Data, Tick};
use nephos_core::resource::NoExternalBuckets;
use nephos_core::{Context, ErrorKind, Event, Function, Outcome, Result, TraceContext};
use nephos_local::events::{decode_outcome, encode_delivery};
use nephos_local::host::serve_on;
use nephos_local::wire::{ENV_API, ENV_TOKEN, Meta, pipes};
use tokio::net::UnixListener;

use crate::support::{Api, WORKER};

#[tokio::test]
async fn a_handler_uses_its_resources_and_no_others() {
    async fn work(_: Tick, cx: Context) -> Result<()> {
        let id = cx.queue("orders")?.send("from the handler").await?;
        cx.table("faces")?
            .put(&serde_json::json!({"id": "sent", "at": id}))
            .await?;
        cx.queue("private")?.send("never").await?;
        Ok(())
    }
    let api = Api::start().await;
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(folder.path().join("s")).unwrap();
    let wiring = serde_json::to_string(&api.app.wiring("worker").unwrap()).unwrap();
    let launch = Launch {
        function: Function::new("work", work),
        environment: Environment::from_iter([
            (ENV_API, api.base()),
            (ENV_TOKEN, WORKER.to_owned()),
            (WIRING, wiring),
        ]),
        external: Arc::new(NoExternalBuckets),
    };
    let served = tokio::spawn(async move { serve_on(listener, launch, std::future::pending()).await });

    let event = Event::of(Data::Schedule(Tick {
        schedule: "every 5 minutes".to_owned(),
        due_at: chrono::DateTime::UNIX_EPOCH,
        past_due: false,
    }));
    let meta = Meta {
        invocation_id: "i".to_owned(),
        timeout: Duration::from_secs(20),
        attempt: 1,
        trace: TraceContext::default(),
    };
    let stream = pipes::connect(&folder.path().join("s")).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let request = encode_delivery(&event, &meta).unwrap().map(Full::new);
    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    let outcome = decode_outcome(parts, body.collect().await.unwrap().to_bytes(), &[]).unwrap();

    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.to_string().contains("queue=private"), "{error}");
    let queue = api.resources().queue("orders").unwrap();
    let received = queue
        .receive(5, Duration::from_secs(30), Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(received.len(), 1);
    assert_eq!(&*received[0].message.body.bytes, b"from the handler");
    served.abort();
}

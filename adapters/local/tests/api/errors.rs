//! What the API refuses, and how errors come over.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::{Method, Request};
use http_body_util::BodyExt as _;
use nephos_core::resource::queue::{Depth, Outgoing, QueueCapabilities, QueueDriver, Receipt, Received};
use nephos_core::resource::secret::SecretDriver as _;
use nephos_core::resource::table::{Condition, Key, TableDriver as _, TableSchema, Write};
use nephos_core::{Error, ErrorKind, Result};
use nephos_local::deploy::api::Remote;
use nephos_local::resources::client::Client;
use nephos_local::resources::queue::LocalQueue;
use nephos_local::resources::secret::LocalSecret;
use nephos_local::resources::table::LocalTable;
use serde_json::{Value, json};

use crate::support::{ADMIN, Api, WORKER};

const KINDS: [ErrorKind; 18] = [
    ErrorKind::NotFound,
    ErrorKind::AlreadyExists,
    ErrorKind::Conflict,
    ErrorKind::InvalidArgument,
    ErrorKind::PermissionDenied,
    ErrorKind::Unauthenticated,
    ErrorKind::ResourceExhausted,
    ErrorKind::Unsupported,
    ErrorKind::DeadlineExceeded,
    ErrorKind::Unavailable,
    ErrorKind::Decode,
    ErrorKind::DataLoss,
    ErrorKind::Rejected,
    ErrorKind::Handler,
    ErrorKind::Panicked,
    ErrorKind::Crashed,
    ErrorKind::Cancelled,
    ErrorKind::Internal,
];

/// Fails to ack with the kind that the receipt says.
#[derive(Debug)]
struct Failing;

fn failure(kind: ErrorKind) -> Error {
    let cause = Error::new(ErrorKind::DataLoss, "disk.read", "unreadable").caused_by("bit rot");
    Error::new(kind, "queue.ack", "it failed, as told")
        .with("queue", "orders")
        // So that the portable type asks only once.
        .retryable(false)
        .caused_by(cause)
}

#[async_trait]
impl QueueDriver for Failing {
    fn capabilities(&self) -> QueueCapabilities {
        nephos_local::resources::capabilities::QUEUE
    }

    async fn send_batch(&self, _batch: &[Outgoing]) -> Result<Vec<String>> {
        Err(failure(ErrorKind::Internal))
    }

    async fn receive(&self, _max: usize, _lease: Duration, _wait: Duration) -> Result<Vec<Received>> {
        Err(failure(ErrorKind::Internal))
    }

    async fn ack(&self, receipts: &[Receipt]) -> Result<()> {
        let told = KINDS.into_iter().find(|kind| kind.name() == receipts[0].0);
        Err(failure(told.unwrap_or(ErrorKind::Internal)))
    }

    async fn nack(&self, _receipt: &Receipt, _delay: Duration) -> Result<()> {
        Err(failure(ErrorKind::Internal))
    }

    async fn extend(&self, _receipt: &Receipt, _lease: Duration) -> Result<Receipt> {
        Err(failure(ErrorKind::Internal))
    }

    async fn depth(&self) -> Result<Depth> {
        Err(failure(ErrorKind::Internal))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[tokio::test]
async fn a_drivers_error_of_any_kind_comes_over_whole() {
    let api = Api::with(|registry| {
        registry.queues.insert("orders".to_owned(), Arc::new(Failing));
    })
    .await;
    let queue = LocalQueue::new(Client::new(&api.base(), WORKER).unwrap(), "orders");
    for kind in KINDS {
        let error = queue.ack(&[Receipt(kind.name().to_owned())]).await.unwrap_err();
        assert_eq!(format!("{error:?}"), format!("{:?}", failure(kind)));
        assert_eq!((error.kind(), error.is_retryable()), (kind, false));
    }
}

#[tokio::test]
async fn a_function_reaches_what_its_uses_declares_and_nothing_else() {
    let api = Api::start().await;
    let client = Client::new(&api.base(), WORKER).unwrap();

    let undeclared = LocalQueue::new(client.clone(), "private")
        .depth()
        .await
        .unwrap_err();
    assert_eq!(undeclared.kind(), ErrorKind::PermissionDenied);
    assert!(
        undeclared.to_string().contains("queue=private, missing=receive"),
        "{undeclared}"
    );

    // That it does not exist is not told either.
    let missing = LocalQueue::new(client.clone(), "nothing")
        .depth()
        .await
        .unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::PermissionDenied);

    // It may write, but not delete; a batch with both is refused as a whole.
    let schema = TableSchema {
        key: "id".to_owned(),
        sort: Some("at".to_owned()),
        ttl: None,
    };
    let table = LocalTable::new(client.clone(), "faces", schema);
    let batch = [
        Write::Put {
            item: json!({"id": "a", "at": "1"}),
            condition: Condition::Always,
        },
        Write::Delete {
            key: Key::sorted("a", "2"),
            condition: Condition::Always,
        },
    ];
    let denied = table.write(&batch).await.unwrap_err();
    assert!(denied.to_string().contains("missing=delete"), "{denied}");
    assert!(table.get(&Key::sorted("a", "1")).await.unwrap().is_none());

    // The credentials of an outside bucket that it uses are its to read; other secrets are not.
    assert!(
        LocalSecret::new(client.clone(), "archive-keys")
            .get(None)
            .await
            .is_ok()
    );
    let denied = LocalSecret::new(client.clone(), "other-key")
        .get(None)
        .await
        .unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::PermissionDenied);

    // What the command may do is not for functions.
    let remote = Remote::new(&api.base(), WORKER).unwrap();
    assert_eq!(
        remote.status().await.unwrap_err().kind(),
        ErrorKind::PermissionDenied
    );
}

#[tokio::test]
async fn a_token_that_nobody_was_given_opens_nothing() {
    let api = Api::start().await;
    for token in ["", "worker-tokem", "worker-token2"] {
        let queue = LocalQueue::new(Client::new(&api.base(), token).unwrap(), "orders");
        let error = queue.depth().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    }
    let debug = format!("{:?}", Client::new(&api.base(), WORKER).unwrap());
    assert!(!debug.contains(WORKER), "{debug}");
}

#[tokio::test]
async fn the_api_checks_what_a_functions_handle_checks() {
    let api = Api::start().await;
    let queue = LocalQueue::new(Client::new(&api.base(), ADMIN).unwrap(), "orders");
    let year = Duration::from_secs(365 * 24 * 3600);
    let error = queue
        .send_batch(&[Outgoing::new("a").delay(year)])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let missing = LocalQueue::new(Client::new(&api.base(), ADMIN).unwrap(), "nothing");
    assert_eq!(missing.depth().await.unwrap_err().kind(), ErrorKind::NotFound);
}

async fn raw(api: &Api, method: Method, path: &str, body: impl Into<bytes::Bytes>) -> (u16, Value) {
    let client = Client::new(&api.base(), ADMIN).unwrap();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .body(body.into())
        .unwrap();
    let response = client.exchange("test", request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

#[tokio::test]
async fn malformed_requests_are_answered_with_what_is_wrong() {
    let api = Api::start().await;
    let (status, problem) = raw(&api, Method::POST, "/v1/queue/orders/send", "{\"messages\":[{}]}").await;
    assert_eq!(status, 400);
    assert!(
        problem["causes"][0].as_str().unwrap().contains("body"),
        "{problem}"
    );
    let bad = r#"{"messages":[{"body":{"base64":"%"}}]}"#;
    let (status, problem) = raw(&api, Method::POST, "/v1/queue/orders/send", bad).await;
    assert_eq!(status, 400);
    assert!(
        problem["causes"][0].as_str().unwrap().contains("not base64"),
        "{problem}"
    );

    let (status, problem) = raw(&api, Method::POST, "/v1/queue/orders/steal", "{}").await;
    assert_eq!((status, &problem["kind"]), (404, &json!("not_found")));
    let (status, problem) = raw(&api, Method::POST, "/v1/cupboard/orders/send", "{}").await;
    assert_eq!(
        (status, &problem["context"][0]),
        (404, &json!(["kind", "cupboard"]))
    );
    let (status, problem) = raw(&api, Method::GET, "/nowhere/at/all", "").await;
    assert_eq!((status, &problem["operation"]), (404, &json!("api.route")));
    let (status, _) = raw(&api, Method::GET, "/v1/cupboard", "").await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_body_that_never_ends_is_cut_off() {
    let api = Api::start().await;
    let body = vec![b' '; (64 << 20) + 1];
    let (status, problem) = raw(&api, Method::POST, "/v1/queue/orders/send", body).await;
    assert_eq!((status, &problem["kind"]), (507, &json!("resource_exhausted")));
}

#[tokio::test]
async fn a_host_that_is_gone_is_unavailable_and_the_error_says_what_to_do() {
    let api = Api::start().await;
    let client = Client::new(&api.base(), WORKER).unwrap();
    let queue = LocalQueue::new(client, "orders");
    queue.depth().await.unwrap();
    api.stop.cancel();
    api.served.await.unwrap().unwrap();
    let error = queue.depth().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.is_retryable()),
        (ErrorKind::Unavailable, true)
    );
    assert!(
        error.to_string().contains("is `nephos dev` still running?"),
        "{error}"
    );
}

#[test]
fn an_address_that_is_none_is_refused() {
    for base in ["", "/tmp/socket", "https://127.0.0.1:1", "http://"] {
        assert_eq!(
            Client::new(base, "t").unwrap_err().kind(),
            ErrorKind::InvalidArgument,
            "{base}"
        );
    }
    assert_eq!(
        Client::new("http://127.0.0.1:1", "a\nb").unwrap_err().kind(),
        ErrorKind::InvalidArgument
    );
}

//! The function's host over a real Unix socket: deliveries, streams, damage, and an orderly end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use nephos_core::adapter::Launch;
use nephos_core::env::Environment;
use nephos_core::event::{self, Batch, Body, Data, Message, Payload, Tick};
use nephos_core::handler::PathParams;
use nephos_core::resource::NoExternalBuckets;
use nephos_core::{BatchOutcome, Context, Error, ErrorKind, Event, Function, Outcome, Result, TraceContext};
use nephos_local::events::{decode_outcome, encode_delivery, encode_http};
use nephos_local::host::serve_on;
use nephos_local::wire::{ENV_API, ENV_TOKEN, Meta, OutcomeKind, pipes};
use tokio::net::UnixListener;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;

type Sender = SendRequest<http_body_util::combinators::BoxBody<Bytes, Infallible>>;

/// A function's host under test, in this process.
struct Running {
    folder: tempfile::TempDir,
    end: Option<oneshot::Sender<()>>,
    served: JoinHandle<Result<()>>,
}

impl Running {
    fn start(function: Function) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("s")).unwrap();
        let environment = [
            (ENV_API, "http://127.0.0.1:9"),
            (ENV_TOKEN, "token"),
            ("NEPHOS_FUNCTION", "renamed"),
            ("NEPHOS_APP", "shop"),
        ];
        let launch = Launch {
            function,
            environment: Environment::from_iter(environment),
            external: Arc::new(NoExternalBuckets),
        };
        let (end, told) = oneshot::channel();
        let served = tokio::spawn(async move {
            serve_on(listener, launch, async {
                // A test that is over drops its side.
                let _ = told.await;
                Ok(())
            })
            .await
        });
        Self {
            folder,
            end: Some(end),
            served,
        }
    }

    async fn connect(&self) -> Sender {
        let stream = pipes::connect(&self.folder.path().join("s")).await.unwrap();
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        sender
    }

    async fn deliver(&self, event: &Event) -> Result<Outcome> {
        let request = encode_delivery(event, &meta())?;
        let response = send(&mut self.connect().await, request).await;
        outcome(response, &event.record_ids()).await
    }
}

fn meta() -> Meta {
    Meta {
        invocation_id: "i-7".to_owned(),
        timeout: Duration::from_secs(20),
        attempt: 3,
        trace: TraceContext {
            parent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
            state: None,
        },
    }
}

async fn send(sender: &mut Sender, request: Request<Bytes>) -> Response<Incoming> {
    sender
        .send_request(request.map(|body| Full::new(body).boxed()))
        .await
        .unwrap()
}

async fn outcome(response: Response<Incoming>, ids: &[&str]) -> Result<Outcome> {
    let (parts, body) = response.into_parts();
    decode_outcome(parts, body.collect().await.unwrap().to_bytes(), ids)
}

fn messages(bodies: &[&str]) -> Event {
    let messages = bodies.iter().enumerate().map(|(index, body)| Message {
        id: format!("m{index}"),
        queue: "orders".to_owned(),
        body: Payload::text(*body),
        attributes: Default::default(),
        group: None,
        attempt: 1,
        sent_at: None,
    });
    Event::of(Data::Queue(messages.collect()))
}

fn tick() -> Event {
    Event::of(Data::Schedule(Tick {
        schedule: "every 5 minutes".to_owned(),
        due_at: chrono::DateTime::UNIX_EPOCH,
        past_due: false,
    }))
}

fn http_request(path: &str, body: &'static str) -> Request<Bytes> {
    let mut request = Request::post(path).body(Bytes::from(body)).unwrap();
    let params = PathParams([("id".to_owned(), "7".to_owned())].into());
    encode_http(request.headers_mut(), &meta(), &params).unwrap();
    request
}

/// Polls until `condition` holds, for ten seconds at most.
async fn until(condition: impl Fn() -> bool) {
    let met = tokio::time::timeout(Duration::from_secs(10), async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    met.await.expect("the condition holds within ten seconds");
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), future)
        .await
        .expect("done within ten seconds")
}

#[tokio::test]
async fn the_context_holds_what_the_delivery_tells() {
    async fn look(_: Tick, cx: Context) -> Result<()> {
        let left = cx.remaining().unwrap_or_default();
        assert!(left > Duration::from_secs(10) && left <= Duration::from_secs(20));
        assert_eq!((cx.invocation_id(), cx.attempt()), ("i-7", 3));
        assert_eq!(
            (cx.app(), cx.function(), cx.target()),
            ("shop", "renamed", "local")
        );
        assert_eq!(cx.trace(), &meta().trace);
        let raw = cx.raw().map(|raw| raw.bytes.clone()).unwrap_or_default();
        assert!(String::from_utf8_lossy(&raw).contains("every 5 minutes"));
        Ok(())
    }
    let host = Running::start(Function::new("look", look));
    let outcome = host.deliver(&tick()).await.unwrap();
    assert!(matches!(outcome, Outcome::Ack), "{outcome:?}");
}

#[tokio::test]
async fn one_message_of_a_batch_fails_alone_and_its_error_comes_back_whole() {
    async fn fulfil(orders: Batch<Message<String>>) -> Result<BatchOutcome> {
        let mut outcome = BatchOutcome::new();
        for order in &orders {
            if order.body == "bad" {
                outcome.fail(
                    &order.id,
                    Error::reject("no such article").with("body", &order.body),
                );
            }
        }
        Ok(outcome)
    }
    let host = Running::start(Function::new("fulfil", fulfil));
    let outcome = host.deliver(&messages(&["good", "bad", "good"])).await.unwrap();
    let Outcome::Batch(batch) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(batch.failures().len(), 1);
    assert_eq!(batch.failures()[0].id, "m1");
    assert_eq!(
        batch.failures()[0].error.to_string(),
        "no such article (body=bad)"
    );
}

#[tokio::test]
async fn a_panic_is_an_error_of_its_invocation_and_the_connection_goes_on() {
    async fn fulfil(order: Message<String>) -> Result<()> {
        assert_ne!(order.body, "bad", "told to");
        Ok(())
    }
    let host = Running::start(Function::new("fulfil", fulfil));
    let mut sender = host.connect().await;
    let request = encode_delivery(&messages(&["bad"]), &meta()).unwrap();
    let Outcome::Batch(batch) = outcome(send(&mut sender, request).await, &["m0"]).await.unwrap() else {
        panic!()
    };
    assert_eq!(batch.failures()[0].error.kind(), ErrorKind::Panicked);
    let request = encode_delivery(&messages(&["good"]), &meta()).unwrap();
    let after = outcome(send(&mut sender, request).await, &["m0"]).await.unwrap();
    assert!(matches!(after, Outcome::Ack), "{after:?}");
}

#[tokio::test]
async fn the_deadline_of_the_delivery_ends_the_handler() {
    async fn hang(_: Tick) -> Result<()> {
        std::future::pending().await
    }
    let host = Running::start(Function::new("hang", hang));
    let meta = Meta {
        timeout: Duration::from_millis(30),
        ..meta()
    };
    let request = encode_delivery(&tick(), &meta).unwrap();
    let response = within(send(&mut host.connect().await, request)).await;
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    let outcome = outcome(response, &[]).await.unwrap();
    assert_eq!(
        outcome.error().map(Error::kind),
        Some(ErrorKind::DeadlineExceeded)
    );
}

#[tokio::test]
async fn what_is_no_delivery_is_answered_and_not_handled() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    async fn count(_: Event) -> Result<()> {
        CALLS.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
    let host = Running::start(Function::new("count", count));
    let mut sender = host.connect().await;

    let mut truncated = encode_delivery(&messages(&["a"]), &meta()).unwrap();
    let half = truncated.body().slice(..truncated.body().len() / 2);
    *truncated.body_mut() = half;
    let mut hasty = encode_delivery(&tick(), &meta()).unwrap();
    hasty
        .headers_mut()
        .insert("nephos-delivery", "event;attempt=1;id=i".parse().unwrap());
    let mut odd = http_request("/", "");
    odd.headers_mut()
        .insert("nephos-path-params", "[1]".parse().unwrap());
    let stranger = Request::get("/").body(Bytes::new()).unwrap();

    for (request, kind) in [
        (truncated, ErrorKind::Decode),
        (hasty, ErrorKind::InvalidArgument),
        (odd, ErrorKind::InvalidArgument),
        (stranger, ErrorKind::InvalidArgument),
    ] {
        let response = within(send(&mut sender, request)).await;
        assert_eq!(OutcomeKind::of(response.headers()), Some(OutcomeKind::Failed));
        let outcome = outcome(response, &[]).await.unwrap();
        assert_eq!(outcome.error().map(Error::kind), Some(kind), "{outcome:?}");
    }
    assert_eq!(CALLS.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn http_is_answered_with_the_handlers_own_response() {
    async fn echo(request: event::Request, cx: Context) -> http::Response<Body> {
        let params = request.extensions().get::<PathParams>().cloned();
        let seen = format!(
            "{} {} {:?} {} reserved={}",
            request.method(),
            request.uri(),
            params.unwrap_or_default().0.get("id"),
            cx.attempt(),
            request
                .headers()
                .keys()
                .any(|name| name.as_str().starts_with("nephos-")),
        );
        http::Response::builder()
            .status(StatusCode::CREATED)
            .header("x-seen", seen)
            .body(request.into_body())
            .unwrap()
    }
    let host = Running::start(Function::new("echo", echo));
    let response = send(&mut host.connect().await, http_request("/orders/7?x=1", "hi")).await;
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(OutcomeKind::of(response.headers()), Some(OutcomeKind::Http));
    assert_eq!(
        response.headers()["x-seen"],
        "POST /orders/7?x=1 Some(\"7\") 3 reserved=false"
    );
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hi");
}

#[tokio::test]
async fn bodies_stream_both_ways_at_once() {
    async fn double(request: event::Request) -> http::Response<Body> {
        let doubled = request
            .into_body()
            .into_data_stream()
            .map(|chunk| chunk.map(|chunk| Bytes::from([&chunk[..], &chunk[..]].concat())));
        http::Response::new(Body::from_stream(doubled))
    }
    let host = Running::start(Function::new("double", double));
    let (chunks, receiver) = mpsc::channel::<std::result::Result<Frame<Bytes>, Infallible>>(1);
    let body = StreamBody::new(futures::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|chunk| (chunk, receiver))
    }));
    let (parts, _) = http_request("/", "").into_parts();
    let mut sender = host.connect().await;
    chunks.send(Ok(Frame::data(Bytes::from("ab")))).await.unwrap();
    let request = Request::from_parts(parts, http_body_util::BodyExt::boxed(body));
    let mut answer = within(sender.send_request(request)).await.unwrap().into_body();
    // Each chunk's answer arrives before the next one is sent: nothing was buffered whole.
    for next in [Some("cd"), Some("ef"), None] {
        let frame = within(answer.frame()).await.unwrap().unwrap();
        assert_eq!(frame.data_ref().map(Bytes::len), Some(4));
        if let Some(next) = next {
            chunks.send(Ok(Frame::data(Bytes::from(next)))).await.unwrap();
        }
    }
    drop(chunks);
    assert!(within(answer.frame()).await.is_none());
}

#[tokio::test]
async fn a_client_that_goes_away_drops_its_handler_and_nothing_else() {
    struct Dropped(Arc<AtomicUsize>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let (dropped, started) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let (counter, notify) = (Arc::clone(&dropped), Arc::clone(&started));
    let function = Function::new("wait", move |request: event::Request| {
        let (guard, started) = (Dropped(Arc::clone(&counter)), Arc::clone(&notify));
        async move {
            if request.method() == Method::POST {
                started.notify_one();
                std::future::pending::<()>().await;
            }
            drop(guard);
            "ok"
        }
    });
    let host = Running::start(function);
    let mut sender = host.connect().await;
    let waiting = tokio::spawn(async move {
        let request = http_request("/", "").map(|body| Full::new(body).boxed());
        sender.send_request(request).await.map(drop)
    });
    within(started.notified()).await;
    waiting.abort();
    until(|| dropped.load(Ordering::SeqCst) == 1).await;

    let mut get = http_request("/", "");
    *get.method_mut() = Method::GET;
    let response = within(send(&mut host.connect().await, get)).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_host_finishes_what_is_in_flight_before_it_ends() {
    let (started, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (began, gate) = (Arc::clone(&started), Arc::clone(&go_on));
    let function = Function::new("wait", move |_: Tick| {
        let (began, gate) = (Arc::clone(&began), Arc::clone(&gate));
        async move {
            began.notify_one();
            gate.notified().await;
            Ok::<_, Error>(())
        }
    });
    let mut host = Running::start(function);
    let mut idle = host.connect().await;
    let mut busy = host.connect().await;
    let request = encode_delivery(&tick(), &meta()).unwrap();
    let waiting = tokio::spawn(async move { send(&mut busy, request).await });
    within(started.notified()).await;

    drop(host.end.take());
    // The connection that rests is closed, and no new one is taken.
    within(async {
        while idle.ready().await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(!host.served.is_finished());
    assert!(pipes::connect(&host.folder.path().join("s")).await.is_err());

    go_on.notify_one();
    let response = within(waiting).await.unwrap();
    assert_eq!(OutcomeKind::of(response.headers()), Some(OutcomeKind::Ack));
    within(host.served).await.unwrap().unwrap();
}

//! Whole invocations against drivers of the test: tries, dead letters, batches that come again, requests.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use nephos_conformance::fake::Fake;
use nephos_core::adapter::Launch;
use nephos_core::app::{ObjectEventKind, Retry, Trigger};
use nephos_core::env::Environment;
use nephos_core::event::{Batch, Body, Message, ObjectCreated, Record, Request, Response, read_body};
use nephos_core::handler::Handler;
use nephos_core::resource::NoExternalBuckets;
use nephos_core::route::RouteSpec;
use nephos_core::wiring::Wiring;
use nephos_core::{Context, Error, Function, Result, dead_letter};
use serde_json::{Value, json};

use super::site::Site;
use crate::package::Package;

const LETTERS: &str = "https://shop.queue.core.windows.net/letters";

fn package(trigger: Trigger) -> Package {
    let retry = Retry {
        attempts: 3,
        ..Retry::default()
    };
    Package {
        wiring: Wiring {
            dead_letter: Some(LETTERS.to_owned()),
            timeout: Some(Duration::from_secs(5)),
            retry: Some(retry),
            ..Wiring::default()
        },
        triggers: [("it".to_owned(), trigger)].into(),
        ..Package::default()
    }
}

fn site<Args, H: Handler<Args>>(handler: H, fake: &Fake, package: Package) -> Arc<Site> {
    let launch = Launch {
        function: Function::new("fulfil", handler),
        environment: Environment::default(),
        external: Arc::new(NoExternalBuckets),
    };
    Arc::new(Site::with_drivers(launch, package, Arc::new(fake.clone())).unwrap())
}

/// Gives a request the id that the host gives what it calls for.
fn invoked(request: &mut Request) {
    let id = "0a1b2c3d-0000-4000-8000-0123456789ab".parse().unwrap();
    request.headers_mut().insert("x-azure-functions-invocationid", id);
}

async fn posted(site: &Arc<Site>, path: &str, document: Value) -> (StatusCode, Value) {
    let mut request = Request::new(Body::from(document.to_string()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = path.parse().unwrap();
    invoked(&mut request);
    let (parts, body) = site.handle(request).await.into_parts();
    let bytes = read_body(body, 1 << 20, None).await.unwrap();
    (parts.status, serde_json::from_slice(&bytes).unwrap_or_default())
}

fn queue() -> Package {
    package(Trigger::Queue {
        queue: "jobs".to_owned(),
        batch: 1,
    })
}

/// A message as the Functions host delivers it, its text as JSON within JSON.
fn message(text: &str, tries: u32) -> Value {
    json!({
        "Data": {"item": json!(text).to_string()},
        "Metadata": {"DequeueCount": tries.to_string(), "Id": "\"m-1\"", "InsertionTime": "\"2026-02-03T12:00:00+00:00\""},
    })
}

async fn fulfil(message: Message<String>) -> Result<()> {
    match message.body.as_str() {
        "reject" => Err(Error::reject("no such article")),
        "retry" => Err(Error::retry("later")),
        "panic" => panic!("oh"),
        _ => Ok(()),
    }
}

fn fact(fake: &Fake, name: &str) -> Vec<String> {
    fake.sent()
        .iter()
        .map(|letter| letter.attributes[name].clone())
        .collect()
}

#[tokio::test]
async fn a_message_is_done_with_or_comes_again() {
    let fake = Fake::default();
    let site = site(fulfil, &fake, queue());
    assert_eq!(fake.opened(), [LETTERS]);
    let (status, answer) = posted(&site, "/it", message("a", 1)).await;
    assert_eq!((status, &answer["Outputs"]), (StatusCode::OK, &json!({})));
    for (text, reason) in [("retry", "later"), ("panic", "panicked")] {
        let (status, answer) = posted(&site, "/it", message(text, 2)).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{text}");
        assert!(answer["Logs"][0].as_str().unwrap().contains(reason), "{answer}");
    }
    assert!(fake.sent().is_empty());
}

#[tokio::test]
async fn what_is_rejected_or_failed_for_the_last_time_is_a_dead_letter_and_done_with() {
    let fake = Fake::default();
    let site = site(fulfil, &fake, queue());
    assert_eq!(posted(&site, "/it", message("reject", 1)).await.0, StatusCode::OK);
    assert_eq!(posted(&site, "/it", message("retry", 3)).await.0, StatusCode::OK);
    assert_eq!(fact(&fake, dead_letter::KIND), ["rejected", "handler"]);
    assert_eq!(fact(&fake, dead_letter::ATTEMPTS), ["1", "3"]);
    assert_eq!(fake.sent()[1].body.bytes, "retry");
}

#[tokio::test]
async fn a_message_whose_last_try_nobody_settled_is_given_up_without_another() {
    let fake = Fake::default();
    let site = site(fulfil, &fake, queue());
    assert_eq!(posted(&site, "/it", message("a", 4)).await.0, StatusCode::OK);
    // The handler would have succeeded.
    assert_eq!(fact(&fake, dead_letter::KIND), ["crashed"]);
}

#[tokio::test]
async fn what_cannot_be_sent_is_not_done_with() {
    let fake = Fake::down();
    let site = site(fulfil, &fake, queue());
    assert_eq!(
        posted(&site, "/it", message("reject", 3)).await.0,
        StatusCode::INTERNAL_SERVER_ERROR
    );
}

#[tokio::test]
async fn what_is_no_invocation_fails_and_says_so() {
    let fake = Fake::default();
    let site = site(fulfil, &fake, queue());
    let (status, answer) = posted(&site, "/it", json!([1])).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer["Logs"][0].is_string(), "{answer}");
    let mut ready = Request::new(Body::empty());
    *ready.uri_mut() = "/".parse().unwrap();
    assert_eq!(site.handle(ready).await.status(), StatusCode::NOT_FOUND);
}

fn stream() -> Package {
    package(Trigger::Stream {
        stream: "clicks".to_owned(),
        batch: 10,
    })
}

/// A batch as the Functions host delivers it.
fn records(texts: &[&str]) -> Value {
    let numbers: Vec<u64> = (1..=texts.len() as u64).collect();
    let keys: Vec<&str> = texts.iter().map(|_| "k").collect();
    let times: Vec<&str> = texts.iter().map(|_| "2026-02-03T12:00:00Z").collect();
    json!({
        "Data": {"item": json!(texts.iter().map(|text| STANDARD.encode(text)).collect::<Vec<_>>()).to_string()},
        "Metadata": {
            "PartitionKeyArray": json!(keys).to_string(), "SequenceNumberArray": json!(numbers).to_string(),
            "OffsetArray": json!(numbers.iter().map(u64::to_string).collect::<Vec<_>>()).to_string(),
            "EnqueuedTimeUtcArray": json!(times).to_string(), "PropertiesArray": json!(texts.iter().map(|_| json!({})).collect::<Vec<_>>()).to_string(),
        },
    })
}

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<(String, u32)>>>);

impl Seen {
    fn take(&self) -> Vec<(String, u32)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn push(&self, text: &str, attempt: u32) {
        self.0.lock().unwrap().push((text.to_owned(), attempt));
    }
}

fn pairs(pairs: &[(&str, u32)]) -> Vec<(String, u32)> {
    pairs
        .iter()
        .map(|(text, attempt)| ((*text).to_owned(), *attempt))
        .collect()
}

#[tokio::test]
async fn a_batch_stops_at_its_first_failure_and_goes_on_from_there() {
    let (fake, seen) = (Fake::default(), Seen::default());
    let kept = seen.clone();
    let handler = move |record: Record<String>, cx: Context| {
        kept.push(&record.body, cx.attempt());
        async move {
            match record.body.as_str() {
                "bad" => Err(Error::retry("later")),
                _ => Ok(()),
            }
        }
    };
    let site = site(handler, &fake, stream());
    let batch = || records(&["a", "bad", "c"]);
    assert_eq!(
        posted(&site, "/it", batch()).await.0,
        StatusCode::INTERNAL_SERVER_ERROR
    );
    assert_eq!(seen.take(), pairs(&[("a", 1), ("bad", 1)]));
    assert_eq!(
        posted(&site, "/it", batch()).await.0,
        StatusCode::INTERNAL_SERVER_ERROR
    );
    assert_eq!(seen.take(), pairs(&[("bad", 2)]));
    assert!(fake.sent().is_empty());
    assert_eq!(posted(&site, "/it", batch()).await.0, StatusCode::OK);
    assert_eq!(seen.take(), pairs(&[("bad", 3), ("c", 1)]));
    let letters = fake.sent();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].body.bytes, "bad");
    // Done with: what comes by these numbers now is another batch.
    assert_eq!(posted(&site, "/it", records(&["a"])).await.0, StatusCode::OK);
    assert_eq!(seen.take(), pairs(&[("a", 1)]));
}

#[tokio::test]
async fn a_batch_that_fails_as_a_whole_comes_again_one_by_one_and_nothing_is_given_up_in_company() {
    let (fake, seen) = (Fake::default(), Seen::default());
    let kept = seen.clone();
    let handler = move |batch: Batch<Record<String>>| {
        let texts: Vec<String> = batch.into_iter().map(|record| record.body).collect();
        kept.push(&texts.join("+"), 0);
        async move {
            if texts.iter().any(|text| text == "bad") {
                return Err(Error::retry("later"));
            }
            Ok(())
        }
    };
    let site = site(handler, &fake, stream());
    let batch = || records(&["a", "bad", "c"]);
    assert_eq!(
        posted(&site, "/it", batch()).await.0,
        StatusCode::INTERNAL_SERVER_ERROR
    );
    assert_eq!(
        posted(&site, "/it", batch()).await.0,
        StatusCode::INTERNAL_SERVER_ERROR
    );
    assert_eq!(posted(&site, "/it", batch()).await.0, StatusCode::OK);
    assert_eq!(
        seen.take(),
        pairs(&[("a+bad+c", 0), ("a", 0), ("bad", 0), ("bad", 0), ("c", 0)])
    );
    assert_eq!(fact(&fake, dead_letter::ATTEMPTS), ["3"]);
}

#[tokio::test]
async fn an_object_of_the_inbox_is_tried_as_often_as_a_message() {
    let fake = Fake::default();
    let handler = |_: ObjectCreated| async { Err::<(), _>(Error::retry("later")) };
    let site = site(
        handler,
        &fake,
        package(Trigger::Bucket {
            bucket: "snapshots".to_owned(),
            event: ObjectEventKind::Created,
            prefix: String::new(),
            suffix: String::new(),
        }),
    );
    let event = json!({
        "specversion": "1.0", "type": "Microsoft.Storage.BlobCreated", "id": "e-1", "time": "2026-02-03T12:00:00Z",
        "source": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a",
        "subject": "/blobServices/default/containers/snapshots/blobs/a.jpg",
        "data": {"api": "PutBlob", "contentType": "image/jpeg", "contentLength": 3, "eTag": "0x1", "blobType": "BlockBlob", "url": "https://a.blob.core.windows.net/snapshots/a.jpg", "sequencer": "1"},
    });
    let text = |tries| message(&event.to_string(), tries);
    assert_eq!(
        posted(&site, "/it", text(2)).await.0,
        StatusCode::INTERNAL_SERVER_ERROR
    );
    assert_eq!(posted(&site, "/it", text(3)).await.0, StatusCode::OK);
    assert_eq!(fact(&fake, dead_letter::ATTEMPTS), ["3"]);
    let kept: Value = fake.sent()[0].body.decode().unwrap();
    assert_eq!(kept["type"], "dev.nephos.bucket.object.created");
}

fn web(forwarding: bool) -> Package {
    let mut package = package(Trigger::Http {
        method: None,
        path: "/hello/{name}".to_owned(),
    });
    package.forwarding = forwarding;
    package.wiring.routes = vec![RouteSpec {
        method: Some("GET".to_owned()),
        path: "/hello/{name}".to_owned(),
    }];
    package
}

async fn greet(request: Request) -> Result<Response> {
    match request.uri().query() {
        Some("fail") => panic!("a secret reason"),
        _ => Ok(Response::new(Body::from(request.uri().path().to_owned()))),
    }
}

#[tokio::test]
async fn forwarded_requests_are_a_clients_and_no_invocation() {
    let site = site(greet, &Fake::default(), web(true));
    let get = async |path: &str| {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = path.parse().unwrap();
        invoked(&mut request);
        let (parts, body) = site.handle(request).await.into_parts();
        (
            parts.status.as_u16(),
            read_body(body, 1 << 20, None).await.unwrap(),
        )
    };
    assert_eq!(get("/hello/ann").await, (200, "/hello/ann".into()));
    assert_eq!(get("/bye").await.0, 404);
    let (status, body) = get("/hello/ann?fail").await;
    assert_eq!(status, 500);
    assert!(!String::from_utf8_lossy(&body).contains("secret"), "{body:?}");
    assert_eq!(
        posted(&site, "/it", message("a", 1)).await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        posted(&site, "/hello/ann", json!({})).await.0,
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[tokio::test]
async fn the_hosts_own_question_whether_the_process_listens_is_no_request() {
    let mut package = web(true);
    package.wiring.routes[0].path = "/".to_owned();
    let site = site(greet, &Fake::default(), package);
    let get = async |mut request: Request| {
        *request.uri_mut() = "/".parse().unwrap();
        site.handle(request).await.status().as_u16()
    };
    assert_eq!(get(Request::new(Body::empty())).await, 404);
    let mut request = Request::new(Body::empty());
    invoked(&mut request);
    assert_eq!(get(request).await, 200);
}

#[tokio::test]
async fn wrapped_requests_are_answered_wrapped() {
    let site = site(greet, &Fake::default(), web(false));
    let document = |path: &str| json!({"Data": {"req": {"Url": format!("https://x{path}"), "Method": "GET", "Query": "{}", "Headers": {}, "Params": {}, "Identities": "[]"}}, "Metadata": {}});
    let (status, answer) = posted(&site, "/http", document("/hello/ann")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer["Outputs"]["res"]["body"], "/hello/ann");
    assert_eq!(answer["Outputs"]["res"]["statusCode"], "200");
    let (_, answer) = posted(&site, "/http", document("/hello/ann?fail")).await;
    assert_eq!(answer["Outputs"]["res"]["statusCode"], "500");
    let (_, answer) = posted(&site, "/http", document("/bye")).await;
    assert_eq!(answer["Outputs"]["res"]["statusCode"], "404");
}

#[tokio::test]
async fn callers_that_prove_nothing_are_refused() {
    let mut package = web(true);
    package.triggers.insert(
        "email".to_owned(),
        Trigger::Email {
            address: "*".to_owned(),
        },
    );
    package.triggers.insert(
        "voice".to_owned(),
        Trigger::Voice {
            skill: "kitchen".to_owned(),
        },
    );
    let site = site(greet, &Fake::default(), package);
    for path in ["/.nephos/mail", "/.nephos/voice/kitchen"] {
        assert_eq!(
            posted(&site, path, json!({})).await.0,
            StatusCode::UNAUTHORIZED,
            "{path}"
        );
    }
    for path in ["/.nephos/voice/other", "/.nephos/auth/before_token"] {
        assert_eq!(
            posted(&site, path, json!({})).await.0,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    let mut get = Request::new(Body::empty());
    *get.uri_mut() = "/.nephos/mail".parse().unwrap();
    invoked(&mut get);
    assert_eq!(site.handle(get).await.status(), StatusCode::METHOD_NOT_ALLOWED);
}

//! HTTP: routes and keys, requests forwarded and wrapped, and what is made of answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use nephos_conformance::azure_functions::Keys;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::app::{App, invocations, invoked, logged, requests, triggered, unique};

fn both_ways(trigger: Value) -> Value {
    let mut trigger = trigger;
    trigger["type"] = "httpTrigger".into();
    trigger["direction"] = "in".into();
    trigger["name"] = "req".into();
    json!({"bindings": [trigger, {"type": "http", "direction": "out", "name": "res"}]})
}

async fn ask(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> http::Response<Bytes> {
    let mut request = http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::copy_from_slice(body))).unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let (parts, body) = client.request(request).await.unwrap().into_parts();
    http::Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forwarded_request_is_nearly_what_the_client_sent() {
    let mut app = App::new();
    app.host("/customHandler/enableForwardingHttpRequest", json!(true))
        .host("/extensions/http/routePrefix", json!(""))
        .function(
            "http",
            &both_ways(json!({"route": "{*path}", "authLevel": "anonymous"})),
        );
    let host = app.start().await;
    let url = format!("{}/a%20b/c%2Fd?tag=x&tag=y%26z&flag", host.url());
    let headers = [
        ("x-forwarded-test", "1"),
        ("content-type", "text/plain"),
        ("content-encoding", "identity"),
        ("user-agent", "a-client/1"),
    ];
    let answer = ask("PATCH", &url, &headers, b"body").await;
    assert_eq!(answer.status(), 201);
    assert_eq!(answer.body().as_ref(), b"\xff\x00raw");
    let cookies: Vec<_> = answer.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);

    let request = requests(&host).remove(0);
    assert_eq!(request["method"], "PATCH");
    assert_eq!(request["path"], "/a%20b/c%2Fd?tag=x%2Cy%26z&flag=");
    assert_eq!(request["body"], "body");
    let sent = &request["headers"];
    assert_eq!(sent["content-type"], "text/plain");
    assert_eq!(sent["content-encoding"], Value::Null);
    assert_eq!(sent["host"], host.url().trim_start_matches("http://"));
    assert!(
        sent["user-agent"]
            .as_str()
            .unwrap()
            .starts_with("a-client/1 Azure-Functions-Host/4.")
    );
    assert!(uuid::Uuid::parse_str(sent["x-azure-functions-invocationid"].as_str().unwrap()).is_ok());

    // The handler's own refusal is the client's answer.
    assert_eq!(
        ask("GET", &format!("{}/", host.url()), &[], b"").await.status(),
        200
    );
    assert_eq!(
        ask("POST", &host.url(), &[], b"do-fail-always").await.status(),
        500
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_a_length_does_not_reach_the_function() {
    let mut app = App::new();
    app.host("/customHandler/enableForwardingHttpRequest", json!(true))
        .function(
            "http",
            &both_ways(json!({"route": "in", "authLevel": "anonymous"})),
        );
    let host = app.start().await;
    let chunk = hyper::body::Frame::data(Bytes::from_static(b"chunk"));
    let body = StreamBody::new(futures::stream::iter([Ok::<_, std::convert::Infallible>(chunk)]));
    let request = http::Request::post(format!("{}/api/in", host.url()))
        .body(body)
        .unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    client.request(request).await.unwrap();
    assert_eq!(requests(&host)[0]["body"], "");
    logged(&host, "does not read the body of one without Content-Length").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrapped_request_is_a_value_and_its_answer_an_output() {
    let mut app = App::new();
    app.function(
        "orders",
        &both_ways(json!({"route": "orders/{id}", "authLevel": "anonymous", "methods": ["post"]})),
    );
    let host = app.start().await;
    let url = format!("{}/api/orders/7?a=1&a=2", host.url());
    let answer = ask(
        "POST",
        &url,
        &[("content-type", "application/json"), ("x-own", "v")],
        b"{\"id\": \"forged\", \"more\": 1}",
    )
    .await;
    assert_eq!(answer.status(), 202);
    assert_eq!(answer.headers()["x-own"], "1");
    assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(answer.body().as_ref(), b"hello");

    let document = invocations(&host).remove(0);
    let request = &document["Data"]["req"];
    assert_eq!(request["Url"], url);
    assert_eq!(request["Method"], "POST");
    assert_eq!(request["Query"], json!({"a": "1,2"}));
    assert_eq!(request["Params"], json!({"id": "7"}));
    assert_eq!(request["Headers"]["x-own"], json!(["v"]));
    assert_eq!(request["Body"], "{\"id\": \"forged\", \"more\": 1}");
    let metadata = &document["Metadata"];
    assert_eq!(
        (&metadata["id"], &metadata["more"], &metadata["a"]),
        (&json!("\"7\""), &json!("\"1\""), &json!("\"1,2\""))
    );
    assert_eq!(metadata["Headers"]["x-own"], "v");

    let bytes = ask(
        "POST",
        &url,
        &[("content-type", "application/octet-stream")],
        &[0xff, 0],
    )
    .await;
    assert_eq!(bytes.status(), 202);
    assert_eq!(invocations(&host)[1]["Data"]["req"]["Body"], "/wA=");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_function_answers_is_not_found_and_a_failed_one_says_nothing() {
    let mut app = App::new();
    app.function(
        "orders",
        &both_ways(json!({"authLevel": "anonymous", "methods": ["post"]})),
    );
    let host = app.start().await;
    let at = |path: &str| format!("{}{path}", host.url());
    assert_eq!(ask("POST", &at("/api/nothing"), &[], b"").await.status(), 404);
    // A method that no function has is no route of the host.
    assert_eq!(ask("GET", &at("/api/orders"), &[], b"").await.status(), 404);
    for body in ["do-fail-always", "do-text", "do-list"] {
        let answer = ask("POST", &at("/api/orders"), &[], body.as_bytes()).await;
        assert_eq!(
            (answer.status().as_u16(), answer.body().len()),
            (500, 0),
            "{body}"
        );
    }
    logged(&host, "does not indicate success: 500").await;
    logged(&host, "media type `text/plain`").await;
    logged(&host, "is no JSON object").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_open_the_functions_that_they_are_for() {
    let mut app = App::new();
    app.function("open", &both_ways(json!({"authLevel": "anonymous"})))
        .function("own", &both_ways(json!({"authLevel": "function"})))
        .function(
            "admin-only",
            &both_ways(json!({"route": "managed", "authLevel": "admin"})),
        );
    let mut options = app.options();
    options.keys = Keys {
        master: "m".to_owned(),
        host: vec!["h".to_owned()],
        function: [("own".to_owned(), vec!["f".to_owned()])].into(),
        event_grid: String::new(),
    };
    let host = app.start_with(options).await;
    let status = async |path: &str, headers: &[(&str, &str)]| {
        let url = format!("{}/api/{path}", host.url());
        ask("GET", &url, headers, b"").await.status().as_u16()
    };
    assert_eq!(status("open", &[]).await, 202);
    assert_eq!(status("own", &[]).await, 401);
    assert_eq!(status("own?code=wrong", &[]).await, 401);
    assert_eq!(status("own?code=f", &[]).await, 202);
    assert_eq!(status("own", &[("x-functions-key", "h")]).await, 202);
    assert_eq!(status("managed?code=h", &[]).await, 401);
    assert_eq!(status("managed?code=m", &[]).await, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_more_than_a_hundred_megabytes_is_refused() {
    let mut app = App::new();
    app.function("in", &both_ways(json!({"authLevel": "anonymous"})));
    let host = app.start().await;
    let authority = host.url().trim_start_matches("http://").to_owned();
    let mut stream = tokio::net::TcpStream::connect(&authority).await.unwrap();
    let head = format!("POST /api/in HTTP/1.1\r\nHost: {authority}\r\nContent-Length: 104857601\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 413");
    assert!(requests(&host).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_master_key_runs_a_function_by_hand() {
    let (mut app, _) = App::with_storage().await;
    app.function(
        "jobs",
        &triggered(json!({"type": "queueTrigger", "name": "msg", "queueName": unique("by-hand"), "dataType": "binary"})),
    )
    .function(
        "clock",
        &triggered(json!({"type": "timerTrigger", "name": "tick", "schedule": "0 0 3 1 1 *"})),
    );
    let mut options = app.options();
    options.keys.master = "m".to_owned();
    options.keys.host = vec!["h".to_owned()];
    let host = app.start_with(options).await;
    let run = async |name: &str, key: &str, body: &str| {
        let url = format!("{}/admin/functions/{name}", host.url());
        let headers = [("x-functions-key", key), ("content-type", "application/json")];
        ask("POST", &url, &headers, body.as_bytes())
            .await
            .status()
            .as_u16()
    };
    let body = r#"{"input": "{\"a\": 1}"}"#;
    assert_eq!(run("jobs", "", body).await, 401);
    assert_eq!(run("jobs", "h", body).await, 401);
    assert_eq!(run("nothing", "m", body).await, 404);
    assert_eq!(run("jobs", "m", "[]").await, 400);
    assert_eq!(run("JOBS", "m", body).await, 202);
    let message = invoked(&host, 1).await.remove(0);
    assert_eq!(message["Data"]["msg"], STANDARD.encode(r#"{"a": 1}"#));
    assert_eq!(message["Metadata"]["DequeueCount"], "0");
    assert_eq!(message["Metadata"]["Id"], "null");
    assert_eq!(run("clock", "m", "{}").await, 202);
    let tick = invoked(&host, 2).await.remove(1);
    assert_eq!(tick["Data"]["tick"]["IsPastDue"], false);
    assert!(
        tick["Data"]["tick"]["ScheduleStatus"]["Next"].is_string(),
        "{tick}"
    );
}

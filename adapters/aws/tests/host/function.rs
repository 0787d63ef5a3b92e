//! The functions that the test's own binary is when a Runtime API is in its environment.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http_body::Frame;
use http_body_util::StreamBody;
use nephos_aws::host::LambdaHost;
use nephos_core::adapter::{Host as _, Launch};
use nephos_core::env::{Environment, FUNCTION};
use nephos_core::event::{
    AuthDecision, AuthEvent, Body, BufferedRequest, Message, Notification, Raw, Request, Response,
};
use nephos_core::handler::PathParams;
use nephos_core::resource::NoExternalBuckets;
use nephos_core::{Context, Error, Function, Result};
use serde_json::{Value, json};

pub(crate) fn run(environment: Environment) -> ExitCode {
    let function = match environment.get(FUNCTION) {
        Some("probe") => Function::new("probe", probe),
        Some("messages") => Function::new("messages", messages),
        Some("notes") => Function::new("notes", notes),
        Some("web") => Function::new("web", web),
        Some("sign-up") => Function::new("sign-up", sign_up),
        other => panic!("no such function: {other:?}"),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let launch = Launch {
        function,
        environment,
        external: Arc::new(NoExternalBuckets),
    };
    match runtime.block_on(LambdaHost.serve(launch)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", error.chain());
            ExitCode::FAILURE
        }
    }
}

async fn wait() {
    println!("waiting");
    tokio::time::sleep(Duration::from_millis(300)).await;
}

async fn wait_for_ever() {
    tokio::time::sleep(Duration::from_secs(3600)).await;
}

/// Does what the event says, and tells its context.
async fn probe(event: Raw, cx: Context) -> Result<Value> {
    let event: Value = event.decode()?;
    match event["do"].as_str().unwrap_or_default() {
        "fail" => return Err(Error::retry("the warehouse did not answer")),
        "panic" => panic!("the shelf fell over"),
        "wait" => wait().await,
        "hang" => wait_for_ever().await,
        "queue" => {
            cx.queue("jobs")?;
        }
        _ => {}
    }
    Ok(json!({
        "process": std::process::id(),
        "event": event,
        "invocation": cx.invocation_id(),
        "function": cx.function(),
        "app": cx.app(),
        "target": cx.target(),
        "attempt": cx.attempt(),
        "remaining_ms": cx.remaining().map(|left| left.as_millis() as u64),
        "trace": cx.trace().parent,
    }))
}

async fn messages(message: Message<String>, cx: Context) -> Result<()> {
    assert_eq!(message.attempt, cx.attempt());
    match message.body.as_str() {
        "retry" => Err(Error::retry("later")),
        "reject" => Err(Error::reject("never")),
        "panic" => panic!("what a message"),
        "hang" => {
            wait_for_ever().await;
            Ok(())
        }
        _ => Ok(()),
    }
}

async fn notes(note: Notification<String>) -> Result<()> {
    match note.body.as_str() {
        "hello" => Ok(()),
        other => Err(Error::reject(format!("not a greeting: {}", other.len()))),
    }
}

async fn sign_up(event: AuthEvent) -> Result<AuthDecision> {
    match event.email.as_deref() {
        Some("<email>") => Ok(AuthDecision::allow().confirmed()),
        _ => Ok(AuthDecision::deny("by invitation only")),
    }
}

async fn web(request: Request) -> Response {
    let request_path = request.uri().path().to_owned();
    let chunk = |bytes: &'static [u8]| Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(bytes)));
    match request_path.as_str() {
        "/panic" => panic!("no page"),
        "/late-panic" => {
            let chunks = stream::once(async { panic!("no more pages") });
            let chunks = futures::StreamExt::map(chunks, move |()| chunk(b""));
            return Response::new(Body::new(StreamBody::new(chunks)));
        }
        "/large" => return Response::new(vec![b'x'; 7 << 20].into()),
        "/chunks" => {
            let chunks = stream::iter([chunk(b"one "), chunk(b"two "), chunk(b"\xff\x00")]);
            let response = http::Response::builder()
                .status(206)
                .header("content-type", "application/octet-stream")
                .header("vary", "accept")
                .header("vary", "origin")
                .header("set-cookie", "a=1")
                .header("set-cookie", "b=2");
            return response.body(Body::new(StreamBody::new(chunks))).unwrap();
        }
        _ => {}
    }
    let name = PathParams::of(&request, "name").map(str::to_owned);
    let read = BufferedRequest::read(request, 1 << 20).await.unwrap();
    let said = json!({
        "method": read.parts.method.as_str(),
        "uri": read.parts.uri.to_string(),
        "name": name,
        "cookie": read.parts.headers.get("cookie").map(|value| value.to_str().unwrap()),
        "body": String::from_utf8_lossy(&read.body),
    });
    let response = http::Response::builder()
        .status(201)
        .header("content-type", "application/json");
    response.body(Body::from(said.to_string())).unwrap()
}

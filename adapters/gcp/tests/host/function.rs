//! The functions that the test's own program is when Cloud Run's variables are in its environment.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use nephos_core::adapter::{Host as _, Launch};
use nephos_core::env::{Environment, FUNCTION};
use nephos_core::event::{Body, BufferedRequest, Message, Request, Response};
use nephos_core::resource::NoExternalBuckets;
use nephos_core::{Error, Function, Result};
use nephos_gcp::host::CloudRunHost;
use serde_json::json;
use tokio::sync::Barrier;

pub(crate) fn run(environment: Environment) -> ExitCode {
    let function = match environment.get(FUNCTION) {
        Some("messages") => Function::new("messages", messages),
        Some("web") => {
            let meeting = Arc::new(Barrier::new(2));
            Function::new("web", move |request: Request| web(request, Arc::clone(&meeting)))
        }
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
    match runtime.block_on(CloudRunHost.serve(launch)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", error.chain());
            ExitCode::FAILURE
        }
    }
}

async fn messages(message: Message<String>) -> Result<()> {
    match message.body.as_str() {
        "retry" => Err(Error::retry("later")),
        "panic" => panic!("what a message"),
        "hang" => {
            std::future::pending::<()>().await;
            Ok(())
        }
        _ => Ok(()),
    }
}

async fn web(request: Request, meeting: Arc<Barrier>) -> Response {
    match request.uri().path() {
        "/large" => return Response::new(Body::from(vec![7; 3 << 20])),
        "/meet" => {
            meeting.wait().await;
            return Response::new(Body::empty());
        }
        "/slow" => {
            println!("waiting");
            // What the handler itself takes, in which the process is told to end.
            tokio::time::sleep(Duration::from_millis(500)).await;
            return Response::new(Body::empty());
        }
        _ => {}
    }
    let read = BufferedRequest::read(request, 1 << 20).await.unwrap();
    let own = read.parts.headers.get("x-own").map(http::HeaderValue::as_bytes);
    let said = json!({
        "uri": read.parts.uri.path_and_query().map(ToString::to_string),
        "own": own.map(String::from_utf8_lossy),
        "body": String::from_utf8_lossy(&read.body),
    });
    Response::new(Body::from(said.to_string()))
}

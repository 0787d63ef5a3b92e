//! Checks orders from a queue, one by one, as one writes a custom handler on hyper alone.

use std::borrow::Cow;
use std::convert::Infallible;
use std::net::Ipv4Addr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpListener;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// What the Functions host sends: <https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers#request-payload>.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Invocation<'a> {
    #[serde(borrow)]
    data: Data<'a>,
    #[serde(borrow)]
    metadata: Metadata<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata<'a> {
    #[serde(borrow)]
    dequeue_count: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Order {
    item: String,
    quantity: u32,
}

const DONE: &str = r#"{"Logs":[],"Outputs":{},"ReturnValue":null}"#;

fn fulfil(invocation: &[u8]) -> Result<(), Error> {
    let invocation: Invocation<'_> = serde_json::from_slice(invocation)?;
    let tries: u32 = invocation.metadata.dequeue_count.parse()?;
    let message = STANDARD.decode(invocation.data.event.as_bytes())?;
    let order: Order = serde_json::from_slice(&message)?;
    if tries > 5 || order.quantity == 0 || order.item.is_empty() {
        return Err("an order of nothing".into());
    }
    Ok(())
}

async fn invoke(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let fulfilled = match request.into_body().collect().await {
        Ok(body) => fulfil(&body.to_bytes()).is_ok(),
        Err(_) => false,
    };
    let mut response = Response::new(Full::new(Bytes::from_static(DONE.as_bytes())));
    if !fulfilled {
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    }
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    // A function that says what went wrong with it, as each of Nephos does; the benchmark asks for one that cannot, too.
    if std::env::var_os("SILENT").is_none() {
        tracing_subscriber::registry()
            .with(
                tracing_subscriber::fmt::layer()
                    .compact()
                    .with_ansi(false)
                    .with_writer(std::io::stderr),
            )
            .with(Targets::new().with_default(tracing::Level::INFO))
            .init();
    }
    let port: u16 = std::env::var("FUNCTIONS_CUSTOMHANDLER_PORT")?.parse()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(invoke)));
    }
}

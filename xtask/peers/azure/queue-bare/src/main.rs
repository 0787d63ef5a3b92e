//! Checks orders from a queue, one by one, as one writes a custom handler on hyper alone.

use std::borrow::Cow;
use std::net::Ipv4Addr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response, StatusCode};
use serde::Deserialize;

use self::bare::{Answer, Error};

#[path = "../../../bare.rs"]
mod bare;

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

async fn invoke(request: Request<Incoming>) -> Answer {
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
    bare::serve(Ipv4Addr::LOCALHOST, "FUNCTIONS_CUSTOMHANDLER_PORT", invoke).await
}

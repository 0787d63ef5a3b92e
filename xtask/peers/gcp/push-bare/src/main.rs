//! Checks orders that Pub/Sub pushes, as one writes a service of Cloud Run on hyper alone.

use std::borrow::Cow;
use std::net::Ipv4Addr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;

use self::bare::{Answer, Error};

#[path = "../../../bare.rs"]
mod bare;

/// What Pub/Sub posts: <https://cloud.google.com/pubsub/docs/push#receive_push>.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Push<'a> {
    #[serde(borrow)]
    message: Message<'a>,
    #[serde(default)]
    delivery_attempt: Option<u32>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    data: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Order {
    item: String,
    quantity: u32,
}

fn fulfil(push: &[u8]) -> Result<(), Error> {
    let push: Push<'_> = serde_json::from_slice(push)?;
    let message = STANDARD.decode(push.message.data.as_bytes())?;
    let order: Order = serde_json::from_slice(&message)?;
    if push.delivery_attempt.is_some_and(|tries| tries > 5) || order.quantity == 0 || order.item.is_empty() {
        return Err("an order of nothing".into());
    }
    Ok(())
}

async fn invoke(request: Request<Incoming>) -> Answer {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = if request.method() != Method::POST
        || request.uri().path() != "/.nephos/queue/queue-orders-0a1b2c3d"
    {
        StatusCode::NOT_FOUND
    } else {
        let read = request.into_body().collect().await;
        match read.map(|body| fulfil(&body.to_bytes())) {
            Ok(Ok(())) => StatusCode::NO_CONTENT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    };
    Ok(response)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    bare::serve(Ipv4Addr::UNSPECIFIED, "PORT", invoke).await
}

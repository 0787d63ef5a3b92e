//! Looks at changes of a collection of orders in Firestore, as one writes a service of Cloud Run on hyper alone.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use prost::Message as _;

use self::bare::{Answer, Error};

#[path = "../../../bare.rs"]
mod bare;

/// <https://github.com/googleapis/google-cloudevents/blob/main/proto/google/events/cloud/firestore/v1/data.proto>, without kinds of values that no order has.
#[derive(Clone, PartialEq, prost::Message)]
struct DocumentEventData {
    #[prost(message, optional, tag = "1")]
    value: Option<Document>,
    #[prost(message, optional, tag = "2")]
    old_value: Option<Document>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Document {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(map = "string, message", tag = "2")]
    fields: HashMap<String, Value>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Value {
    #[prost(oneof = "Kind", tags = "2, 17")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Kind {
    #[prost(int64, tag = "2")]
    Integer(i64),
    #[prost(string, tag = "17")]
    Text(String),
}

struct Order {
    item: String,
    quantity: u32,
}

/// The attributes that every CloudEvent has, and of which type it is.
fn is_change(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    text("ce-specversion") == Some("1.0")
        && text("ce-id").is_some_and(|id| !id.is_empty())
        && text("ce-source").is_some_and(|source| !source.is_empty())
        && text("ce-type").is_some_and(|ty| ty.starts_with("google.cloud.firestore.document.v1."))
}

fn order(mut fields: HashMap<String, Value>) -> Result<Order, Error> {
    let mut field = |name: &str| fields.remove(name).and_then(|value| value.kind);
    match (field("item"), field("quantity")) {
        (Some(Kind::Text(item)), Some(Kind::Integer(quantity))) => Ok(Order {
            item,
            quantity: quantity.try_into()?,
        }),
        _ => Err("not an order".into()),
    }
}

fn watch(data: Bytes) -> Result<(), Error> {
    let change = DocumentEventData::decode(data)?;
    let old = change
        .old_value
        .map(|document| order(document.fields))
        .transpose()?;
    let new = change.value.map(|document| order(document.fields)).transpose()?;
    if old.is_none() && new.is_none() {
        return Err("a change of nothing".into());
    }
    if new.is_some_and(|order| order.quantity == 0 || order.item.is_empty()) {
        return Err("an order of nothing".into());
    }
    Ok(())
}

async fn invoke(request: Request<Incoming>) -> Answer {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = if request.method() != Method::POST
        || request.uri().path() != "/.nephos/table/table-orders-0a1b2c3d"
    {
        StatusCode::NOT_FOUND
    } else if !is_change(request.headers()) {
        StatusCode::BAD_REQUEST
    } else {
        let read = request.into_body().collect().await;
        match read.map(|body| watch(body.to_bytes())) {
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

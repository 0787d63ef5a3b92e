//! Looks at the objects that come into a bucket, of which Eventarc tells, as one writes a service of Cloud Run on hyper alone.

use std::net::Ipv4Addr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use serde::Deserialize;

use self::bare::{Answer, Error};

#[path = "../../../bare.rs"]
mod bare;

/// <https://github.com/googleapis/google-cloudevents/blob/main/proto/google/events/cloud/storage/v1/data.proto>, in JSON.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    bucket: String,
    name: String,
    size: String,
    generation: String,
    metageneration: String,
    etag: String,
    content_type: Option<String>,
    storage_class: Option<String>,
}

/// The attributes of a CloudEvent: <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>.
#[derive(Default)]
struct Attributes {
    version: String,
    id: String,
    source: String,
    ty: String,
    subject: String,
    time: String,
    extensions: Vec<(String, String)>,
}

impl Attributes {
    fn of(headers: &HeaderMap) -> Result<Self, Error> {
        let mut read = Self::default();
        for (name, value) in headers {
            let Some(name) = name.as_str().strip_prefix("ce-") else {
                continue;
            };
            let value = value.to_str()?.to_owned();
            match name {
                "specversion" => read.version = value,
                "id" => read.id = value,
                "source" => read.source = value,
                "type" => read.ty = value,
                "subject" => read.subject = value,
                "time" => read.time = value,
                other => read.extensions.push((other.to_owned(), value)),
            }
        }
        let needed = [&read.id, &read.source, &read.subject, &read.time];
        if read.version != "1.0" || needed.into_iter().any(String::is_empty) {
            return Err("not a CloudEvent of an object".into());
        }
        Ok(read)
    }
}

fn look(headers: &HeaderMap, data: &[u8]) -> Result<(), Error> {
    let attributes = Attributes::of(headers)?;
    let object: Object = serde_json::from_slice(data)?;
    let size: u64 = object.size.parse()?;
    if attributes.ty != "google.cloud.storage.object.v1.finalized"
        || attributes.extensions.is_empty()
        || [
            &object.bucket,
            &object.generation,
            &object.metageneration,
            &object.etag,
        ]
        .into_iter()
        .any(String::is_empty)
    {
        return Err("not an object".into());
    }
    if size == 0
        || !object.name.ends_with(".jpg")
        || object.content_type.is_none()
        || object.storage_class.is_none()
    {
        return Err("no picture".into());
    }
    Ok(())
}

async fn invoke(request: Request<Incoming>) -> Answer {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = if request.method() != Method::POST
        || request.uri().path() != "/.nephos/bucket/bucket-snapshots-0a1b2c3d"
    {
        StatusCode::NOT_FOUND
    } else {
        let (parts, body) = request.into_parts();
        let read = body.collect().await;
        match read.map(|body| look(&parts.headers, &body.to_bytes())) {
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

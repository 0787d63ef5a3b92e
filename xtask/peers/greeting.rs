//! Greets over HTTP, `POST /hello` in JSON, on bare hyper.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::bare::Answer;

#[derive(Deserialize)]
struct Guest {
    name: String,
}

#[derive(Serialize)]
struct Welcome {
    greeting: String,
}

/// The handler.
///
/// # Errors
/// None: what is wrong is an answer.
pub(crate) async fn hello(request: Request<Incoming>) -> Answer {
    if request.method() != Method::POST || request.uri().path() != "/hello" {
        return Ok(answer(StatusCode::NOT_FOUND, Vec::new()));
    }
    let Ok(body) = request.into_body().collect().await else {
        return Ok(answer(StatusCode::BAD_REQUEST, Vec::new()));
    };
    let welcome = serde_json::from_slice::<Guest>(&body.to_bytes()).and_then(|guest| {
        serde_json::to_vec(&Welcome {
            greeting: format!("Hello, {}!", guest.name),
        })
    });
    Ok(match welcome {
        Ok(json) => answer(StatusCode::OK, json),
        Err(_) => answer(StatusCode::BAD_REQUEST, Vec::new()),
    })
}

fn answer(status: StatusCode, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

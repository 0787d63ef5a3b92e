//! Greets over HTTP, `POST /hello` in JSON, as one writes a custom handler on hyper alone.

use std::convert::Infallible;
use std::net::Ipv4Addr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

type Error = Box<dyn std::error::Error>;

#[derive(Deserialize)]
struct Guest {
    name: String,
}

#[derive(Serialize)]
struct Welcome {
    greeting: String,
}

async fn hello(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
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
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(hello)));
    }
}

//! The least HTTP server that the stand-ins need: on a free port of the loopback interface, gone when dropped.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use nephos_core::{Error, ErrorKind, Result};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The operation that refusals name.
const START: &str = "stand-in.start";

pub(crate) type Answer = Response<Full<Bytes>>;

/// What an answer carries that the client is not to get: its connection is cut instead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut;

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    stop: CancellationToken,
}

impl Server {
    /// Serves each request with `handle`, at the same time.
    pub(crate) async fn start<H, F, B>(what: &'static str, handle: H) -> Result<Self>
    where
        H: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        let (listener, address) = listen(what).await?;
        Ok(Self::run(listener, address, handle))
    }

    /// The same for what must know its own address, because its answers tell it: `make` makes of it what every request is handled with.
    #[cfg(any(feature = "azure-functions", feature = "google-cloud"))]
    pub(crate) async fn start_knowing<S, H, F, B>(
        what: &'static str,
        make: impl FnOnce(SocketAddr) -> Arc<S>,
        handle: H,
    ) -> Result<(Self, Arc<S>)>
    where
        S: Send + Sync + 'static,
        H: Fn(Arc<S>, Request<Incoming>) -> F + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        let (listener, address) = listen(what).await?;
        let shared = make(address);
        let known = Arc::clone(&shared);
        let server = Self::run(listener, address, move |request| {
            handle(Arc::clone(&known), request)
        });
        Ok((server, shared))
    }

    fn run<H, F, B>(listener: TcpListener, address: SocketAddr, handle: H) -> Self
    where
        H: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let handle = Arc::new(handle);
        tokio::spawn(async move {
            loop {
                let stream = tokio::select! {
                    () = stopped.cancelled() => return,
                    accepted = listener.accept() => match accepted {
                        Ok((stream, _)) => stream,
                        // A connection that is gone before it was taken is its client's matter.
                        Err(_) => continue,
                    },
                };
                let handle = Arc::clone(&handle);
                let stopped = stopped.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let answer = handle(request);
                        async move {
                            let answer = answer.await;
                            if answer.extensions().get::<Cut>().is_some() {
                                return Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted));
                            }
                            Ok(answer)
                        }
                    });
                    let connection = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service);
                    tokio::select! {
                        () = stopped.cancelled() => {}
                        // That a client went away is its own matter.
                        _ = connection => {}
                    }
                });
            }
        });
        Self { address, stop }
    }

    /// Where it answers (`http://127.0.0.1:4000`).
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its host and port.
    #[cfg(any(feature = "azure-functions", feature = "replay"))]
    pub(crate) fn authority(&self) -> String {
        self.address.to_string()
    }
}

async fn listen(what: &'static str) -> Result<(TcpListener, SocketAddr)> {
    let failed = |error: std::io::Error| {
        Error::new(ErrorKind::Unavailable, START, "a stand-in cannot listen")
            .with("service", what)
            .caused_by(error)
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// An answer of text, or of nothing.
pub(crate) fn answer(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer
}

/// An answer with a JSON document.
#[cfg(any(feature = "azure-functions", feature = "google-cloud"))]
pub(crate) fn json(status: StatusCode, body: &serde_json::Value) -> Answer {
    let mut answer = answer(status, body.to_string());
    answer.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/json; charset=utf-8"),
    );
    answer
}

/// A request's body, whole; the answer for one that is too large or breaks off.
pub(crate) async fn read(body: Incoming, limit: usize) -> std::result::Result<Bytes, Answer> {
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            Err(answer(StatusCode::PAYLOAD_TOO_LARGE, ""))
        }
        Err(_) => Err(answer(StatusCode::BAD_REQUEST, "")),
    }
}

/// A header's text.
#[cfg(any(feature = "azure-functions", feature = "google-cloud"))]
pub(crate) fn header<'a>(headers: &'a http::HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether a request says who it is from, by a token or a shared access signature. What it says is not verified.
#[cfg(feature = "azure-functions")]
pub(crate) fn is_authorized(headers: &http::HeaderMap) -> bool {
    header(headers, "authorization")
        .is_some_and(|value| value.starts_with("Bearer ") || value.starts_with("SharedAccessSignature "))
}

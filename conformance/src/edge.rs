//! A provider's hosts on this machine, by their own names and over TLS: a proxy for HTTPS (`CONNECT`) that ends each connection here, with a certificate of an
//! authority of its own, and passes requests on to stand-ins on the loopback interface.
//!
//! So what is tested asks the very URLs that it asks in the cloud, with tokens that its clients would send over nothing but TLS. A child process is told by two
//! [variables](Edge::environment). A host without a route is answered by nobody: nothing leaves the machine.

mod authority;
mod routes;

use std::convert::Infallible;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use nephos_core::{Error, ErrorKind, Result};
use tempfile::NamedTempFile;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use self::authority::Authority;
use self::routes::Routes;

const OPERATION: &str = "edge.start";

type Answer = Response<Either<Incoming, Full<Bytes>>>;

/// The proxy. It ends when dropped.
#[derive(Debug)]
pub struct Edge {
    url: String,
    certificate: NamedTempFile,
    shared: Arc<Shared>,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Shared {
    authority: Authority,
    routes: Mutex<Routes>,
    client: Client<HttpConnector, Incoming>,
    refused: Mutex<Vec<String>>,
}

impl Edge {
    /// Starts it on a free port, without a route.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if there is no port, or no room for the certificate's file.
    pub async fn start() -> Result<Self> {
        let authority = Authority::new()?;
        let certificate = NamedTempFile::new()
            .and_then(|mut file| file.write_all(authority.pem().as_bytes()).map(|()| file))
            .map_err(|error| failed("the authority's certificate cannot be written").caused_by(error))?;
        let listening = |error: std::io::Error| failed("the proxy cannot listen").caused_by(error);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(listening)?;
        let url = format!("http://{}", listener.local_addr().map_err(listening)?);
        let shared = Arc::new(Shared {
            authority,
            routes: Mutex::default(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            refused: Mutex::default(),
        });
        let stop = CancellationToken::new();
        tokio::spawn(accept(listener, Arc::clone(&shared), stop.clone()));
        Ok(Self {
            url,
            certificate,
            shared,
            stop,
        })
    }

    /// From now on, requests to `host` go to `base` (`http://127.0.0.1:4000/at`), with their paths below its own. The host may begin with `*.`, which stands for one
    /// label; a `*` in `base` is that label. A name goes before a pattern, and what came last before what came first.
    pub fn route(&self, host: &str, base: &str) {
        let mut routes = self.shared.routes.lock().unwrap_or_else(PoisonError::into_inner);
        routes.add(host, base);
    }

    /// What a process must be told to reach everything by this proxy, and to trust it. Plain HTTP, as to the loopback interface, does not come here.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 2] {
        [
            ("HTTPS_PROXY", self.url.clone()),
            ("SSL_CERT_FILE", self.certificate.path().display().to_string()),
        ]
    }

    /// The proxy's own URL, for a client in this process.
    #[must_use]
    pub fn proxy_url(&self) -> &str {
        &self.url
    }

    /// The authority's certificate, as PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        self.shared.authority.pem()
    }

    /// The authority's key, as PEM: who trusts the authority trusts what is signed with it, such as a caller's certificate.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.shared.authority.key_pem()
    }

    /// The hosts that were asked for and have no route, in order.
    #[must_use]
    pub fn refused(&self) -> Vec<String> {
        self.shared
            .refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // A connection that is gone before it was taken is its client's matter.
                Err(_) => continue,
            },
        };
        let (shared, stop) = (Arc::clone(&shared), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = shared.serve(stream, stop.clone()) => {}
            }
        });
    }
}

impl Shared {
    /// One connection of a client: it asks for a host, and then speaks TLS with it.
    async fn serve(self: &Arc<Self>, stream: TcpStream, stop: CancellationToken) {
        let service = service_fn(|request: Request<Incoming>| {
            let answer = self.connect(request, stop.clone());
            async move { Ok::<_, Infallible>(answer) }
        });
        // That a client went away is its own matter.
        let _ = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
            .await;
    }

    fn connect(self: &Arc<Self>, request: Request<Incoming>, stop: CancellationToken) -> Answer {
        let host = request.uri().host().unwrap_or_default().to_ascii_lowercase();
        if request.method() != Method::CONNECT {
            return refusal(StatusCode::METHOD_NOT_ALLOWED, "this proxy is for HTTPS only");
        }
        if self.base(&host).is_none() {
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            refused.push(host);
            return refusal(StatusCode::BAD_GATEWAY, "this host has no route");
        }
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = shared.speak(&host, request) => {}
            }
        });
        refusal(StatusCode::OK, "")
    }

    /// TLS with whoever connected, as this host.
    async fn speak(self: &Arc<Self>, host: &str, request: Request<Incoming>) {
        let Ok(stream) = hyper::upgrade::on(request).await else {
            return;
        };
        let Ok(config) = self.authority.server(host) else {
            return;
        };
        // A client that does not trust the authority ends the handshake, and says so itself.
        let Ok(stream) = TlsAcceptor::from(config).accept(TokioIo::new(stream)).await else {
            return;
        };
        let service = service_fn(|request: Request<Incoming>| async move {
            Ok::<_, Infallible>(self.pass_on(host, request).await)
        });
        let _ = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    async fn pass_on(&self, host: &str, mut request: Request<Incoming>) -> Answer {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let target = self
            .base(host)
            .map(|base| format!("{}{path}", base.trim_end_matches('/')));
        let Some(Ok(uri)) = target.map(|target| target.parse()) else {
            return refusal(StatusCode::BAD_GATEWAY, "the host's route is no URL");
        };
        // The header `Host` stays that of the client.
        *request.uri_mut() = uri;
        match self.client.request(request).await {
            Ok(answer) => answer.map(Either::Left),
            Err(_) => refusal(StatusCode::BAD_GATEWAY, "the stand-in does not answer"),
        }
    }

    fn base(&self, host: &str) -> Option<String> {
        self.routes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .base(host)
    }
}

fn refusal(status: StatusCode, text: &'static str) -> Answer {
    let mut answer = Response::new(Either::Right(Full::new(Bytes::from_static(text.as_bytes()))));
    *answer.status_mut() = status;
    answer
}

fn failed(message: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, OPERATION, message)
}

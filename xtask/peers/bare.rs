//! What a function on bare hyper does besides its own work: it says what goes wrong with it, as each function of Nephos does, and serves HTTP/1.1 on the port that its environment tells.

use std::convert::Infallible;
use std::net::IpAddr;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Whatever goes wrong.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

/// What a handler gives.
pub(crate) type Answer = Result<Response<Full<Bytes>>, Infallible>;

/// Serves until it is killed. `port` is the variable that tells the port.
///
/// # Errors
/// A variable that is missing, a port that is taken.
pub(crate) async fn serve<F>(
    address: impl Into<IpAddr>,
    port: &str,
    answer: impl Fn(Request<Incoming>) -> F + Copy + Send + 'static,
) -> Result<(), Error>
where
    F: Future<Output = Answer> + Send + 'static,
{
    // The benchmark asks for one that cannot log, too.
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
    let port: u16 = std::env::var(port)?.parse()?;
    let listener = TcpListener::bind((address.into(), port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)));
    }
}

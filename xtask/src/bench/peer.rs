//! The peer of the HTTP benchmark: the handler of `examples/hello-http`, written straight on hyper.

use std::convert::Infallible;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

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
use xtask::shell::{self, Error, Result};

/// Serves until it is killed; its first line of output is its address.
///
/// # Errors
/// A port that is taken, a runtime that does not start.
pub(crate) fn serve(port: u16) -> Result<()> {
    let failed = |e: std::io::Error| Error::Other(format!("peer: cannot listen on 127.0.0.1:{port}: {e}"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_io()
        .build()
        .map_err(failed)?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .map_err(failed)?;
        println!("{}", listener.local_addr().map_err(failed)?);
        loop {
            let (stream, _) = listener.accept().await.map_err(failed)?;
            stream.set_nodelay(true).map_err(failed)?;
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(hello)));
        }
    })
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

#[derive(Serialize)]
struct Greeting {
    greeting: String,
}

async fn hello(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    if request.method() == Method::GET {
        if let Some(name) = path
            .strip_prefix("/hello/")
            .filter(|n| !n.is_empty() && !n.contains('/'))
        {
            return Ok(answer(
                StatusCode::OK,
                "text/plain; charset=utf-8",
                format!("Hello, {name}!\n"),
            ));
        }
    } else if request.method() == Method::POST && path == "/hello" {
        let body = request
            .into_body()
            .collect()
            .await
            .map(http_body_util::Collected::to_bytes)
            .unwrap_or_default();
        let greeting = serde_json::from_slice::<Name>(&body).and_then(|n| {
            serde_json::to_string(&Greeting {
                greeting: format!("Hello, {}!", n.name),
            })
        });
        return Ok(match greeting {
            Ok(json) => answer(StatusCode::OK, "application/json", json),
            Err(error) => answer(
                StatusCode::BAD_REQUEST,
                "text/plain; charset=utf-8",
                error.to_string(),
            ),
        });
    }
    Ok(answer(
        StatusCode::NOT_FOUND,
        "text/plain; charset=utf-8",
        String::new(),
    ))
}

fn answer(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The peer as a process of its own, killed when dropped.
#[derive(Debug)]
pub(crate) struct Peer {
    child: Child,
    /// Where it listens.
    pub(crate) at: SocketAddr,
}

impl Peer {
    /// Starts this program again as the peer.
    ///
    /// # Errors
    /// A process that does not start, or says no address.
    pub(crate) fn start() -> Result<Self> {
        let own = std::env::current_exe().map_err(Error::io("find", "xtask"))?;
        let mut command = Command::new(own);
        command
            .args(["peer-hyper", "--port", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command
            .spawn()
            .map_err(|e| shell::missing(&command, "the benchmark's peer", e))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout)
                .read_line(&mut line)
                .map_err(Error::io("read the output of", "peer-hyper"))?;
        }
        match line.trim().parse() {
            Ok(at) => Ok(Self { child, at }),
            Err(_) => {
                end(&mut child);
                Err(Error::Other(format!("peer-hyper said no address but {line:?}")))
            }
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn end(child: &mut Child) {
    // It may have ended by itself; there is nothing to save in it.
    let _ = child.kill();
    let _ = child.wait();
}

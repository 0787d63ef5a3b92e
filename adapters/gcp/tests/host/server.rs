//! The function's process, and clients of it.

use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use nephos_core::env::{FUNCTION, WIRING};
use nephos_gcp::host::{PORT, PROJECT, SERVICE};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout, Command};

/// The pause between two looks whether the process listens.
const LOOK: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    One,
    Two,
}

pub(crate) struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    port: u16,
}

fn command() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .env(SERVICE, "shop-web")
        .env(PROJECT, "p-1")
        .env(FUNCTION, "web")
        .env(PORT, "0")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// What the process says that was started with this variable, and how it ends.
pub(crate) async fn refused(variable: &str, value: &str) -> (Option<i32>, String) {
    let output = command().env(variable, value).output().await.unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

impl Process {
    pub(crate) async fn start(function: &str, wiring: &Value) -> Self {
        let free = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut child = command()
            .env(PORT, port.to_string())
            .env(FUNCTION, function)
            .env(WIRING, wiring.to_string())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let process = Self { child, lines, port };
        drop(process.stream().await);
        process
    }

    /// A connection, once the process listens. The caller's own time bounds it.
    async fn stream(&self) -> TcpStream {
        loop {
            match TcpStream::connect(("127.0.0.1", self.port)).await {
                Ok(stream) => return stream,
                Err(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }

    pub(crate) async fn connect(&self, version: Version) -> Client {
        let io = TokioIo::new(self.stream().await);
        match version {
            Version::One => {
                let (client, connection) = http1::handshake(io).await.unwrap();
                tokio::spawn(connection);
                Client::One(std::sync::Arc::new(client.into()))
            }
            Version::Two => {
                let (client, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
                tokio::spawn(connection);
                Client::Two(client)
            }
        }
    }

    /// Waits until the process says so.
    pub(crate) async fn said(&mut self, line: &str) {
        while let Some(said) = self.lines.next_line().await.unwrap() {
            if said == line {
                return;
            }
        }
        panic!("the process ended before it said {line}");
    }

    pub(crate) fn terminate(&self) {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        let process = rustix::process::Pid::from_raw(id).unwrap();
        rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    }

    pub(crate) async fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().await.unwrap().code()
    }
}

#[derive(Clone)]
pub(crate) enum Client {
    One(std::sync::Arc<tokio::sync::Mutex<http1::SendRequest<Full<Bytes>>>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

impl Client {
    pub(crate) async fn post(&mut self, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let uri = match self {
            Self::One(_) => target.to_owned(),
            Self::Two(_) => format!("http://f.example{target}"),
        };
        let mut request = http::Request::post(uri).header("host", "f.example");
        for (name, value) in headers {
            let value = http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
            request = request.header(*name, value);
        }
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
        let answer = match self {
            Self::One(client) => client.lock().await.send_request(request).await,
            Self::Two(client) => client.send_request(request).await,
        };
        let (parts, body) = answer.unwrap().into_parts();
        Answer {
            status: parts.status.as_u16(),
            body: body.collect().await.unwrap().to_bytes(),
        }
    }
}

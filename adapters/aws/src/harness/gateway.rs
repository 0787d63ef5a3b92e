//! Where a function's URL answers on this machine: the emulator knows it by the `Host` header, which a client by address does not send.

use std::net::SocketAddr;

use nephos_core::{Error, ErrorKind, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The longest head of a request.
const MAX_HEAD: usize = 64 * 1024;

/// Takes requests at an address of this machine, one a connection, and passes them on in the name of a host. Ends when dropped.
#[derive(Debug)]
pub(super) struct Gateway {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Gateway {
    /// Passes on to the emulator at `endpoint` (`http://127.0.0.1:4566`) what is for `url` (`https://id.lambda-url.us-east-1.on.aws/`).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if either is no URL, [`ErrorKind::Unavailable`] if no port is free.
    pub(super) async fn open(endpoint: &str, url: &str) -> Result<Self> {
        let authority = |text: &str| {
            let uri: http::Uri = text.parse().map_err(|error| wrong(text).caused_by(error))?;
            Ok::<_, Error>(uri.authority().ok_or_else(|| wrong(text))?.to_string())
        };
        let (target, host) = (authority(endpoint)?, authority(url)?);
        let failed = |error| {
            Error::new(
                ErrorKind::Unavailable,
                "harness.gateway",
                "no port of the loopback interface is free",
            )
            .caused_by(error)
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (target, host) = (target.clone(), host.clone());
                tokio::spawn(async move {
                    // Who is cut off sees it by the missing answer.
                    let _ = pass_on(client, &target, &host).await;
                });
            }
        });
        Ok(Self { address, task })
    }

    /// Where it answers, without a path.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn wrong(url: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, "harness.gateway", "this is no URL").with("url", url)
}

async fn pass_on(mut client: TcpStream, target: &str, host: &str) -> std::io::Result<()> {
    let mut head = Vec::new();
    let end = loop {
        if let Some(at) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if head.len() > MAX_HEAD || client.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    };
    let mut server = TcpStream::connect(target).await?;
    server.write_all(&renamed(&head[..end], host)).await?;
    server.write_all(&head[end..]).await?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

/// The head (without the empty line at its end) for `host`, and for one request: a second one on the connection would pass unseen.
fn renamed(head: &[u8], host: &str) -> Vec<u8> {
    let is_replaced = |line: &[u8]| {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        name.eq_ignore_ascii_case(b"host") || name.eq_ignore_ascii_case(b"connection")
    };
    let mut renamed = Vec::with_capacity(head.len() + host.len() + 32);
    for line in head.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !is_replaced(line) {
            renamed.extend_from_slice(line);
            renamed.extend_from_slice(b"\r\n");
        }
    }
    renamed.extend_from_slice(format!("Host: {host}\r\nConnection: close").as_bytes());
    renamed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_for_the_functions_host_and_else_as_it_was() {
        let head =
            b"GET /a%20b?x=1 HTTP/1.1\r\nhost: 127.0.0.1:1\r\ntraceparent: 00-a\r\nConnection: keep-alive";
        let renamed = String::from_utf8(renamed(head, "id.lambda-url.test")).unwrap();
        assert_eq!(
            renamed,
            "GET /a%20b?x=1 HTTP/1.1\r\ntraceparent: 00-a\r\nHost: id.lambda-url.test\r\nConnection: close"
        );
    }
}

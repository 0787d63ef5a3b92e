//! A server of signed URLs that looks at less than it should, or demands more than it tells.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use nephos_core::resource::bucket::{Bucket, SignedMethod, SignedUrl};
use nephos_core::{Error, ErrorKind, Result};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::Fault;

/// How long it serves: longer than a rule may take.
const LIFE: Duration = Duration::from_secs(60);

/// What a request must have, where the URL is not enough by itself.
const DEMANDED: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-demanded"),
    HeaderValue::from_static("yes"),
);

/// What one URL is for.
#[derive(Debug, Clone)]
struct Signed {
    bucket: Bucket,
    method: http::Method,
    key: String,
    query: String,
    fault: Fault,
}

/// A URL that allows `method` on `key`, on a server of its own.
pub(super) async fn url(bucket: Bucket, method: SignedMethod, key: &str, fault: Fault) -> Result<SignedUrl> {
    let failed = |error: std::io::Error| {
        Error::new(
            ErrorKind::Unavailable,
            "bucket.signed_url",
            "no port of the loopback interface is free",
        )
        .caused_by(error)
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let signed = Signed {
        bucket,
        method: method.into(),
        key: key.to_owned(),
        query: format!("expires=60&signature={}", uuid::Uuid::new_v4().simple()),
        fault,
    };
    let url = format!("http://{address}/bucket/{key}?{}", signed.query);
    tokio::spawn(tokio::time::timeout(LIFE, serve(listener, signed)));
    Ok(SignedUrl {
        url,
        headers: Vec::from_iter((fault == Fault::Lacking).then_some(DEMANDED)),
    })
}

async fn serve(listener: TcpListener, signed: Signed) {
    while let Ok((connection, _)) = listener.accept().await {
        let signed = signed.clone();
        // A client that goes away is its own affair.
        tokio::spawn(async move { signed.answer(connection).await.ok() });
    }
}

impl Signed {
    async fn answer(&self, mut connection: TcpStream) -> std::io::Result<()> {
        let (reading, mut writing) = connection.split();
        let mut lines = BufReader::new(reading).lines();
        let first = lines.next_line().await?.unwrap_or_default();
        let (mut demanded, mut length) = (false, 0);
        while let Some(line) = lines.next_line().await?.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            demanded |= name.eq_ignore_ascii_case(DEMANDED.0.as_str()) && value.trim() == DEMANDED.1;
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap_or_default();
            }
        }
        let mut sent = vec![0; length];
        lines.into_inner().read_exact(&mut sent).await?;
        let body = match self.allowed(&first) {
            Some(key) if demanded || !self.demands() => self.done(key, sent).await.ok(),
            _ => None,
        };
        let status = if body.is_some() { "200 OK" } else { "403 Forbidden" };
        let body = body.unwrap_or_default();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        writing.write_all(head.as_bytes()).await?;
        writing.write_all(&body).await
    }

    fn demands(&self) -> bool {
        matches!(self.fault, Fault::SignedHeaderUntold | Fault::Lacking)
    }

    async fn done(&self, key: &str, sent: Vec<u8>) -> Result<Bytes> {
        if self.method == http::Method::PUT {
            self.bucket.put(key, sent).await?;
        } else if self.method == http::Method::DELETE {
            self.bucket.delete(key).await?;
        } else {
            return self.bucket.get(key).await;
        }
        Ok(Bytes::new())
    }

    /// The key that a request may read or write, by its first line.
    fn allowed<'a>(&self, line: &'a str) -> Option<&'a str> {
        let request = line.strip_prefix(self.method.as_str())?;
        let target = request.strip_prefix(" /bucket/")?.split(' ').next()?;
        let (key, query) = target.split_once('?').unwrap_or((target, ""));
        let proven = query == self.query || self.fault == Fault::SignatureIgnored;
        let meant = key == self.key || self.fault == Fault::SignedForAnyKey;
        (proven && meant).then_some(key)
    }
}

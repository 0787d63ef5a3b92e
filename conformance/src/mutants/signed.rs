//! A server of signed URLs that looks at less than it should.

use std::time::Duration;

use nephos_core::resource::bucket::Bucket;
use nephos_core::{Error, ErrorKind, Result};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::Fault;

/// How long it serves: longer than a rule may take.
const LIFE: Duration = Duration::from_secs(60);

/// What one URL is for.
#[derive(Debug, Clone)]
struct Signed {
    bucket: Bucket,
    key: String,
    query: String,
    fault: Fault,
}

/// A URL that reads `key`, on a server of its own.
pub(super) async fn url(bucket: Bucket, key: &str, fault: Fault) -> Result<String> {
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
        key: key.to_owned(),
        query: format!("expires=60&signature={}", uuid::Uuid::new_v4().simple()),
        fault,
    };
    let url = format!("http://{address}/bucket/{key}?{}", signed.query);
    tokio::spawn(tokio::time::timeout(LIFE, serve(listener, signed)));
    Ok(url)
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
        while lines.next_line().await?.is_some_and(|line| !line.is_empty()) {}
        let body = match self.allowed(&first) {
            Some(key) => self.bucket.get(key).await.ok(),
            None => None,
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

    /// The key that a request may read, by its first line.
    fn allowed<'a>(&self, line: &'a str) -> Option<&'a str> {
        let target = line.strip_prefix("GET /bucket/")?.split(' ').next()?;
        let (key, query) = target.split_once('?').unwrap_or((target, ""));
        let proven = query == self.query || self.fault == Fault::SignatureIgnored;
        let meant = key == self.key || self.fault == Fault::SignedForAnyKey;
        (proven && meant).then_some(key)
    }
}

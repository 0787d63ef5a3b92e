//! The resource API over a real socket: by the function's own driver, and by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use nephos_core::resource::bucket::{Bucket, PutOptionsExt, SignedMethod};
use nephos_core::resource::{Access, ResourceKind};
use nephos_core::{Error, ErrorKind, Result};
use object_store::path::Path;
use object_store::{ObjectStore as _, ObjectStoreExt as _, PutPayload};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::super::{Authorize, FolderBucket, UrlSigner, router};
use super::{Fixture, ODD_KEYS};
use crate::resources::bucket::LocalBucket;
use crate::resources::client::Client;

/// What each token is good for.
#[derive(Debug)]
struct Tokens(BTreeMap<&'static str, BTreeSet<Access>>);

impl Authorize for Tokens {
    fn authorize(&self, token: &str, kind: ResourceKind, name: &str, access: Access) -> Result<()> {
        assert_eq!((kind, name), (ResourceKind::Bucket, "snapshots"));
        let granted = self
            .0
            .get(token)
            .ok_or_else(|| Error::new(ErrorKind::Unauthenticated, "test.authorize", "no such token"))?;
        if granted.contains(&access) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::PermissionDenied, "test.authorize", "not granted").with("access", access))
    }
}

pub(super) struct Served {
    pub(super) fixture: Fixture,
    pub(super) address: SocketAddr,
    pub(super) signer: UrlSigner,
}

impl Served {
    pub(super) async fn new() -> Self {
        let fixture = Fixture::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let signer = UrlSigner::new(&[7; 32], &format!("http://{address}")).unwrap();
        let all: BTreeSet<_> = ResourceKind::Bucket.access().iter().copied().collect();
        let tokens = Tokens([("all", all), ("reader", [Access::Read].into())].into());
        let routes = router([fixture.folder.clone()], Arc::new(tokens), Some(signer.clone()));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self {
            fixture,
            address,
            signer,
        }
    }

    pub(super) fn driver(&self, token: &str) -> LocalBucket {
        LocalBucket::new(
            Client::new(&format!("http://{}", self.address), token).unwrap(),
            "snapshots",
        )
    }

    pub(super) fn bucket(&self) -> Bucket {
        Bucket::new("snapshots", Arc::new(self.driver("all")))
    }

    /// Sends a request as it is written; returns the answer's status, head and body.
    pub(super) async fn raw(&self, head: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!(
            "{head}\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let end = answer
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap().to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head, answer[end + 4..].to_vec())
    }

    /// A request to the path of a signed URL.
    pub(super) async fn by_url(&self, method: &str, url: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let path = url.strip_prefix(&format!("http://{}", self.address)).unwrap();
        let (status, _, body) = self.raw(&format!("{method} {path} HTTP/1.1"), body).await;
        (status, body)
    }
}

#[tokio::test]
async fn odd_keys_come_through_http_to_the_letter() {
    let served = Served::new().await;
    let bucket = served.bucket();
    for key in ODD_KEYS {
        let options = PutOptionsExt {
            content_type: Some("text/x-odd; charset=utf-8".into()),
            metadata: [
                ("name".to_owned(), key.to_owned()),
                ("spaced".to_owned(), " %\n ".to_owned()),
            ]
            .into(),
        };
        let etag = bucket
            .put_with(key, key.to_owned(), options.clone())
            .await
            .unwrap();
        assert_eq!(
            std::fs::read(served.fixture.file(key)).unwrap(),
            key.as_bytes(),
            "{key}"
        );
        let object = bucket.open(key).await.unwrap();
        assert_eq!(
            object.meta,
            served.fixture.bucket().head(key).await.unwrap(),
            "{key}"
        );
        assert_eq!(
            (object.meta.etag.clone(), object.content_type.clone()),
            (etag, options.content_type)
        );
        assert_eq!(object.metadata, options.metadata, "{key}");
        assert_eq!(object.bytes().await.unwrap(), key, "{key}");
    }
    let whole = served.fixture.bucket().list("", None, 100).await.unwrap();
    assert_eq!(bucket.list("", None, 100).await.unwrap(), whole);
    assert_eq!(whole.objects.len(), ODD_KEYS.len());
    for key in ODD_KEYS {
        bucket.copy(key, "copy").await.unwrap();
        bucket.delete(key).await.unwrap();
        assert_eq!(bucket.get(key).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
    assert_eq!(bucket.get("copy").await.unwrap(), *ODD_KEYS.last().unwrap());
}

#[tokio::test]
async fn errors_keep_kind_and_reason() {
    let served = Served::new().await;
    let bucket = served.bucket();
    assert_eq!(bucket.head("none").await.unwrap_err().kind(), ErrorKind::NotFound);
    let etag = bucket.put_if_absent("a", "1").await.unwrap().unwrap();
    assert_eq!(
        bucket.put_if_absent("a", "2").await.unwrap_err().kind(),
        ErrorKind::AlreadyExists
    );
    bucket.put_if_match("a", "3", &etag).await.unwrap();
    assert_eq!(
        bucket.put_if_match("a", "4", &etag).await.unwrap_err().kind(),
        ErrorKind::Conflict
    );
    let error = bucket.put("a/b", "5").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("is itself an object"), "{error}");
    let error = bucket.get_range("a", 5..6).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    let other = LocalBucket::new(
        Client::new(&format!("http://{}", served.address), "nobody").unwrap(),
        "snapshots",
    );
    let error = Bucket::new("snapshots", Arc::new(other))
        .get("a")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    let reader = Bucket::new("snapshots", Arc::new(served.driver("reader")));
    assert_eq!(reader.get("a").await.unwrap(), "3");
    assert_eq!(
        reader.put("a", "6").await.unwrap_err().kind(),
        ErrorKind::PermissionDenied
    );
    assert_eq!(
        reader.copy("a", "b").await.unwrap_err().kind(),
        ErrorKind::PermissionDenied
    );
    assert_eq!(
        reader.delete("a").await.unwrap_err().kind(),
        ErrorKind::PermissionDenied
    );
    let error = reader
        .signed_url(SignedMethod::Put, "a", Duration::from_secs(9))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
}

#[tokio::test]
async fn listing_pages_through_http_as_in_the_folder() {
    let served = Served::new().await;
    let folder = &served.fixture.folder;
    for number in 0..2345 {
        std::fs::write(served.fixture.file(&format!("{number:04}")), "x").unwrap();
    }
    std::fs::create_dir_all(served.fixture.file("sub/sub")).unwrap();
    std::fs::write(served.fixture.file("sub/sub/a"), "x").unwrap();
    let driver = served.driver("reader");
    let own: Vec<_> = folder.list(None).try_collect().await.unwrap();
    let listed: Vec<_> = driver.list(None).try_collect().await.unwrap();
    assert_eq!(listed, own);
    assert_eq!(listed.len(), 2346);
    let offset = Path::from("1500");
    let behind: Vec<_> = driver
        .list_with_offset(None, &offset)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(behind, own[1501..]);
    let folded = driver.list_with_delimiter(None).await.unwrap();
    assert_eq!(
        (folded.objects.len(), folded.common_prefixes),
        (2345, vec![Path::from("sub")])
    );
    let below: Vec<_> = driver.list(Some(&Path::from("sub"))).try_collect().await.unwrap();
    assert_eq!(below.len(), 1);
    let gone = driver_delete(
        &served.driver("all"),
        own.iter().map(|meta| meta.location.clone()).collect(),
    )
    .await;
    assert_eq!(gone, 2346);
    assert!(folder.list(None).next().await.is_none());
}

async fn driver_delete(driver: &LocalBucket, paths: Vec<Path>) -> usize {
    let paths = futures::stream::iter(paths.into_iter().map(Ok)).boxed();
    driver
        .delete_stream(paths)
        .try_collect::<Vec<_>>()
        .await
        .unwrap()
        .len()
}

#[tokio::test]
async fn uploads_in_parts_and_streams_work_through_http() {
    let served = Served::new().await;
    let driver = served.driver("all");
    let path = Path::from("parts");
    let mut upload = driver.put_multipart(&path).await.unwrap();
    let (first, second) = (
        upload.put_part(PutPayload::from_static(b"one")),
        upload.put_part(PutPayload::from_static(b"two")),
    );
    second.await.unwrap();
    first.await.unwrap();
    upload.complete().await.unwrap();
    assert_eq!(driver.get(&path).await.unwrap().bytes().await.unwrap(), "onetwo");
    let mut upload = driver.put_multipart(&Path::from("aborted")).await.unwrap();
    upload.put_part(PutPayload::from_static(b"one")).await.unwrap();
    upload.abort().await.unwrap();
    assert!(served.fixture.staged().is_empty());

    let bucket = served.bucket();
    let chunks = futures::stream::iter(
        (0..40).map(|number| Ok::<_, std::io::Error>(Bytes::from(vec![number; 1 << 19]))),
    );
    bucket
        .put_stream("streamed", chunks, PutOptionsExt::default())
        .await
        .unwrap();
    let read = bucket.get("streamed").await.unwrap();
    assert_eq!(read.len(), 20 << 20);
    assert!(
        read.chunks(1 << 19)
            .zip(0..40)
            .all(|(chunk, number)| chunk.iter().all(|byte| *byte == number))
    );
    assert_eq!(
        bucket
            .get_range("streamed", (1 << 19) - 1..(1 << 19) + 1)
            .await
            .unwrap(),
        Bytes::from_static(&[0, 1])
    );
}

#[tokio::test]
async fn an_upload_that_is_cut_off_leaves_nothing() {
    let served = Served::new().await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let head = "PUT /v1/bucket/snapshots/cut HTTP/1.1\r\nhost: x\r\nauthorization: Bearer all\r\ncontent-length: 9999999\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&[0; 100_000]).await.unwrap();
    until("the upload has begun", || !served.fixture.staged().is_empty()).await;
    drop(stream);
    until("the upload is forgotten", || served.fixture.staged().is_empty()).await;
    assert!(!served.fixture.file("cut").exists());
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not within 30 s");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The most memory that this process has had, in bytes.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_gibibyte_goes_in_and_out_in_bounded_memory() {
    const CHUNK: usize = 1 << 20;
    const CHUNKS: usize = 1024;
    let served = Served::new().await;
    let before = peak_memory();
    let chunk = Bytes::from((0..CHUNK).map(|at| at as u8).collect::<Vec<_>>());
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let head = format!(
        "PUT /v1/bucket/snapshots/big HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer all\r\ncontent-length: {}\r\n\r\n",
        CHUNK * CHUNKS
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..CHUNKS {
        stream.write_all(&chunk).await.unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let mut read = 0;
    let mut content = std::pin::pin!(served.bucket().open("big").await.unwrap().into_stream());
    while let Some(piece) = content.next().await {
        let piece = piece.unwrap();
        let mut rest = &piece[..];
        while !rest.is_empty() {
            let at = (read + piece.len() - rest.len()) % CHUNK;
            let (now, later) = rest.split_at(rest.len().min(CHUNK - at));
            assert!(
                now == &chunk[at..at + now.len()],
                "the content differs behind byte {read}"
            );
            rest = later;
        }
        read += piece.len();
    }
    assert_eq!(read, CHUNK * CHUNKS);
    let grown = peak_memory().saturating_sub(before);
    // Other tests run in the same process; none of them holds much more than 40 MiB.
    assert!(grown < 256 << 20, "{} MiB more at its peak", grown >> 20);
}

#[tokio::test]
async fn events_come_from_writes_over_http_as_well() {
    let served = Served::new().await;
    let again = FolderBucket::clone(&served.fixture.folder);
    let sink = Arc::new(super::watch::Sink::default());
    let watch = again.watch(Arc::clone(&sink) as _).await.unwrap();
    served.bucket().put("a", "x").await.unwrap();
    served.bucket().delete("a").await.unwrap();
    assert_eq!(sink.log(), ["+a", "-a"]);
    watch.stop().await;
}

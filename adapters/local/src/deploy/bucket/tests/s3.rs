//! The S3-compatible store, by `object_store`'s own S3 client over a real socket.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use object_store::aws::{AmazonS3, AmazonS3Builder, S3CopyIfNotExists};
use object_store::path::Path;
use object_store::signer::Signer as _;
use object_store::{
    Attribute, Attributes, GetOptions, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
    UpdateVersion,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::super::{S3Credentials, S3Server};
use super::ODD_KEYS;

struct Served {
    dir: tempfile::TempDir,
    server: S3Server,
}

impl Served {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let credentials = S3Credentials {
            access_key_id: "local".into(),
            secret_access_key: "secret".into(),
        };
        let server = S3Server::start("127.0.0.1:0".parse().unwrap(), dir.path(), credentials)
            .await
            .unwrap();
        server.create_bucket("evidence").unwrap();
        Self { dir, server }
    }

    fn builder(&self, id: &str, secret: &str) -> AmazonS3Builder {
        // Only matters when the whole workspace is built, with TLS; an error says that there is a provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        AmazonS3Builder::new()
            .with_bucket_name("evidence")
            .with_endpoint(self.server.endpoint())
            .with_region("eu-central-1")
            .with_allow_http(true)
            .with_access_key_id(id)
            .with_secret_access_key(secret)
            .with_copy_if_not_exists(S3CopyIfNotExists::Multipart)
    }

    fn client(&self) -> AmazonS3 {
        self.builder("local", "secret").build().unwrap()
    }

    /// Sends a request as it is written; returns the answer's status and text.
    async fn raw(&self, head: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.server.address()).await.unwrap();
        let request = format!(
            "{head} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            self.server.address(),
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
    }

    async fn by_url(&self, method: &str, url: &str, body: &str) -> (u16, String) {
        let path = url.strip_prefix(&self.server.endpoint()).unwrap();
        self.raw(&format!("{method} {path}"), body).await
    }
}

fn payload(text: &str) -> PutPayload {
    PutPayload::from(text.as_bytes().to_vec())
}

async fn text(client: &AmazonS3, key: &str) -> String {
    let bytes = client
        .get(&Path::parse(key).unwrap())
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn objects_with_odd_keys_go_in_and_out_and_are_files() {
    let served = Served::new().await;
    let client = served.client();
    for key in ODD_KEYS {
        let path = Path::parse(key).unwrap();
        let put = client.put(&path, payload(key)).await.unwrap();
        assert_eq!(
            std::fs::read_to_string(served.dir.path().join("evidence").join(key)).unwrap(),
            key
        );
        assert_eq!(text(&client, key).await, key);
        let meta = client.head(&path).await.unwrap();
        assert_eq!((meta.size, meta.e_tag), (key.len() as u64, put.e_tag), "{key}");
    }
    let mut listed: Vec<_> = client
        .list(None)
        .map_ok(|meta| meta.location.to_string())
        .try_collect()
        .await
        .unwrap();
    listed.sort();
    let mut expected: Vec<_> = ODD_KEYS.iter().map(|key| (*key).to_owned()).collect();
    expected.sort();
    assert_eq!(listed, expected);
    // In one request for all.
    let paths: Vec<_> = ODD_KEYS.iter().map(|key| Ok(Path::parse(key).unwrap())).collect();
    let deleted: Vec<_> = client
        .delete_stream(futures::stream::iter(paths).boxed())
        .try_collect()
        .await
        .unwrap();
    assert_eq!(deleted.len(), ODD_KEYS.len());
    assert_eq!(client.list(None).count().await, 0);
    let error = client.get(&Path::from("plain.txt")).await.unwrap_err();
    assert!(matches!(error, object_store::Error::NotFound { .. }), "{error}");
}

#[tokio::test]
async fn conditional_writes_hold() {
    let served = Served::new().await;
    let client = served.client();
    let path = Path::from("a");
    let options = |mode| PutOptions {
        mode,
        ..PutOptions::default()
    };
    let first = client
        .put_opts(&path, payload("1"), options(PutMode::Create))
        .await
        .unwrap();
    let error = client
        .put_opts(&path, payload("2"), options(PutMode::Create))
        .await
        .unwrap_err();
    assert!(
        matches!(error, object_store::Error::AlreadyExists { .. }),
        "{error}"
    );
    let version = UpdateVersion {
        e_tag: first.e_tag,
        version: None,
    };
    client
        .put_opts(&path, payload("3"), options(PutMode::Update(version.clone())))
        .await
        .unwrap();
    let error = client
        .put_opts(&path, payload("4"), options(PutMode::Update(version)))
        .await
        .unwrap_err();
    assert!(
        matches!(error, object_store::Error::Precondition { .. }),
        "{error}"
    );
    assert_eq!(text(&client, "a").await, "3");
    let etag = client.head(&path).await.unwrap().e_tag;
    let error = client
        .get_opts(&path, GetOptions::new().with_if_none_match(etag))
        .await
        .unwrap_err();
    assert!(
        matches!(error, object_store::Error::NotModified { .. }),
        "{error}"
    );
    let error = client
        .get_opts(&path, GetOptions::new().with_if_match(Some("\"x\"")))
        .await
        .unwrap_err();
    assert!(
        matches!(error, object_store::Error::Precondition { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn attributes_are_kept_and_copied() {
    let served = Served::new().await;
    let client = served.client();
    let attributes = Attributes::from_iter([
        (Attribute::ContentType, "image/x-special"),
        (Attribute::CacheControl, "max-age=60"),
        (Attribute::Metadata("owner".into()), "somebody"),
    ]);
    let options = PutOptions {
        attributes: attributes.clone(),
        ..PutOptions::default()
    };
    client
        .put_opts(&Path::from("a"), payload("1"), options)
        .await
        .unwrap();
    client.copy(&Path::from("a"), &Path::from("b")).await.unwrap();
    for key in ["a", "b"] {
        assert_eq!(
            client.get(&Path::from(key)).await.unwrap().attributes,
            attributes,
            "{key}"
        );
    }
    client
        .copy_if_not_exists(&Path::from("a"), &Path::from("c"))
        .await
        .unwrap();
    let error = client
        .copy_if_not_exists(&Path::from("a"), &Path::from("b"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, object_store::Error::AlreadyExists { .. }),
        "{error}"
    );
    let error = client
        .copy(&Path::from("none"), &Path::from("d"))
        .await
        .unwrap_err();
    assert!(matches!(error, object_store::Error::NotFound { .. }), "{error}");
    client
        .rename(&Path::from("c"), &Path::from("renamed"))
        .await
        .unwrap();
    assert_eq!(text(&client, "renamed").await, "1");
}

#[tokio::test]
async fn ranges_are_served() {
    let served = Served::new().await;
    let client = served.client();
    let path = Path::from("ten");
    client.put(&path, payload("0123456789")).await.unwrap();
    assert_eq!(client.get_range(&path, 2..5).await.unwrap(), "234");
    assert_eq!(
        client.get_ranges(&path, &[0..1, 8..10]).await.unwrap(),
        ["0", "89"]
    );
    for (range, expected) in [
        (object_store::GetRange::Offset(7), "789"),
        (object_store::GetRange::Suffix(3), "789"),
        (object_store::GetRange::Bounded(8..50), "89"),
    ] {
        let result = client
            .get_opts(&path, GetOptions::new().with_range(Some(range)))
            .await
            .unwrap();
        assert_eq!(result.bytes().await.unwrap(), expected);
    }
    client.get_range(&path, 10..11).await.unwrap_err();
}

#[tokio::test]
async fn uploads_in_parts_become_one_object() {
    let served = Served::new().await;
    let client = served.client();
    let path = Path::from("folder/whole");
    let mut upload = client.put_multipart(&path).await.unwrap();
    let parts: Vec<_> = (0..3_u8)
        .map(|number| upload.put_part(PutPayload::from(vec![number; 5 << 20])))
        .collect();
    // In any order.
    for part in parts.into_iter().rev() {
        part.await.unwrap();
    }
    assert!(client.head(&path).await.is_err());
    upload.complete().await.unwrap();
    let bytes = client.get(&path).await.unwrap().bytes().await.unwrap();
    assert_eq!(bytes.len(), 15 << 20);
    assert!(
        bytes
            .chunks(5 << 20)
            .zip(0..)
            .all(|(chunk, number)| chunk.iter().all(|byte| *byte == number))
    );
    let mut upload = client.put_multipart(&Path::from("aborted")).await.unwrap();
    upload.put_part(PutPayload::from_static(b"part")).await.unwrap();
    upload.abort().await.unwrap();
    upload.abort().await.unwrap_err();
    assert!(client.head(&Path::from("aborted")).await.is_err());
}

#[tokio::test]
async fn listings_page_fold_and_begin_behind_an_offset() {
    let served = Served::new().await;
    let client = served.client();
    let folder = served.dir.path().join("evidence");
    for number in 0..1500 {
        std::fs::write(folder.join(format!("{number:04}")), "x").unwrap();
    }
    std::fs::create_dir_all(folder.join("sub/deeper")).unwrap();
    std::fs::write(folder.join("sub/deeper/a"), "x").unwrap();
    std::fs::write(folder.join("sub/b"), "x").unwrap();
    assert_eq!(client.list(None).count().await, 1502);
    let behind: Vec<_> = client
        .list_with_offset(None, &Path::from("1498"))
        .map_ok(|meta| meta.location.to_string())
        .try_collect()
        .await
        .unwrap();
    assert_eq!(behind, ["1499", "sub/b", "sub/deeper/a"]);
    let folded = client.list_with_delimiter(None).await.unwrap();
    assert_eq!(
        (folded.objects.len(), folded.common_prefixes),
        (1500, vec![Path::from("sub")])
    );
    let below = client
        .list_with_delimiter(Some(&Path::from("sub")))
        .await
        .unwrap();
    assert_eq!(below.objects.len(), 1);
    assert_eq!(below.common_prefixes, [Path::from("sub/deeper")]);
}

#[tokio::test]
async fn who_has_not_the_secret_is_refused() {
    let served = Served::new().await;
    let path = Path::from("a");
    served.client().put(&path, payload("1")).await.unwrap();
    for (id, secret) in [("local", "wrong"), ("stranger", "secret")] {
        let client = served.builder(id, secret).build().unwrap();
        let error = client.get(&path).await.unwrap_err();
        assert!(
            matches!(
                error,
                object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. }
            ),
            "{id}: {error}"
        );
        client.put(&path, payload("2")).await.unwrap_err();
        client.delete(&path).await.unwrap_err();
    }
    for method in ["GET", "PUT", "DELETE"] {
        let (status, answer) = served.raw(&format!("{method} /evidence/a"), "").await;
        assert_eq!(status, 403, "{answer}");
    }
    assert_eq!(served.raw("GET /", "").await.0, 403);
    assert_eq!(text(&served.client(), "a").await, "1");
}

#[tokio::test]
async fn a_pre_signed_url_is_good_for_its_method_and_key() {
    let served = Served::new().await;
    let client = served.client();
    let path = Path::parse("odd key/100%.txt").unwrap();
    let life = Duration::from_secs(60);
    let put = client
        .signed_url(::http::Method::PUT, &path, life)
        .await
        .unwrap()
        .to_string();
    let (status, answer) = served.by_url("PUT", &put, "signed").await;
    assert_eq!(status, 200, "{answer}");
    let get = client
        .signed_url(::http::Method::GET, &path, life)
        .await
        .unwrap()
        .to_string();
    let (status, answer) = served.by_url("GET", &get, "").await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer.ends_with("signed"), "{answer}");
    assert_eq!(served.by_url("DELETE", &get, "").await.0, 403);
    assert_eq!(
        served.by_url("GET", &get.replace("odd", "other"), "").await.0,
        403
    );
    assert_eq!(
        served
            .by_url("GET", &get.replace("Expires=60", "Expires=600"), "")
            .await
            .0,
        403
    );
    let expired = get.replace("X-Amz-Date=20", "X-Amz-Date=19");
    assert_eq!(served.by_url("GET", &expired, "").await.0, 403);
    assert_eq!(text(&client, "odd key/100%.txt").await, "signed");
}

#[tokio::test]
async fn what_is_not_there_or_not_possible_says_so() {
    let served = Served::new().await;
    let other = served
        .builder("local", "secret")
        .with_bucket_name("missing")
        .build()
        .unwrap();
    let error = other.put(&Path::from("a"), payload("1")).await.unwrap_err();
    assert!(matches!(error, object_store::Error::NotFound { .. }), "{error}");
    let client = served.client();
    client.put(&Path::from("a"), payload("1")).await.unwrap();
    let error = client.put(&Path::from("a/b"), payload("2")).await.unwrap_err();
    assert!(error.to_string().contains("is itself an object"), "{error}");
    assert!(served.server.create_bucket("Not A Name").is_err());
    let taken = S3Server::start(
        served.server.address(),
        served.dir.path(),
        S3Credentials {
            access_key_id: "a".into(),
            secret_access_key: "b".into(),
        },
    );
    let error = taken.await.unwrap_err();
    assert!(error.to_string().contains("port is taken"), "{error}");
}

#[tokio::test]
async fn it_ends_when_it_is_told_to() {
    let served = Served::new().await;
    let client: Arc<dyn ObjectStore> = Arc::new(served.client());
    client.put(&Path::from("a"), payload("1")).await.unwrap();
    let address = served.server.address();
    served.server.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}

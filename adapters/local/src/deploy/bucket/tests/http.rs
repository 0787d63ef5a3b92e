//! The resource API by HTTP written out by hand, as any client may send it.

use std::time::Duration;

use chrono::Utc;
use nephos_core::ErrorKind;
use nephos_core::resource::bucket::SignedMethod;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore as _};

use super::super::UrlSigner;
use super::api::Served;

#[tokio::test]
async fn impossible_keys_are_refused_over_http_and_nothing_leaves_the_folder() {
    let served = Served::new().await;
    for path in [
        "..",
        "../x",
        "%2e%2e/x",
        "a/../x",
        "a//b",
        "a%00",
        "%ff",
        "a/",
        &"x".repeat(300),
    ] {
        let head = format!("PUT /v1/bucket/snapshots/{path} HTTP/1.1\r\nauthorization: Bearer all");
        let (status, head, body) = served.raw(&head, b"x").await;
        assert_eq!(status, 400, "{path}: {head}");
        assert!(head.contains("application/problem+json"), "{head}");
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["kind"], "invalid_argument");
    }
    assert_eq!(
        std::fs::read_dir(served.fixture.folder.root()).unwrap().count(),
        0
    );
    assert_eq!(
        std::fs::read_dir(served.fixture.folder.root().parent().unwrap())
            .unwrap()
            .count(),
        2
    );
}

#[tokio::test]
async fn ranges_and_conditions_are_http_as_it_is_written() {
    let served = Served::new().await;
    served
        .fixture
        .bucket()
        .put("ten.txt", "0123456789")
        .await
        .unwrap();
    let path = "/v1/bucket/snapshots/ten.txt HTTP/1.1\r\nauthorization: Bearer reader";
    for (range, status, body, content_range) in [
        ("bytes=2-4", 206, "234", "bytes 2-4/10"),
        ("bytes=7-", 206, "789", "bytes 7-9/10"),
        ("bytes=-2", 206, "89", "bytes 8-9/10"),
        ("bytes=8-99", 206, "89", "bytes 8-9/10"),
        ("bytes=10-", 416, "", "bytes */10"),
        ("bytes=4-2", 200, "0123456789", ""),
        ("lines=1-2", 200, "0123456789", ""),
        ("bytes=0-1,4-5", 200, "0123456789", ""),
    ] {
        let (got, head, content) = served.raw(&format!("GET {path}\r\nrange: {range}"), b"").await;
        assert_eq!(got, status, "{range}: {head}");
        assert!(
            content_range.is_empty() || head.contains(&format!("content-range: {content_range}")),
            "{range}: {head}"
        );
        if status < 300 {
            assert_eq!(content, body.as_bytes(), "{range}");
        }
    }
    let (status, head, body) = served.raw(&format!("HEAD {path}"), b"").await;
    assert_eq!((status, body.len()), (200, 0));
    assert!(
        head.contains("content-length: 10") && head.contains("content-type: text/plain"),
        "{head}"
    );
    let etag = head
        .split("etag: ")
        .nth(1)
        .unwrap()
        .split("\r\n")
        .next()
        .unwrap()
        .to_owned();
    let modified = head
        .split("last-modified: ")
        .nth(1)
        .unwrap()
        .split("\r\n")
        .next()
        .unwrap()
        .to_owned();
    for (condition, status) in [
        (format!("if-none-match: {etag}"), 304),
        (format!("if-none-match: \"other\", {etag}"), 304),
        ("if-none-match: \"other\"".to_owned(), 200),
        (format!("if-match: {etag}"), 200),
        ("if-match: \"other\"".to_owned(), 412),
        ("if-match: *".to_owned(), 200),
        ("if-modified-since: Sat, 01 Jan 2000 00:00:00 GMT".to_owned(), 200),
        (
            "if-unmodified-since: Sat, 01 Jan 2000 00:00:00 GMT".to_owned(),
            412,
        ),
        ("if-modified-since: never".to_owned(), 200),
    ] {
        let (got, head, _) = served.raw(&format!("GET {path}\r\n{condition}"), b"").await;
        assert_eq!(got, status, "{condition}: {head}");
    }
    assert!(modified.ends_with("gmt"), "{modified}");
    let driver = served.driver("reader");
    let options = GetOptions::new().with_if_none_match(Some(etag.trim_matches('"')));
    let error = driver
        .get_opts(&Path::from("ten.txt"), options)
        .await
        .unwrap_err();
    assert!(
        matches!(error, object_store::Error::NotModified { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn requests_that_are_none_are_refused() {
    let served = Served::new().await;
    for (line, status) in [
        ("GET /v1/bucket/snapshots/a HTTP/1.1", 401),
        (
            "GET /v1/bucket/snapshots/a HTTP/1.1\r\nauthorization: Basic all",
            401,
        ),
        (
            "PATCH /v1/bucket/snapshots/a HTTP/1.1\r\nauthorization: Bearer all",
            400,
        ),
        (
            "GET /v1/bucket/snapshots HTTP/1.1\r\nauthorization: Bearer all",
            400,
        ),
        (
            "GET /v1/bucket/snapshots?list&limit=0 HTTP/1.1\r\nauthorization: Bearer all",
            400,
        ),
        (
            "GET /v1/bucket/snapshots?list&token=x HTTP/1.1\r\nauthorization: Bearer all",
            400,
        ),
        (
            "PUT /v1/bucket/snapshots/a?upload=none&part=1 HTTP/1.1\r\nauthorization: Bearer all",
            404,
        ),
        (
            "POST /v1/bucket/snapshots/a?sign=GET&expires-in=999999999 HTTP/1.1\r\nauthorization: Bearer all",
            400,
        ),
        (
            "PUT /v1/bucket/snapshots/a HTTP/1.1\r\nauthorization: Bearer all\r\nif-none-match: \"x\"",
            400,
        ),
    ] {
        let (got, _, body) = served.raw(line, b"").await;
        assert_eq!(got, status, "{line}: {}", String::from_utf8_lossy(&body));
    }
}

#[tokio::test]
async fn a_signed_url_allows_one_method_on_one_key_for_its_time() {
    let served = Served::new().await;
    let bucket = served.bucket();
    let life = Duration::from_secs(60);
    let key = "odd key/100%.txt";
    let put = bucket.signed_url(SignedMethod::Put, key, life).await.unwrap().url;
    assert_eq!(served.by_url("PUT", &put, b"signed").await.0, 200);
    assert_eq!(bucket.get(key).await.unwrap(), "signed");
    let get = bucket.signed_url(SignedMethod::Get, key, life).await.unwrap().url;
    assert_eq!(served.by_url("GET", &get, b"").await, (200, b"signed".to_vec()));
    assert_eq!(served.by_url("HEAD", &get, b"").await.0, 200);

    for (method, url) in [
        ("PUT", get.clone()),
        ("DELETE", get.clone()),
        ("GET", put.clone()),
        ("GET", get.replace("odd%20key", "other%20key")),
        ("GET", get.replace("expires=", "expires=9")),
        ("GET", get.replace("signature=", "signature=00")),
        (
            "GET",
            get.split("&signature").next().unwrap().to_owned() + "&signature=",
        ),
        ("PUT", get.replace("method=GET", "method=PUT")),
        ("PUT", format!("{put}&copy-from=x")),
        (
            "GET",
            served.signer.sign(
                "snapshots",
                SignedMethod::Get,
                key,
                Utc::now() - Duration::from_secs(61),
                life,
            ),
        ),
        (
            "GET",
            served
                .signer
                .sign("other", SignedMethod::Get, key, Utc::now(), life)
                .replace("/other/", "/snapshots/"),
        ),
        (
            "GET",
            UrlSigner::new(&[8; 32], &format!("http://{}", served.address))
                .unwrap()
                .sign("snapshots", SignedMethod::Get, key, Utc::now(), life),
        ),
    ] {
        assert_eq!(served.by_url(method, &url, b"").await.0, 403, "{method} {url}");
    }
    let delete = bucket
        .signed_url(SignedMethod::Delete, key, life)
        .await
        .unwrap()
        .url;
    assert_eq!(served.by_url("DELETE", &delete, b"").await.0, 204);
    assert_eq!(bucket.get(key).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(UrlSigner::new(b"short", "http://x").is_err());
}

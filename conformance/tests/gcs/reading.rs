//! Content, its ranges, and the headers that come with it.

use http::Method;

use crate::client::{Gcs, object, xml};

#[tokio::test(flavor = "multi_thread")]
async fn an_object_comes_with_its_metadata_in_xml() {
    let gcs = Gcs::start().await;
    let headers = [
        ("content-type", "text/plain; charset=utf-8"),
        ("cache-control", "no-store"),
        ("content-disposition", "attachment"),
        ("content-language", "de"),
        ("x-goog-meta-colour", "grün"),
        ("x-goog-storage-class", "NEARLINE"),
    ];
    let put = gcs.ask(Method::PUT, &xml("dir/a"), &headers, b"content").await;
    assert_eq!(put.status, 200, "{}", put.text());
    let got = gcs.get(&xml("dir/a")).await;
    assert_eq!(&got.bytes[..], b"content");
    for (name, value) in headers {
        assert_eq!(
            got.headers.get(name).map(http::HeaderValue::as_bytes),
            Some(value.as_bytes()),
            "{name}"
        );
    }
    assert_eq!(got.header("x-goog-generation"), put.header("x-goog-generation"));
    assert_eq!(got.header("x-goog-metageneration"), Some("1"));
    assert_eq!(got.header("x-goog-stored-content-length"), Some("7"));
    assert_eq!(
        got.all("x-goog-hash"),
        ["crc32c=Ya91Mw==", "md5=mgNkuembtIDdJeHwKEyFVQ=="]
    );
    let head = gcs.ask(Method::HEAD, &xml("dir/a"), &[], b"").await;
    assert_eq!(
        (head.status, head.header("content-length"), head.bytes.len()),
        (200, Some("7"), 0)
    );
    let resource = gcs.get(&object("dir%2Fa")).await.json();
    assert_eq!(resource["metadata"]["colour"], "grün");
    assert_eq!(resource["crc32c"], "Ya91Mw==");
    assert_eq!(resource["md5Hash"], "mgNkuembtIDdJeHwKEyFVQ==");
    assert_eq!(resource["size"], "7");
    assert_eq!(resource["storageClass"], "NEARLINE");
    let generation = resource["generation"].as_str().unwrap();
    assert_eq!(resource["id"], format!("tests/dir/a/{generation}"));
    let link = gcs.get(resource["mediaLink"].as_str().unwrap()).await;
    assert_eq!(&link.bytes[..], b"content");
    assert_eq!(link.header("etag"), resource["etag"].as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_are_answered_by_both_interfaces() {
    let gcs = Gcs::start().await;
    gcs.put("a", b"0123456789").await;
    gcs.put("empty", b"").await;
    for path in [xml("a"), format!("{}?alt=media", object("a"))] {
        for (range, status, body, shown) in [
            ("bytes=2-4", 206, "234", Some("bytes 2-4/10")),
            ("bytes=7-", 206, "789", Some("bytes 7-9/10")),
            ("bytes=-2", 206, "89", Some("bytes 8-9/10")),
            ("bytes=5-99", 206, "56789", Some("bytes 5-9/10")),
            ("bytes=9-2", 200, "0123456789", None),
        ] {
            let answer = gcs.ask(Method::GET, &path, &[("range", range)], b"").await;
            assert_eq!((answer.status, answer.text().as_str()), (status, body), "{range}");
            assert_eq!(answer.header("content-range"), shown);
        }
        let beyond = gcs.ask(Method::GET, &path, &[("range", "bytes=10-")], b"").await;
        assert_eq!(beyond.status, 416);
        assert!(["InvalidRange", "requestedRangeNotSatisfiable"].contains(&beyond.reason().as_str()));
        let two = gcs
            .ask(Method::GET, &path, &[("range", "bytes=0-1,3-4")], b"")
            .await;
        assert_eq!(two.status, 400);
    }
    let nothing = gcs
        .ask(Method::GET, &xml("empty"), &[("range", "bytes=0-")], b"")
        .await;
    assert_eq!(nothing.status, 416);
    let head = gcs
        .ask(Method::HEAD, &xml("a"), &[("range", "bytes=2-4")], b"")
        .await;
    assert_eq!((head.status, head.header("content-length")), (206, Some("3")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_told_in_the_form_of_the_interface() {
    let gcs = Gcs::start().await;
    let json = gcs.get(&object("none")).await;
    assert_eq!(json.refusal(), (404, "notFound".to_owned()));
    assert_eq!(json.json()["error"]["message"], "No such object: tests/none");
    let xml = gcs.get(&xml("none")).await;
    assert_eq!(xml.refusal(), (404, "NoSuchKey".to_owned()));
    assert!(
        xml.text()
            .contains("<Details>No such object: tests/none</Details>")
    );
    assert_eq!(
        gcs.get("/other/none").await.refusal(),
        (404, "NoSuchBucket".to_owned())
    );
    assert_eq!(gcs.get("/storage/v1/b/other/o/none").await.status, 404);
    // A slash that is not encoded is no part of a name in JSON.
    gcs.put("dir/a", b"x").await;
    assert_ne!(gcs.get(&object("dir/a")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_content_is_never_handed_out_as_something_else() {
    let gcs = Gcs::start().await;
    gcs.ask(
        Method::PUT,
        &xml("gz"),
        &[("content-encoding", "gzip")],
        b"not really",
    )
    .await;
    assert_eq!(gcs.get(&xml("gz")).await.status, 400);
    let got = gcs
        .ask(Method::GET, &xml("gz"), &[("accept-encoding", "gzip")], b"")
        .await;
    assert_eq!((got.status, got.header("content-encoding")), (200, Some("gzip")));
    assert_eq!(got.header("x-goog-stored-content-encoding"), Some("gzip"));
}

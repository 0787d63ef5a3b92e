//! Content that comes at once: in XML, simple and multipart in JSON; and its checksums.

use http::Method;
use serde_json::{Value, json};

use crate::client::{Answered, Gcs, object, upload, xml};

async fn multipart(gcs: &Gcs, query: &str, parts: &[(&str, &str)]) -> Answered {
    let mut body = String::new();
    for (kind, content) in parts {
        body.push_str(&format!("--edge\r\ncontent-type: {kind}\r\n\r\n{content}\r\n"));
    }
    body.push_str("--edge--");
    let path = upload(&format!("uploadType=multipart{query}"));
    let headers = [("content-type", "multipart/related; boundary=\"edge\"")];
    gcs.ask(Method::POST, &path, &headers, body.as_bytes()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_made_with_and_without_a_resource() {
    let gcs = Gcs::start().await;
    let simple = gcs
        .ask(
            Method::POST,
            &upload("uploadType=media&name=dir%2Fs+1"),
            &[("content-type", "text/css")],
            b"x",
        )
        .await
        .json();
    assert_eq!(
        (&simple["name"], &simple["contentType"]),
        (&json!("dir/s 1"), &json!("text/css"))
    );
    let resource = json!({"name": "m", "metadata": {"Key": "Value"}, "cacheControl": "no-store"}).to_string();
    let made = multipart(
        &gcs,
        "",
        &[
            ("application/json; charset=UTF-8", &resource),
            ("text/plain", "a\r\n--edg\r\nb"),
        ],
    )
    .await
    .json();
    assert_eq!(made["metadata"], json!({"Key": "Value"}));
    assert_eq!(made["contentType"], "text/plain");
    assert_eq!(&gcs.storage.objects("tests")["m"].content[..], b"a\r\n--edg\r\nb");
    assert_eq!(gcs.storage.objects("tests")["m"].resource, made);
}

#[tokio::test(flavor = "multi_thread")]
async fn content_with_other_checksums_than_its_client_says_is_refused() {
    let gcs = Gcs::start().await;
    let (crc32c, md5) = ("Ya91Mw==", "mgNkuembtIDdJeHwKEyFVQ==");
    let both = format!("crc32c={crc32c},md5={md5}");
    for (headers, expected) in [
        (vec![("x-goog-hash", both.as_str())], (200, "")),
        (vec![("content-md5", md5)], (200, "")),
        (vec![("x-goog-hash", "crc32c=AAAAAA==")], (400, "BadDigest")),
        (
            vec![("x-goog-hash", "md5=1B2M2Y8AsgTpgAmY7PhCfg==")],
            (400, "BadDigest"),
        ),
        (
            vec![("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")],
            (400, "BadDigest"),
        ),
        (vec![("x-goog-hash", "crc32c=AAA=")], (400, "InvalidDigest")),
        (vec![("x-goog-hash", "sha256=AAAAAA==")], (400, "InvalidDigest")),
    ] {
        let answer = gcs.ask(Method::PUT, &xml("a"), &headers, b"content").await;
        assert_eq!((answer.status, answer.reason().as_str()), expected, "{headers:?}");
    }
    for (resource, status) in [
        (json!({"crc32c": crc32c, "md5Hash": md5}), 200),
        (json!({"crc32c": "AAAAAA=="}), 400),
        (json!({"md5Hash": "1B2M2Y8AsgTpgAmY7PhCfg=="}), 400),
        (json!({"md5Hash": 7}), 400),
    ] {
        let text = resource.to_string();
        let answer = multipart(
            &gcs,
            "&name=b",
            &[("application/json", &text), ("text/plain", "content")],
        )
        .await;
        assert_eq!(answer.status, status, "{resource}: {}", answer.text());
    }
    let headers = [("x-goog-hash", "crc32c=AAAAAA==")];
    let simple = gcs
        .ask(
            Method::POST,
            &upload("uploadType=media&name=c"),
            &headers,
            b"content",
        )
        .await;
    assert_eq!(
        simple.json()["error"]["message"],
        "Provided CRC32C \"AAAAAA==\" doesn't match calculated CRC32C \"Ya91Mw==\"."
    );
    assert_eq!(gcs.get(&object("c")).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn checksums_may_come_behind_the_content() {
    let gcs = Gcs::start().await;
    for (sums, status) in [
        (json!({"crc32c": "Ya91Mw=="}), 200),
        (json!({"crc32c": "AAAAAA=="}), 400),
        (json!({"name": "other"}), 400),
    ] {
        let parts = [
            ("application/json", "{}"),
            ("text/plain", "content"),
            ("application/json", &sums.to_string()),
        ];
        let answer = multipart(&gcs, "&name=b", &parts).await;
        assert_eq!(answer.status, status, "{sums}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_uploads_are_refused() {
    let gcs = Gcs::start().await;
    let json = ("application/json", "{\"name\": \"a\"}");
    let media = ("text/plain", "x");
    for parts in [
        vec![json],
        vec![json, media, media],
        vec![media, json],
        vec![("application/json", "{"), media],
    ] {
        let answer = multipart(&gcs, "", &parts).await;
        assert_eq!(answer.status, 400, "{parts:?}: {}", answer.text());
    }
    assert_eq!(
        multipart(&gcs, "", &[("application/json", "{}"), media])
            .await
            .reason(),
        "required"
    );
    let path = upload("uploadType=multipart&name=a");
    for (kind, body) in [
        ("multipart/related", "--edge--"),
        ("multipart/form-data; boundary=edge", "--edge--"),
        ("multipart/related; boundary=edge", "--other--"),
        (
            "multipart/related; boundary=edge",
            "--edge\r\ncontent-type: application/json\r\n\r\n{}",
        ),
    ] {
        let answer = gcs
            .ask(Method::POST, &path, &[("content-type", kind)], body.as_bytes())
            .await;
        assert_eq!(answer.refusal(), (400, "badContent".to_owned()), "{kind} {body}");
    }
    for query in ["name=a", "uploadType=other&name=a", "uploadType=media"] {
        assert_eq!(
            gcs.ask(Method::POST, &upload(query), &[], b"x").await.status,
            400,
            "{query}"
        );
    }
    assert_eq!(gcs.storage.objects("tests").len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_is_changed_and_taken_away() {
    let gcs = Gcs::start().await;
    gcs.put("a", b"x").await;
    let patch = async |body: Value| gcs.json(Method::PATCH, &object("a"), body).await;
    let first = patch(json!({"metadata": {"a": "1", "b": "2"}, "cacheControl": "no-store"}))
        .await
        .json();
    let second = patch(json!({"metadata": {"a": null, "c": "3"}, "cacheControl": null}))
        .await
        .json();
    assert_eq!(second["metadata"], json!({"b": "2", "c": "3"}));
    assert!(second.get("cacheControl").is_none());
    assert_eq!(second["timeCreated"], first["timeCreated"]);
    assert_ne!(second["etag"], first["etag"]);
    let whole = gcs
        .json(Method::PUT, &object("a"), json!({"metadata": {"d": "4"}}))
        .await
        .json();
    assert_eq!(whole["metadata"], json!({"d": "4"}));
    for wrong in [
        json!({"metadata": {"a": 1}}),
        json!({"metadata": "a"}),
        json!({"metadata": {"a b": "1"}}),
        json!({"metadata": {"a": "1\n2"}}),
        json!({"metadata": {"a": "x".repeat(8 * 1024)}}),
        json!({"contentType": 7}),
        json!({"storageClass": "NEARLINE"}),
        json!({"size": "9"}),
        json!({"temporaryHold": true}),
        json!({"invented": "x"}),
    ] {
        let answer = patch(wrong.clone()).await;
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.text());
    }
    assert_eq!(gcs.get(&object("a")).await.json(), whole);
}

//! Resumable uploads of the JSON API.

use http::Method;
use serde_json::json;

use crate::client::{Answered, Gcs, object, upload};

const CHUNK: usize = 256 * 1024;

async fn begin(gcs: &Gcs, query: &str, headers: &[(&str, &str)]) -> String {
    let path = upload(&format!("uploadType=resumable&name=big{query}"));
    let answer = gcs.ask(Method::POST, &path, headers, b"").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("location").unwrap().to_owned()
}

/// Without a token: the address of a session is enough.
async fn chunk(gcs: &Gcs, session: &str, range: &str, body: &[u8]) -> Answered {
    gcs.send(Method::PUT, session, &[("content-range", range)], body)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_comes_in_chunks_and_can_be_asked_about() {
    let gcs = Gcs::start().await;
    let content: Vec<u8> = (0..CHUNK * 2 + 5).map(|at| (at % 251) as u8).collect();
    let session = begin(
        &gcs,
        "&ifGenerationMatch=0",
        &[("x-upload-content-type", "image/png")],
    )
    .await;
    let status = chunk(&gcs, &session, "bytes */*", b"").await;
    assert_eq!((status.status, status.header("range")), (308, None));
    let first = chunk(&gcs, &session, "bytes 0-262143/*", &content[..CHUNK]).await;
    assert_eq!(
        (first.status, first.header("range")),
        (308, Some("bytes=0-262143"))
    );
    assert_eq!(gcs.storage.unfinished(), 1);
    assert_eq!(gcs.get(&object("big")).await.status, 404);
    // What is there already is not taken again.
    let overlap = chunk(&gcs, &session, "bytes 0-524287/*", &content[..CHUNK * 2]).await;
    assert_eq!(
        (overlap.status, overlap.header("range")),
        (308, Some("bytes=0-524287"))
    );
    let status = chunk(&gcs, &session, "bytes */524293", b"").await;
    assert_eq!(
        (status.status, status.header("range")),
        (308, Some("bytes=0-524287"))
    );
    let last = chunk(
        &gcs,
        &session,
        "bytes 524288-524292/524293",
        &content[CHUNK * 2..],
    )
    .await;
    assert_eq!(last.status, 200, "{}", last.text());
    assert_eq!(last.json()["contentType"], "image/png");
    assert_eq!(gcs.storage.objects("tests")["big"].content, content);
    let again = chunk(&gcs, &session, "bytes */524293", b"").await;
    assert_eq!((again.status, again.json()), (200, last.json()));
    assert_eq!(gcs.storage.unfinished(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_ends_when_its_length_is_known_or_its_stream_ends() {
    let gcs = Gcs::start().await;
    let content = vec![7; CHUNK];
    let session = begin(&gcs, "", &[]).await;
    chunk(&gcs, &session, "bytes 0-262143/*", &content).await;
    assert_eq!(chunk(&gcs, &session, "bytes */262144", b"").await.status, 200);
    let session = begin(&gcs, "", &[]).await;
    assert_eq!(chunk(&gcs, &session, "bytes */0", b"").await.json()["size"], "0");
    let session = begin(&gcs, "", &[]).await;
    assert_eq!(
        chunk(&gcs, &session, "bytes 0-*/*", b"all of it").await.json()["size"],
        "9"
    );
    let session = begin(&gcs, "", &[]).await;
    let whole = gcs.send(Method::PUT, &session, &[], b"at once").await.unwrap();
    assert_eq!(whole.json()["size"], "7");
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_that_do_not_fit_are_refused_and_change_nothing() {
    let gcs = Gcs::start().await;
    let session = begin(&gcs, "", &[("x-upload-content-length", "524300")]).await;
    let content = vec![1; CHUNK];
    chunk(&gcs, &session, "bytes 0-262143/524300", &content).await;
    for (range, body, status) in [
        ("bytes 262144-262243/524300", &content[..100], 400),
        ("bytes 524288-524299/524300", &content[..12], 503),
        ("bytes 262144-524287/600000", &content[..], 400),
        ("bytes 262144-262150/524300", &content[..], 400),
        ("bytes 262144-524287", &content[..], 400),
        ("bytes */*", &content[..], 400),
        ("bytes 262144-*/*", &content[..], 400),
    ] {
        let answer = chunk(&gcs, &session, range, body).await;
        assert_eq!(answer.status, status, "{range}: {}", answer.text());
        let state = chunk(&gcs, &session, "bytes */*", b"").await;
        assert_eq!(state.header("range"), Some("bytes=0-262143"), "{range}");
    }
    let long = begin(&gcs, "", &[("x-upload-content-length", "3")]).await;
    assert_eq!(
        gcs.send(Method::PUT, &long, &[], b"four").await.unwrap().status,
        400
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_was_cancelled_is_gone() {
    let gcs = Gcs::start().await;
    let session = begin(&gcs, "", &[]).await;
    assert_eq!(
        gcs.send(Method::DELETE, &session, &[], b"").await.unwrap().status,
        499
    );
    assert_eq!(gcs.storage.unfinished(), 0);
    assert_eq!(chunk(&gcs, &session, "bytes */*", b"").await.status, 499);
    let unknown = upload("uploadType=resumable&name=big&upload_id=unknown");
    assert_eq!(gcs.ask(Method::PUT, &unknown, &[], b"x").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_and_checksums_are_held_at_the_end() {
    let gcs = Gcs::start().await;
    let session = begin(&gcs, "&ifGenerationMatch=0", &[]).await;
    gcs.put("big", b"somebody was faster").await;
    assert_eq!(
        gcs.send(Method::PUT, &session, &[], b"late")
            .await
            .unwrap()
            .refusal(),
        (412, "conditionNotMet".to_owned())
    );
    let session = begin(&gcs, "", &[]).await;
    let wrong = gcs
        .send(
            Method::PUT,
            &session,
            &[("x-goog-hash", "crc32c=AAAAAA==")],
            b"content",
        )
        .await
        .unwrap();
    assert_eq!(wrong.status, 400);
    let path = upload("uploadType=resumable&name=big");
    let begun = gcs.json(Method::POST, &path, json!({"crc32c": "Ya91Mw=="})).await;
    let session = begun.header("location").unwrap();
    assert_eq!(
        gcs.send(Method::PUT, session, &[], b"other")
            .await
            .unwrap()
            .status,
        400
    );
    let begun = gcs.json(Method::POST, &path, json!({"crc32c": "Ya91Mw=="})).await;
    let session = begun.header("location").unwrap();
    assert_eq!(
        gcs.send(Method::PUT, session, &[], b"content")
            .await
            .unwrap()
            .status,
        200
    );
}

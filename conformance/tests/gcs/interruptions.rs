//! Throttling, errors of the service, and connections that break off.

use http::Method;
use nephos_conformance::gcs::Interruption;

use crate::client::{Gcs, object, upload, xml};

#[tokio::test(flavor = "multi_thread")]
async fn the_next_requests_of_a_path_fail_and_no_others() {
    let gcs = Gcs::start().await;
    gcs.put("a", b"x").await;
    for (status, json, code) in [
        (429, "rateLimitExceeded", "TooManyRequests"),
        (500, "internalError", "InternalError"),
        (503, "backendError", "ServiceUnavailable"),
        (403, "forbidden", "AccessDenied"),
    ] {
        gcs.storage
            .interrupt("GET /storage/v1/b/tests/o/a", 2, Interruption::Status(status));
        assert_eq!(gcs.get(&xml("a")).await.status, 200);
        for _ in 0..2 {
            assert_eq!(gcs.get(&object("a")).await.refusal(), (status, json.to_owned()));
        }
        assert_eq!(gcs.get(&object("a")).await.status, 200);
        gcs.storage.interrupt("/tests/a", 1, Interruption::Status(status));
        assert_eq!(gcs.get(&xml("a")).await.refusal(), (status, code.to_owned()));
    }
    let last = gcs.storage.requests().pop().unwrap();
    assert_eq!(
        (last.method.as_str(), last.path.as_str(), last.status),
        ("GET", "/tests/a", 403)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_cut_before_or_after_what_was_asked_for() {
    let gcs = Gcs::start().await;
    let token = format!("Bearer {}", gcs.storage.options().tokens[0]);
    let put = async || {
        gcs.send(Method::PUT, &xml("a"), &[("authorization", &token)], b"x")
            .await
    };
    gcs.storage.interrupt("PUT /tests/a", 1, Interruption::Cut);
    assert!(put().await.is_err());
    assert_eq!(gcs.get(&object("a")).await.status, 404);
    gcs.storage
        .interrupt("PUT /tests/a", 1, Interruption::CutAfterwards);
    assert!(put().await.is_err());
    assert_eq!(gcs.get(&object("a")).await.status, 200);
    assert_eq!(put().await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_after_an_answer_that_was_lost() {
    let gcs = Gcs::start().await;
    let begun = gcs
        .ask(Method::POST, &upload("uploadType=resumable&name=a"), &[], b"")
        .await;
    let session = begun.header("location").unwrap();
    let content = vec![5; 256 * 1024];
    gcs.storage
        .interrupt("PUT /upload/", 1, Interruption::CutAfterwards);
    let lost = gcs
        .send(
            Method::PUT,
            session,
            &[("content-range", "bytes 0-262143/*")],
            &content,
        )
        .await;
    assert!(lost.is_err());
    let asked = gcs
        .send(Method::PUT, session, &[("content-range", "bytes */*")], b"")
        .await
        .unwrap();
    assert_eq!(
        (asked.status, asked.header("range")),
        (308, Some("bytes=0-262143"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_may_be_taken_in_part_and_the_rest_comes_again() {
    let gcs = Gcs::start().await;
    let content: Vec<u8> = (0..256 * 1024 * 3 + 1).map(|at| (at % 239) as u8).collect();
    let path = upload("uploadType=resumable&name=a");
    for (range, quanta, shown) in [
        (Some("bytes 0-786432/786433"), 2, Some("bytes=0-524287")),
        (Some("bytes 0-*/*"), 1, Some("bytes=0-262143")),
        (Some("bytes 0-786432/786433"), 0, None),
        (None, 1, Some("bytes=0-262143")),
    ] {
        let begun = gcs.ask(Method::POST, &path, &[], b"").await;
        let session = begun.header("location").unwrap();
        gcs.storage
            .interrupt("PUT upload_id=", 1, Interruption::Keep(quanta));
        let headers: Vec<_> = range.map(|range| ("content-range", range)).into_iter().collect();
        let part = gcs.send(Method::PUT, session, &headers, &content).await.unwrap();
        assert_eq!((part.status, part.header("range")), (308, shown), "{range:?}");
        let first = quanta * 256 * 1024;
        let rest = format!("bytes {first}-786432/786433");
        let done = gcs
            .send(
                Method::PUT,
                session,
                &[("content-range", &rest)],
                &content[first..],
            )
            .await
            .unwrap();
        assert_eq!(done.status, 200, "{}", done.text());
        assert_eq!(gcs.storage.objects("tests")["a"].content, content);
    }
}

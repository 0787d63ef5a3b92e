//! Tokens and signed URLs.

use std::time::Duration;

use http::Method;
use object_store::signer::Signer as _;

use crate::client::{Gcs, object, upload, xml};

#[tokio::test(flavor = "multi_thread")]
async fn requests_without_a_token_that_counts_are_refused() {
    let gcs = Gcs::start().await;
    gcs.put("a", b"x").await;
    for path in [object("a"), xml("a"), "/storage/v1/b/tests".to_owned()] {
        for (header, json) in [
            (None, "required"),
            (Some("Bearer "), "required"),
            (Some("Bearer other"), "authError"),
            (Some("Basic eDp5"), "authError"),
        ] {
            let headers: Vec<_> = header.map(|value| ("authorization", value)).into_iter().collect();
            let answer = gcs.send(Method::GET, &path, &headers, b"").await.unwrap();
            let expected = if path == xml("a") {
                "AuthenticationRequired"
            } else {
                json
            };
            assert_eq!(answer.refusal(), (401, expected.to_owned()), "{path} {header:?}");
            assert!(answer.header("www-authenticate").is_some());
        }
    }
    let begun = gcs
        .send(Method::POST, &upload("uploadType=resumable&name=a"), &[], b"")
        .await;
    assert_eq!(begun.unwrap().status, 401);
    gcs.storage.accept_token("another");
    let headers = [("authorization", "bearer another")];
    assert_eq!(
        gcs.send(Method::GET, &xml("a"), &headers, b"")
            .await
            .unwrap()
            .status,
        200
    );
    gcs.storage.expire_tokens();
    assert_eq!(gcs.get(&xml("a")).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_url_that_was_changed_or_is_over_is_refused() {
    let gcs = Gcs::start().await;
    gcs.put("a", b"x").await;
    let url = gcs
        .store()
        .signed_url(Method::GET, &"a".into(), Duration::from_secs(60))
        .await
        .unwrap()
        .to_string();
    let get = async |url: &str, headers: &[(&str, &str)]| {
        let answer = gcs.send(Method::GET, url, headers, b"").await.unwrap();
        answer.refusal()
    };
    assert_eq!(get(&url, &[]).await.0, 200);
    let mismatch = (403, "SignatureDoesNotMatch".to_owned());
    let invalid = (400, "InvalidArgument".to_owned());
    for (from, to, expected) in [
        ("/tests/a?", "/tests/b?", &mismatch),
        ("X-Goog-Expires=60", "X-Goog-Expires=61", &mismatch),
        ("app%40tests", "other%40tests", &mismatch),
        ("X-Goog-Expires=60", "X-Goog-Expires=604801", &invalid),
        ("GOOG4-RSA-SHA256", "GOOG4-HMAC-SHA256", &invalid),
        (
            "X-Goog-SignedHeaders=host",
            "X-Goog-SignedHeaders=range",
            &invalid,
        ),
        ("storage%2Fgoog4_request", "storage%2Faws4_request", &invalid),
        ("X-Goog-Date=20", "X-Goog-Date=19", &invalid),
        ("&X-Goog-Expires=60", "", &invalid),
        ("&X-Goog-Signature=", "&X-Goog-Signature=zz", &invalid),
        ("X-Goog-Algorithm=", "generation=7&X-Goog-Algorithm=", &mismatch),
    ] {
        let changed = url.replace(from, to);
        assert_ne!(changed, url, "{from}");
        assert_eq!(&get(&changed, &[]).await, expected, "{from} {to}");
    }
    assert_eq!(get(&url, &[("x-goog-meta-a", "1")]).await, mismatch);
    assert_eq!(get(&url, &[("authorization", "Bearer x")]).await, invalid);
    let year = &url[url.find("X-Goog-Date=").unwrap()..][12..16];
    let day = &url[url.find("X-Goog-Date=").unwrap()..][12..20];
    let old = format!("{}{}", year.parse::<u32>().unwrap() - 1, &day[4..]);
    assert_eq!(
        get(&url.replace(day, &old), &[]).await,
        (400, "ExpiredToken".to_owned())
    );
    let new = format!("{}{}", year.parse::<u32>().unwrap() + 1, &day[4..]);
    assert_eq!(
        get(&url.replace(day, &new), &[]).await,
        (403, "AccessDenied".to_owned())
    );
}

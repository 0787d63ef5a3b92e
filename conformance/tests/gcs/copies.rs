//! Copies, rewrites and compositions.

use http::Method;
use serde_json::json;

use crate::client::{Gcs, object, xml};

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_has_the_sources_metadata_or_its_own() {
    let gcs = Gcs::start().await;
    gcs.storage.create_bucket("others").unwrap();
    let headers = [("content-type", "text/plain"), ("x-goog-meta-a", "1")];
    gcs.ask(Method::PUT, &xml("dir/source"), &headers, b"content")
        .await;
    let of = |name: &str| gcs.storage.objects("others")[name].resource.clone();
    for verb in ["copyTo", "rewriteTo"] {
        let path = format!("{}/{verb}/b/others/o/{verb}", object("dir%2Fsource"));
        let answer = gcs.ask(Method::POST, &path, &[], b"").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(
            (&of(verb)["contentType"], &of(verb)["metadata"]),
            (&json!("text/plain"), &json!({"a": "1"}))
        );
        let answer = gcs
            .json(Method::POST, &path, json!({"contentType": "text/css"}))
            .await
            .json();
        assert_eq!(of(verb)["contentType"], "text/css");
        assert!(of(verb).get("metadata").is_none());
        if verb == "rewriteTo" {
            assert_eq!(answer["done"], true);
            assert_eq!(answer["totalBytesRewritten"], "7");
            assert_eq!(answer["resource"], of(verb));
        } else {
            assert_eq!(answer, of(verb));
        }
    }
    let source = ("x-goog-copy-source", "tests/dir%2Fsource");
    let copied = gcs.ask(Method::PUT, "/others/xml", &[source], b"").await;
    assert!(copied.text().contains("<CopyObjectResult"), "{}", copied.text());
    assert_eq!(of("xml")["metadata"], json!({"a": "1"}));
    let replace = [
        source,
        ("x-goog-metadata-directive", "REPLACE"),
        ("x-goog-meta-b", "2"),
    ];
    gcs.ask(Method::PUT, "/others/xml", &replace, b"").await;
    assert_eq!(of("xml")["metadata"], json!({"b": "2"}));
    for wrong in [("x-goog-meta-b", "2"), ("x-goog-metadata-directive", "KEEP")] {
        assert_eq!(
            gcs.ask(Method::PUT, "/others/xml", &[source, wrong], b"")
                .await
                .status,
            400,
            "{wrong:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_hold_on_sources() {
    let gcs = Gcs::start().await;
    let g = gcs.put("source", b"content").await;
    for (condition, status) in [
        (format!("ifSourceGenerationMatch={}", g + 1), 412),
        ("ifSourceMetagenerationMatch=2".to_owned(), 412),
        (format!("ifSourceGenerationNotMatch={g}"), 304),
        (format!("sourceGeneration={}", g + 1), 404),
        (format!("ifSourceGenerationMatch={g}&sourceGeneration={g}"), 200),
    ] {
        for verb in ["copyTo", "rewriteTo"] {
            let path = format!("{}/{verb}/b/tests/o/target?{condition}", object("source"));
            assert_eq!(
                gcs.ask(Method::POST, &path, &[], b"").await.status,
                status,
                "{condition}"
            );
        }
    }
    let (g, later) = (g.to_string(), (g + 1).to_string());
    let etag = gcs.get(&xml("source")).await.header("etag").unwrap().to_owned();
    for (name, value, status) in [
        ("x-goog-copy-source-if-generation-match", later.as_str(), 412),
        ("x-goog-copy-source-if-metageneration-match", "2", 412),
        ("x-goog-copy-source-if-match", "\"other\"", 412),
        ("x-goog-copy-source-if-none-match", etag.as_str(), 412),
        ("x-goog-copy-source-generation", later.as_str(), 404),
        ("x-goog-copy-source-if-generation-match", g.as_str(), 200),
        ("x-goog-copy-source-if-match", etag.as_str(), 200),
    ] {
        let headers = [("x-goog-copy-source", "/tests/source"), (name, value)];
        assert_eq!(
            gcs.ask(Method::PUT, &xml("target"), &headers, b"").await.status,
            status,
            "{name}: {value}"
        );
    }
    for query in ["rewriteToken=x", "maxBytesRewrittenPerCall=5"] {
        let path = format!("{}/rewriteTo/b/tests/o/target?{query}", object("source"));
        assert_eq!(
            gcs.ask(Method::POST, &path, &[], b"").await.status,
            400,
            "{query}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_composed_of_others() {
    let gcs = Gcs::start().await;
    let first = gcs.put("1", b"con").await;
    gcs.put("2", b"tent").await;
    let path = format!("{}/compose", object("whole"));
    let compose = async |body| gcs.json(Method::POST, &path, body).await;
    let body = json!({
        "kind": "storage#composeRequest", "destination": {"contentType": "text/plain"},
        "sourceObjects": [{"name": "1", "generation": first.to_string(), "objectPreconditions": {"ifGenerationMatch": first.to_string()}}, {"name": "2"}],
    });
    let whole = compose(body).await.json();
    assert_eq!(whole["componentCount"], 2);
    assert_eq!(whole["crc32c"], "Ya91Mw==");
    assert!(whole.get("md5Hash").is_none());
    assert_eq!(&gcs.storage.objects("tests")["whole"].content[..], b"content");
    let more = compose(json!({"sourceObjects": [{"name": "whole"}, {"name": "1"}]}))
        .await
        .json();
    assert_eq!(more["componentCount"], 3);
    assert_eq!(
        gcs.get(&xml("whole")).await.header("x-goog-component-count"),
        Some("3")
    );
    let many: Vec<_> = (0..33).map(|_| json!({"name": "1"})).collect();
    for (body, status) in [
        (json!({}), 400),
        (json!({"sourceObjects": []}), 400),
        (json!({"sourceObjects": many}), 400),
        (json!({"sourceObjects": [{"name": "none"}]}), 404),
        (json!({"sourceObjects": [{"name": "1", "generation": "7"}]}), 404),
        (
            json!({"sourceObjects": [{"name": "1", "objectPreconditions": {"ifGenerationMatch": "7"}}]}),
            412,
        ),
        (json!({"sourceObjects": [{"name": "1", "invented": 1}]}), 400),
        (
            json!({"sourceObjects": [{"name": "1"}], "deleteSourceObjects": true}),
            400,
        ),
        (
            json!({"sourceObjects": [{"name": "1"}], "destination": {"crc32c": "AAAAAA=="}}),
            400,
        ),
    ] {
        let answer = compose(body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
    }
}

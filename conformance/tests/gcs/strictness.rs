//! What is not known or not built is refused, and never ignored.

use http::Method;
use serde_json::json;

use crate::client::{Gcs, object, upload, xml};

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_are_not_known_are_refused() {
    let gcs = Gcs::start().await;
    gcs.put("a", b"x").await;
    for (method, path) in [
        (Method::GET, object("a?invented=1")),
        (Method::GET, object("a?userProject=p")),
        (Method::GET, object("a?softDeleted=true")),
        (Method::GET, object("a?alt=proto")),
        (Method::GET, object("a?projection=some")),
        (Method::GET, object("a?ifGenerationMatch=x")),
        (Method::GET, object("a?ifGenerationMatch=1&ifGenerationMatch=2")),
        (Method::GET, object("a?key=secret")),
        (Method::GET, "/storage/v1/b/tests/o?matchGlob=**".to_owned()),
        (Method::GET, "/storage/v1/b/tests/o?alt=media".to_owned()),
        (Method::DELETE, object("a?alt=media")),
        (Method::GET, xml("a?ifGenerationMatch=1")),
        (Method::GET, xml("a?acl")),
        (Method::GET, xml("a?response-content-type=text/css")),
        (Method::GET, "/tests".to_owned()),
        (Method::GET, "/tests?list-type=2&fetch-owner=true".to_owned()),
        (Method::GET, "/tests?list-type=2&max-keys=0".to_owned()),
        (Method::GET, "/tests?cors".to_owned()),
        (Method::PUT, "/new-bucket".to_owned()),
        (Method::GET, "/".to_owned()),
        (
            Method::POST,
            upload("uploadType=media&name=b&predefinedAcl=publicRead"),
        ),
        (Method::POST, upload("uploadType=media&name=b&kmsKeyName=k")),
        (Method::POST, format!("{}/moveTo/o/b", object("a"))),
        (Method::GET, "/storage/v1/b/tests/acl".to_owned()),
        (Method::POST, "/batch/storage/v1".to_owned()),
        (Method::GET, "/download/storage/v1/b/tests/o/a".to_owned()),
    ] {
        let answer = gcs.ask(method.clone(), &path, &[], b"").await;
        assert_eq!(answer.status, 400, "{method} {path}: {}", answer.text());
        assert!(!answer.reason().is_empty(), "{path}");
    }
    assert_eq!(gcs.storage.objects("tests").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_what_is_not_built_are_refused() {
    let gcs = Gcs::start().await;
    gcs.put("a", b"x").await;
    for (method, path, name) in [
        (Method::PUT, xml("a"), "x-goog-acl"),
        (Method::PUT, xml("a"), "x-goog-encryption-algorithm"),
        (Method::PUT, xml("a"), "x-goog-custom-time"),
        (Method::PUT, xml("a"), "x-amz-meta-a"),
        (Method::PUT, xml("a"), "x-goog-user-project"),
        (Method::PUT, xml("a"), "range"),
        (Method::GET, xml("a"), "x-goog-meta-a"),
        (Method::GET, xml("a"), "if-range"),
        (Method::DELETE, xml("a"), "if-none-match"),
        (Method::GET, object("a"), "range"),
        (Method::GET, object("a"), "x-goog-if-generation-match"),
        (Method::GET, object("a"), "x-http-method-override"),
        (Method::POST, upload("uploadType=media&name=a"), "x-goog-meta-a"),
        (Method::POST, upload("uploadType=media&name=a"), "content-range"),
        (
            Method::POST,
            upload("uploadType=media&name=a"),
            "x-goog-if-generation-match",
        ),
    ] {
        let answer = gcs.ask(method.clone(), &path, &[(name, "1")], b"").await;
        assert_eq!(answer.status, 400, "{method} {path} {name}: {}", answer.text());
    }
    let host = gcs
        .ask(
            Method::GET,
            "/a",
            &[("host", "tests.storage.googleapis.com")],
            b"",
        )
        .await;
    assert_eq!(host.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_no_object_has_are_refused() {
    let gcs = Gcs::start().await;
    let long = "a".repeat(1025);
    for name in [
        "a%0Ab",
        "a%0D",
        ".%2e",
        "%2e",
        ".well-known/acme-challenge/x",
        "%FF",
        long.as_str(),
    ] {
        let answer = gcs.ask(Method::PUT, &xml(name), &[], b"x").await;
        assert_eq!(answer.status, 400, "{name}: {}", answer.text());
        let path = upload(&format!("uploadType=media&name={name}"));
        assert_eq!(
            gcs.ask(Method::POST, &path, &[], b"x").await.status,
            400,
            "{name}"
        );
    }
    gcs.put(&"a".repeat(1024), b"x").await;
    gcs.put("a%2Fb%20%23%3F%C3%A4//c", b"x").await;
    assert!(gcs.storage.objects("tests").contains_key("a/b #?ä//c"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_not_what_they_should_be_are_refused() {
    let gcs = Gcs::start().await;
    gcs.put("a", b"x").await;
    let json_type = [("content-type", "application/json")];
    for (headers, body) in [
        (&json_type[..], "{"),
        (&json_type[..], "[]"),
        (&[("content-type", "text/plain")][..], "{}"),
    ] {
        let answer = gcs
            .ask(Method::PATCH, &object("a"), headers, body.as_bytes())
            .await;
        assert_eq!(answer.status, 400, "{body}");
    }
    assert_eq!(
        gcs.ask(Method::DELETE, &object("a"), &[], b"body").await.status,
        400
    );
    assert_eq!(
        gcs.json(Method::POST, &object("a"), json!({})).await.refusal(),
        (405, "methodNotAllowed".to_owned())
    );
    assert_eq!(
        gcs.ask(Method::PATCH, &xml("a"), &[], b"").await.refusal(),
        (405, "MethodNotAllowed".to_owned())
    );
    assert_eq!(gcs.get("/storage/v1/elsewhere").await.status, 400);
}

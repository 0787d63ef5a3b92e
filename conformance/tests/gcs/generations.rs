//! Generations, metagenerations, and the conditions on them, on every verb of both interfaces.

use http::Method;
use serde_json::json;

use crate::client::{Gcs, object, upload, xml};

#[tokio::test(flavor = "multi_thread")]
async fn each_version_of_an_object_is_later_than_all_before() {
    let gcs = Gcs::start().await;
    let mut last = 0;
    for at in 0..50 {
        let generation = gcs.put(&format!("n{}", at % 5), b"x").await;
        assert!(generation > last);
        last = generation;
    }
    let patched = gcs
        .json(Method::PATCH, &object("n4"), json!({"contentType": "text/plain"}))
        .await
        .json();
    assert_eq!(patched["generation"], last.to_string());
    assert_eq!(patched["metageneration"], "2");
    gcs.put("n4", b"y").await;
    assert_eq!(gcs.get(&object("n4")).await.json()["metageneration"], "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_live_generation_is_there() {
    let gcs = Gcs::start().await;
    let old = gcs.put("a", b"old").await;
    let new = gcs.put("a", b"new").await;
    for path in [object("a"), xml("a")] {
        assert_eq!(gcs.get(&format!("{path}?generation={new}")).await.status, 200);
        assert_eq!(gcs.get(&format!("{path}?generation={old}")).await.status, 404);
        let deleted = gcs
            .ask(Method::DELETE, &format!("{path}?generation={old}"), &[], b"")
            .await;
        assert_eq!(deleted.status, 404);
    }
    let deleted = gcs
        .ask(
            Method::DELETE,
            &format!("{}?generation={new}", xml("a")),
            &[],
            b"",
        )
        .await;
    assert_eq!(deleted.status, 204);
}

/// What each verb of the JSON API says to each condition on an object of generation `g` and metageneration 1.
#[tokio::test(flavor = "multi_thread")]
async fn conditions_hold_on_every_verb_in_json() {
    let gcs = Gcs::start().await;
    for verb in [
        "get",
        "media",
        "patch",
        "update",
        "delete",
        "insert",
        "resumable",
        "copyTo",
        "rewriteTo",
        "compose",
    ] {
        let g = gcs.put("a", b"content").await;
        gcs.put("source", b"content").await;
        let reads = matches!(verb, "get" | "media");
        let other = g + 1;
        let mut cases = vec![
            (format!("ifGenerationMatch={other}"), 412),
            ("ifGenerationMatch=0".to_owned(), 412),
            ("ifMetagenerationMatch=2".to_owned(), 412),
            (format!("ifGenerationMatch={g}&ifMetagenerationMatch=7"), 412),
        ];
        if verb != "compose" {
            cases.extend([
                (format!("ifGenerationNotMatch={g}"), 304),
                ("ifMetagenerationNotMatch=1".to_owned(), 304),
                (format!("ifGenerationMatch={g}&ifMetagenerationNotMatch=1"), 304),
            ]);
        }
        for (condition, expected) in cases {
            let answer = with(&gcs, verb, &condition).await;
            assert_eq!(answer.status, expected, "{verb} {condition}: {}", answer.text());
            if expected == 412 {
                let body = answer.json();
                assert_eq!(body["error"]["code"], 412);
                assert_eq!(body["error"]["errors"][0]["reason"], "conditionNotMet");
                assert_eq!(body["error"]["errors"][0]["location"], "If-Match");
            } else {
                assert!(answer.bytes.is_empty());
            }
            let now = gcs.get(&object("a")).await.json();
            assert_eq!(
                now["generation"],
                g.to_string(),
                "{verb} {condition} did something"
            );
            assert_eq!(now["metageneration"], "1");
        }
        let good = format!("ifGenerationMatch={g}&ifMetagenerationMatch=1");
        let answer = with(&gcs, verb, &good).await;
        assert!(matches!(answer.status, 200 | 204), "{verb}: {}", answer.text());
        if verb != "compose" {
            gcs.put("a", b"content").await;
            let good = format!("ifGenerationNotMatch={g}&ifMetagenerationNotMatch=2");
            let answer = with(&gcs, verb, &good).await;
            assert!(matches!(answer.status, 200 | 204), "{verb}: {}", answer.text());
        }
        // What is not there matches zero only, and can be made only.
        gcs.ask(Method::DELETE, &object("a"), &[], b"").await;
        let makes = !reads && !matches!(verb, "patch" | "update" | "delete");
        for (condition, expected) in [
            ("ifGenerationMatch=5", if makes { 412 } else { 404 }),
            ("ifGenerationMatch=0", if makes { 200 } else { 404 }),
        ] {
            let answer = with(&gcs, verb, condition).await;
            assert_eq!(
                answer.status,
                expected,
                "{verb} {condition} of nothing: {}",
                answer.text()
            );
        }
        gcs.ask(Method::DELETE, &object("a"), &[], b"").await;
        if makes && verb != "compose" {
            assert_eq!(
                with(&gcs, verb, "ifGenerationNotMatch=0").await.status,
                412,
                "{verb}"
            );
        }
    }
}

async fn with(gcs: &Gcs, verb: &str, condition: &str) -> crate::client::Answered {
    let path = format!("{}?{condition}", object("a"));
    match verb {
        "get" => gcs.get(&path).await,
        "media" => gcs.get(&format!("{path}&alt=media")).await,
        "patch" => {
            gcs.json(Method::PATCH, &path, json!({"metadata": {"k": "v"}}))
                .await
        }
        "update" => {
            gcs.json(Method::PUT, &path, json!({"metadata": {"k": "v"}}))
                .await
        }
        "delete" => gcs.ask(Method::DELETE, &path, &[], b"").await,
        "insert" => {
            let path = upload(&format!("uploadType=media&name=a&{condition}"));
            gcs.ask(Method::POST, &path, &[], b"content").await
        }
        "resumable" => {
            let path = upload(&format!("uploadType=resumable&name=a&{condition}"));
            let begun = gcs.ask(Method::POST, &path, &[], b"").await;
            let session = begun.header("location").unwrap();
            gcs.send(Method::PUT, session, &[], b"content").await.unwrap()
        }
        "compose" => {
            let path = format!("{}/compose?{condition}", object("a"));
            gcs.json(
                Method::POST,
                &path,
                json!({"sourceObjects": [{"name": "source"}]}),
            )
            .await
        }
        copy => {
            let path = format!("{}/{copy}/b/tests/o/a?{condition}", object("source"));
            gcs.ask(Method::POST, &path, &[], b"").await
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_hold_on_every_verb_in_xml() {
    let gcs = Gcs::start().await;
    for verb in ["GET", "HEAD", "PUT", "DELETE", "COPY"] {
        gcs.put("source", b"content").await;
        let g = gcs.put("a", b"content").await.to_string();
        let ask = async |headers: &[(&str, &str)]| {
            let mut all = headers.to_vec();
            let method = if verb == "COPY" {
                all.push(("x-goog-copy-source", "tests/source"));
                Method::PUT
            } else {
                Method::from_bytes(verb.as_bytes()).unwrap()
            };
            gcs.ask(method, &xml("a"), &all, b"").await
        };
        for (name, value) in [
            ("x-goog-if-generation-match", "0"),
            ("x-goog-if-generation-match", "7"),
            ("x-goog-if-metageneration-match", "2"),
        ] {
            let answer = ask(&[(name, value)]).await;
            assert_eq!(answer.status, 412, "{verb} {name}: {value}");
            if verb != "HEAD" {
                assert_eq!(answer.reason(), "PreconditionFailed");
                assert!(
                    answer
                        .text()
                        .starts_with("<?xml version='1.0' encoding='UTF-8'?><Error><Code>")
                );
            }
            assert_eq!(gcs.get(&object("a")).await.json()["generation"], g);
        }
        // The XML API has no condition on what is not to match.
        let unknown = ask(&[("x-goog-if-generation-not-match", &g)]).await;
        assert_eq!(unknown.status, 400, "{verb}");
        let good = ask(&[
            ("x-goog-if-generation-match", &g),
            ("x-goog-if-metageneration-match", "1"),
        ])
        .await;
        assert!(matches!(good.status, 200 | 204), "{verb}: {}", good.text());
    }
    let made = gcs
        .ask(
            Method::PUT,
            &xml("new"),
            &[("x-goog-if-generation-match", "0")],
            b"x",
        )
        .await;
    assert_eq!(made.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn etags_and_dates_are_conditions_of_reading_only() {
    let gcs = Gcs::start().await;
    gcs.put("a", b"content").await;
    let got = gcs.get(&xml("a")).await;
    let (etag, date) = (got.header("etag").unwrap(), got.header("last-modified").unwrap());
    assert_eq!(etag, "\"9a0364b9e99bb480dd25e1f0284c8555\"");
    let past = "Fri, 01 Jan 2021 00:00:00 GMT";
    for (headers, expected) in [
        (vec![("if-match", etag)], 200),
        (vec![("if-match", "\"other\"")], 412),
        (vec![("if-match", "*")], 200),
        (vec![("if-none-match", etag)], 304),
        (vec![("if-none-match", "\"other\"")], 200),
        (
            vec![(
                "if-none-match",
                "\"other\", W/\"9a0364b9e99bb480dd25e1f0284c8555\"",
            )],
            304,
        ),
        (vec![("if-modified-since", date)], 304),
        (vec![("if-modified-since", past)], 200),
        (vec![("if-unmodified-since", date)], 200),
        (vec![("if-unmodified-since", past)], 412),
        // An ETag says more than a date.
        (
            vec![("if-none-match", "\"other\""), ("if-modified-since", date)],
            200,
        ),
        (vec![("if-modified-since", "yesterday")], 400),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let answer = gcs.ask(method, &xml("a"), &headers, b"").await;
            assert_eq!(answer.status, expected, "{headers:?}");
        }
    }
    for method in [Method::PUT, Method::DELETE] {
        let answer = gcs.ask(method, &xml("a"), &[("if-match", etag)], b"").await;
        assert_eq!(answer.refusal(), (400, "InvalidArgument".to_owned()));
    }
    let etag = gcs.get(&object("a")).await.json()["etag"]
        .as_str()
        .unwrap()
        .to_owned();
    for (name, value, expected) in [
        ("if-match", etag.as_str(), 200),
        ("if-match", "other", 412),
        ("if-none-match", etag.as_str(), 304),
    ] {
        let answer = gcs.ask(Method::GET, &object("a"), &[(name, value)], b"").await;
        assert_eq!(answer.status, expected, "{name}: {value}");
    }
    let dated = gcs
        .ask(Method::GET, &object("a"), &[("if-modified-since", date)], b"")
        .await;
    assert_eq!(dated.status, 400);
}

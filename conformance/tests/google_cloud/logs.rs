//! Entries of Cloud Logging: written by services, asked for by queries, in order and in pages.

use std::collections::BTreeMap;

use nephos_conformance::google_cloud::{Origin, Stream};
use serde_json::{Value, json};

use crate::client::{Google, PROJECT};

const LIST: &str = "POST logging.googleapis.com/v2/entries:list";
const WRITE: &str = "POST logging.googleapis.com/v2/entries:write";

fn origin(service: &str) -> Origin {
    Origin {
        service: service.to_owned(),
        revision: format!("{service}-00001-abc"),
        region: "europe-west1".to_owned(),
        instance: "0a1b".to_owned(),
        labels: BTreeMap::from([("nephos-app".to_owned(), "shop".to_owned())]),
    }
}

fn query(filter: &str) -> Value {
    json!({"resourceNames": [PROJECT], "filter": filter})
}

/// The texts of an answer's entries.
fn texts(answer: &Value) -> Vec<&str> {
    let entries = answer["entries"].as_array().into_iter().flatten();
    entries
        .filter_map(|entry| entry["textPayload"].as_str())
        .collect()
}

#[tokio::test]
async fn a_services_lines_are_found_by_service_level_and_time_in_their_order() {
    let google = Google::start().await;
    let logs = google.control.logs();
    for number in 0..3 {
        let line = format!("line {number}");
        logs.line(&origin("orders"), Stream::Output, &line).unwrap();
    }
    logs.line(&origin("other"), Stream::Output, "not ours").unwrap();
    let line = r#"{"severity": "ERROR", "message": "failed", "order": 7}"#;
    logs.line(&origin("orders"), Stream::Error, line).unwrap();
    let of_service = r#"resource.type="cloud_run_revision" AND resource.labels.service_name="orders""#;
    let found = google.ask(LIST, query(of_service)).await.ok();
    assert_eq!(texts(&found), ["line 0", "line 1", "line 2"]);
    let last = &found["entries"][3];
    assert_eq!(last["jsonPayload"], json!({"message": "failed", "order": 7}));
    assert_eq!(
        last["logName"],
        format!("{PROJECT}/logs/run.googleapis.com%2Fstderr")
    );
    assert_eq!(
        last["labels"],
        json!({"instanceId": "0a1b", "nephos-app": "shop"})
    );
    let errors = format!("{of_service} AND severity>=ERROR AND labels.nephos-app=shop");
    let found = google.ask(LIST, query(&errors)).await.ok();
    assert_eq!(found["entries"].as_array().unwrap().len(), 1);
    let since = format!("{of_service} AND timestamp>{}", found["entries"][0]["timestamp"]);
    assert_eq!(google.ask(LIST, query(&since)).await.ok(), json!({}));
}

#[tokio::test]
async fn pages_go_on_where_the_last_ended_even_when_more_comes() {
    let google = Google::start().await;
    let logs = google.control.logs();
    let add = |number: u32| {
        let line = format!("line {number}");
        logs.line(&origin("orders"), Stream::Output, &line).unwrap();
    };
    (0..5).for_each(add);
    let mut body = query("textPayload:line");
    body["pageSize"] = 2.into();
    let mut seen = Vec::new();
    for round in 0..10 {
        let page = google.ask(LIST, body.clone()).await.ok();
        seen.extend(texts(&page).into_iter().map(str::to_owned));
        add(100 + round);
        if seen.len() >= 7 {
            break;
        }
        body["pageToken"] = page["nextPageToken"].clone();
    }
    assert_eq!(
        seen[..7],
        [
            "line 0", "line 1", "line 2", "line 3", "line 4", "line 100", "line 101"
        ]
    );
    body["filter"] = "textPayload:other".into();
    google
        .ask(LIST, body.clone())
        .await
        .refused(400, "INVALID_ARGUMENT", "page_token");
    let mut newest = query("textPayload:line");
    newest["orderBy"] = "timestamp desc".into();
    newest["pageSize"] = 1.into();
    let found = google.ask(LIST, newest).await.ok();
    assert!(texts(&found)[0].starts_with("line 10"), "{found:#}");
}

#[tokio::test]
async fn entries_are_written_and_those_that_cannot_be_are_refused() {
    let google = Google::start().await;
    let log = format!("{PROJECT}/logs/by-hand");
    let resource = json!({"type": "global", "labels": {"project_id": "nephos-tests"}});
    let body = json!({
        "logName": log, "resource": resource, "labels": {"a": "1", "b": "2"},
        "entries": [
            {"textPayload": "first", "insertId": "x", "timestamp": chrono::Utc::now().to_rfc3339(), "labels": {"a": "3"}},
            {"jsonPayload": {"second": true}, "severity": "NOTICE"},
        ],
    });
    google.ask(WRITE, body.clone()).await.ok();
    // Written again, the first is the same entry.
    google.ask(WRITE, body).await.ok();
    let found = google.ask(LIST, query("log_id(\"by-hand\")")).await.ok();
    let entries = found["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 3);
    assert_eq!(entries[0]["labels"], json!({"a": "3", "b": "2"}));
    assert_eq!(google.control.logs().entries().len(), 4);
    for (entry, status, code) in [
        (json!({"textPayload": "a"}), 400, "INVALID_ARGUMENT"),
        (
            json!({"resource": resource, "logName": "projects/other/logs/a"}),
            403,
            "PERMISSION_DENIED",
        ),
        (
            json!({"resource": resource, "logName": log, "textPayload": "a", "jsonPayload": {}}),
            400,
            "INVALID_ARGUMENT",
        ),
        (
            json!({"resource": resource, "logName": log, "timestamp": "2001-01-01T00:00:00Z"}),
            400,
            "INVALID_ARGUMENT",
        ),
        (
            json!({"resource": resource, "logName": log, "text": "a"}),
            400,
            "INVALID_ARGUMENT",
        ),
    ] {
        let answer = google
            .ask(WRITE, json!({"logName": log, "entries": [entry]}))
            .await;
        if entry["resource"].is_null() {
            answer.refused(status, code, "resource");
        } else {
            answer.refused(status, code, "");
        }
    }
    for (body, status, code, words) in [
        (json!({}), 400, "INVALID_ARGUMENT", "resourceNames"),
        (
            json!({"resourceNames": ["projects/other"]}),
            403,
            "PERMISSION_DENIED",
            "logging.logEntries.list",
        ),
        (query("severity>=LOUD"), 400, "INVALID_ARGUMENT", "LOUD"),
        (
            json!({"resourceNames": [PROJECT], "orderBy": "severity"}),
            400,
            "INVALID_ARGUMENT",
            "timestamp asc",
        ),
        (
            json!({"resourceNames": [PROJECT], "pageSize": -1}),
            400,
            "INVALID_ARGUMENT",
            "negative",
        ),
    ] {
        google.ask(LIST, body).await.refused(status, code, words);
    }
    google
        .ask(
            "POST logging.googleapis.com/v2/entries:tail",
            json!({"resourceNames": [PROJECT]}),
        )
        .await
        .refused(501, "UNIMPLEMENTED", "tail");
}

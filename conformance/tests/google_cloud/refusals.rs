//! Who is not let in, what is too much, and what breaks off; and the stand-in behind Google's own names.

use std::process::Command;

use nephos_conformance::edge::Edge;
use nephos_conformance::google_cloud::{Code, Failure, Interruption};
use serde_json::{Value, json};

use crate::client::{Google, PROJECT};

fn topic(id: &str) -> String {
    format!("PUT pubsub.googleapis.com/v1/{PROJECT}/topics/{id}")
}

#[tokio::test]
async fn without_a_token_that_counts_nothing_is_answered() {
    let google = Google::start().await;
    for (token, reason) in [
        (None, "CREDENTIALS_MISSING"),
        (Some("Bearer ya29.invented"), "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
    ] {
        let answer = google.send(&topic("orders"), token, json!({})).await.unwrap();
        assert!(
            answer.headers["www-authenticate"]
                .to_str()
                .unwrap()
                .starts_with("Bearer")
        );
        let error = answer.refused(401, "UNAUTHENTICATED", "authentication credential");
        assert_eq!(error["details"][0]["reason"], reason);
    }
    google.control.expire_tokens();
    let error = google
        .ask(&topic("orders"), json!({}))
        .await
        .refused(401, "UNAUTHENTICATED", "invalid");
    assert_eq!(error["details"][0]["reason"], "ACCESS_TOKEN_EXPIRED");
    assert!(google.control.resources().is_empty());
}

#[tokio::test]
async fn another_project_or_region_is_not_ours() {
    let google = Google::start().await;
    let other = google
        .ask(
            "PUT pubsub.googleapis.com/v1/projects/other/topics/orders",
            json!({}),
        )
        .await;
    let error = other.refused(403, "PERMISSION_DENIED", "resource project other");
    assert_eq!(error["details"][0]["reason"], "CONSUMER_INVALID");
    let far = google
        .get(&format!(
            "run.googleapis.com/v2/{PROJECT}/locations/mars-1/services"
        ))
        .await;
    far.refused(403, "PERMISSION_DENIED", "locations/mars-1");
    google
        .ask(
            "PUT pubsub.googleapis.com/v1/projects/123456789012/topics/orders",
            json!({}),
        )
        .await
        .ok();
    let name = format!("{PROJECT}/topics/orders");
    assert_eq!(
        google.control.resources()[0].name,
        name,
        "the number is the same project"
    );
    google
        .get("pubsub.googleapis.com/v1/nothing")
        .await
        .refused(404, "NOT_FOUND", "Method not found");
    let broken = google.send(&topic("b"), None, Value::Null).await.unwrap();
    assert_eq!(broken.status, 401);
}

#[tokio::test]
async fn too_many_and_too_fast_are_told_apart() {
    let google = Google::start().await;
    google.control.limit("pubsub.topics", 1);
    google.topic("orders").await;
    let error = google
        .ask(&topic("second"), json!({}))
        .await
        .refused(429, "RESOURCE_EXHAUSTED", "Limit: 1");
    assert_eq!(
        error["details"][0]["@type"],
        "type.googleapis.com/google.rpc.QuotaFailure"
    );
    google.control.let_succeed();
    google
        .control
        .interrupt("PUT pubsub.googleapis.com/", 1, Interruption::Throttled(7));
    let answer = google.ask(&topic("second"), json!({})).await;
    assert_eq!(answer.headers["retry-after"], "7");
    let error = answer.refused(429, "RESOURCE_EXHAUSTED", "Quota exceeded");
    assert_eq!(error["details"][0]["reason"], "RATE_LIMIT_EXCEEDED");
    google.topic("second").await;
}

#[tokio::test]
async fn the_second_of_a_kind_fails_and_no_other() {
    let google = Google::start().await;
    google.control.fail(
        "pubsub.topics",
        Failure::new(Code::Unavailable, "try again").on(2),
    );
    google.topic("first").await;
    google
        .ask(&topic("second"), json!({}))
        .await
        .refused(503, "UNAVAILABLE", "try again");
    google.topic("second").await;
    google
        .control
        .fail_deletion("/topics/first", Failure::new(Code::Internal, "broken"));
    let delete = |id: &str| format!("DELETE pubsub.googleapis.com/v1/{PROJECT}/topics/{id}");
    google
        .ask(&delete("first"), Value::Null)
        .await
        .refused(500, "INTERNAL", "broken");
    google.ask(&delete("second"), Value::Null).await.ok();
}

#[tokio::test]
async fn a_connection_is_cut_before_or_after_what_was_asked_for() {
    let google = Google::start().await;
    let token = format!("Bearer {}", google.control.token());
    google.control.interrupt("/topics/lost", 1, Interruption::Cut);
    google
        .send(&topic("lost"), Some(&token), json!({}))
        .await
        .unwrap_err();
    assert!(google.control.resources().is_empty());
    google
        .control
        .interrupt("/topics/made", 1, Interruption::CutAfterwards);
    google
        .send(&topic("made"), Some(&token), json!({}))
        .await
        .unwrap_err();
    assert_eq!(google.control.resources().len(), 1);
    google
        .ask(&topic("made"), json!({}))
        .await
        .refused(409, "ALREADY_EXISTS", "made");
    google
        .control
        .interrupt("/topics/", 1, Interruption::Broken(Code::Internal));
    google
        .ask(&topic("other"), json!({}))
        .await
        .refused(500, "INTERNAL", "Internal error");
    let statuses: Vec<u16> = google.control.requests().iter().map(|one| one.status).collect();
    assert_eq!(statuses, [0, 0, 409, 500]);
}

const ASK: &str = "
import json, sys, urllib.request
url, token = sys.argv[1:]
request = urllib.request.Request(url, b'{}', {'authorization': 'Bearer ' + token}, method='PUT')
print(json.load(urllib.request.urlopen(request, timeout=10))['name'])
";

#[tokio::test(flavor = "multi_thread")]
async fn it_answers_by_googles_own_names_over_tls() {
    let google = Google::start().await;
    let edge = Edge::start().await.unwrap();
    google.control.route(&edge);
    let url = format!("https://pubsub.googleapis.com/v1/{PROJECT}/topics/orders");
    let (token, environment) = (google.control.token(), edge.environment());
    let output = tokio::task::spawn_blocking(move || {
        Command::new("python3")
            .args(["-c", ASK, &url, &token])
            .env_remove("NO_PROXY")
            .env_remove("no_proxy")
            .envs(environment)
            .output()
            .unwrap()
    })
    .await
    .unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.trim(), format!("{PROJECT}/topics/orders"));
    assert!(edge.refused().is_empty());
}

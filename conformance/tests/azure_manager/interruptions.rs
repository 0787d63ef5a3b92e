//! Throttling, errors of the service, and connections that break off.

use std::time::Duration;

use http::{Method, StatusCode};
use nephos_conformance::azure_manager::{Interruption, Options};
use serde_json::json;

use crate::client::{Azure, MANAGEMENT, send, stack, storage, template, token};

#[tokio::test(flavor = "multi_thread")]
async fn the_next_requests_of_a_path_are_throttled_and_no_others() {
    let azure = Azure::start().await;
    azure
        .manager
        .interrupt("GET /resourcegroups/", 2, Interruption::Throttled(3));
    assert_eq!(
        azure.get("/subscriptions", "2022-12-01").await.status,
        StatusCode::OK
    );
    for _ in 0..2 {
        let answer = azure.get(&azure.group(), "2022-09-01").await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::TOO_MANY_REQUESTS, "TooManyRequests")
        );
        assert_eq!(answer.header("retry-after"), Some("3"));
    }
    assert_eq!(
        azure.get(&azure.group(), "2022-09-01").await.status,
        StatusCode::OK
    );
    for status in [500, 503] {
        azure
            .manager
            .interrupt("/resourcegroups/", 1, Interruption::Status(status));
        assert_eq!(
            azure.get(&azure.group(), "2022-09-01").await.status.as_u16(),
            status
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_cut_before_or_after_what_was_asked_for() {
    let azure = Azure::start().await;
    let token = token(&azure.manager, MANAGEMENT).await;
    let bearer = format!("Bearer {token}");
    let path = format!(
        "/subscriptions/{}/resourcegroups/cut?api-version=2022-09-01",
        azure.subscription()
    );
    let put = async || {
        let body = json!({"location": "westeurope"}).to_string().into();
        send(
            &azure.manager,
            Method::PUT,
            &path,
            &[("authorization", &bearer)],
            Some(body),
        )
        .await
    };
    azure
        .manager
        .interrupt("PUT /resourcegroups/cut", 1, Interruption::Cut);
    assert!(put().await.is_err());
    assert_eq!(azure.manager.groups().len(), 1);
    azure
        .manager
        .interrupt("PUT /resourcegroups/cut", 1, Interruption::CutAfterwards);
    assert!(put().await.is_err());
    assert_eq!(azure.manager.groups().len(), 2);
    let cut = azure
        .manager
        .requests()
        .into_iter()
        .filter(|one| one.status == 0)
        .count();
    assert_eq!(cut, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_on_ends_although_nobody_asks_any_more() {
    let azure = Azure::start_with(Options {
        step: Duration::from_millis(3),
        ..Options::default()
    })
    .await;
    let path = azure.stack("app");
    azure
        .manager
        .interrupt("PUT /deploymentStacks/", 1, Interruption::CutAfterwards);
    let token = token(&azure.manager, MANAGEMENT).await;
    let body = stack(template(json!({"A": storage("goesonaccount")})))
        .to_string()
        .into();
    let url = format!("{path}?api-version=2024-03-01");
    let cut = send(
        &azure.manager,
        Method::PUT,
        &url,
        &[("authorization", &format!("Bearer {token}"))],
        Some(body),
    )
    .await;
    assert!(cut.is_err());
    azure.manager.reached(&path, "succeeded").await.unwrap();
}

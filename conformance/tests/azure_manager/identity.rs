//! Tokens: who gets one, and what is answered to a request without a right one.

use chrono::Utc;
use http::{Method, StatusCode};
use nephos_conformance::azure_manager::{Options, Subscription};
use serde_json::{Value, json};

use crate::client::{Azure, LOGS, MANAGEMENT, send, token};

const SUBSCRIPTIONS: &str = "/subscriptions?api-version=2022-12-01";

fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let middle = token.split('.').nth(1).unwrap();
    serde_json::from_slice(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(middle)
            .unwrap(),
    )
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_says_who_asks_and_for_what() {
    let azure = Azure::start().await;
    let claims = claims(&token(&azure.manager, MANAGEMENT).await);
    let options = azure.manager.options();
    assert_eq!(claims["oid"], options.object_id);
    assert_eq!(claims["tid"], options.tenant);
    assert_eq!(claims["aud"], MANAGEMENT);
    assert!(claims["exp"].as_i64().unwrap() > Utc::now().timestamp() + 3600);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_identity_endpoint_gives_tokens_only_to_those_who_know_its_header() {
    let azure = Azure::start().await;
    let header = azure.manager.environment()["IDENTITY_HEADER"].clone();
    let ask = async |header: &str, query: &str| {
        let path = format!("/msi/token?{query}");
        send(
            &azure.manager,
            Method::GET,
            &path,
            &[("x-identity-header", header)],
            None,
        )
        .await
        .unwrap()
        .status
    };
    let right = format!("api-version=2019-08-01&resource={MANAGEMENT}");
    assert_eq!(ask(&header, &right).await, StatusCode::OK);
    assert_eq!(ask("another", &right).await, StatusCode::UNAUTHORIZED);
    assert_eq!(
        ask(&header, &right.replace("2019", "2017")).await,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        ask(&header, "api-version=2019-08-01").await,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        ask(&header, &format!("{right}&client_id=another")).await,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_right_token_is_refused_and_told_where_to_get_one() {
    let azure = Azure::start().await;
    let ask = async |token: Option<&str>| {
        let value = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<(&str, &str)> = value
            .iter()
            .map(|value| ("authorization", value.as_str()))
            .collect();
        let answer = send(&azure.manager, Method::GET, SUBSCRIPTIONS, &headers, None)
            .await
            .unwrap();
        let challenge = answer.header("www-authenticate").unwrap_or_default().to_owned();
        (answer.status, answer.code(), challenge)
    };
    let right = token(&azure.manager, MANAGEMENT).await;
    assert_eq!(ask(Some(&right)).await.0, StatusCode::OK);
    let other = token(&azure.manager, LOGS).await;
    for (given, code) in [
        (None, "AuthenticationFailed"),
        (Some("made.up.token"), "InvalidAuthenticationToken"),
        (Some(other.as_str()), "InvalidAuthenticationTokenAudience"),
    ] {
        let (status, found, challenge) = ask(given).await;
        assert_eq!((status, found.as_str()), (StatusCode::UNAUTHORIZED, code));
        assert!(challenge.contains(&azure.manager.options().tenant), "{challenge}");
    }
    azure.manager.use_tenant("9d7a9f07-0000-4000-8000-000000000000");
    let foreign = token(&azure.manager, MANAGEMENT).await;
    assert_eq!(ask(Some(&foreign)).await.1, "InvalidAuthenticationTokenTenant");
    azure.manager.expire_tokens();
    assert_eq!(ask(Some(&right)).await.1, "ExpiredAuthenticationToken");
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_are_listed_and_a_disabled_one_changes_nothing() {
    let one = |id: &str, state: &str| Subscription {
        id: id.to_owned(),
        name: format!("{state} one"),
        state: state.to_owned(),
    };
    let (first, second) = (
        "00000000-0000-4000-8000-000000000001",
        "00000000-0000-4000-8000-000000000002",
    );
    let azure = Azure::start_with(Options {
        subscriptions: vec![one(first, "Enabled"), one(second, "Disabled")],
        ..Options::default()
    })
    .await;
    let list = azure.get("/subscriptions", "2022-12-01").await.json();
    let shown: Vec<&Value> = list["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["state"])
        .collect();
    assert_eq!(shown, ["Enabled", "Disabled"]);
    let group = |id: &str| format!("/subscriptions/{id}/resourcegroups/new");
    let body = json!({"location": "westeurope"});
    assert_eq!(
        azure.put(&group(first), "2022-09-01", body.clone()).await.status,
        StatusCode::CREATED
    );
    assert_eq!(
        azure.put(&group(second), "2022-09-01", body.clone()).await.code(),
        "ReadOnlyDisabledSubscription"
    );
    let unknown = "00000000-0000-4000-8000-000000000009";
    assert_eq!(
        azure.put(&group(unknown), "2022-09-01", body).await.code(),
        "SubscriptionNotFound"
    );
    let without = azure.ask(Method::GET, "/subscriptions", None).await;
    assert_eq!(without.code(), "MissingApiVersionParameter");
}

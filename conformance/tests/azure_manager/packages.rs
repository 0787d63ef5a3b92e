//! Packages that are published to sites.

use std::io::Write as _;

use bytes::Bytes;
use http::{Method, StatusCode};
use nephos_conformance::azure_manager::{Options, Publish};
use serde_json::{Value, json};

use crate::client::{Answered, Azure, MANAGEMENT, send, site, stack, template, token, until};

fn zip(files: &[(&str, &str, u32)]) -> Bytes {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text, mode) in files {
        let options = zip::write::SimpleFileOptions::default().unix_permissions(*mode);
        writer.start_file(*name, options).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner().into()
}

const HOST: &str =
    r#"{"version": "2.0", "customHandler": {"description": {"defaultExecutablePath": "handler"}}}"#;

fn package() -> Bytes {
    zip(&[("host.json", HOST, 0o644), ("handler", "#!/bin/sh", 0o755)])
}

async fn with_site(options: Options) -> Azure {
    let azure = Azure::start_with(options).await;
    let made = azure.deploy("app", stack(template(site("one-site")))).await;
    assert_eq!(made["properties"]["provisioningState"], "succeeded");
    azure
}

async fn scm(azure: &Azure, method: Method, path: &str, body: Option<Bytes>) -> Answered {
    let token = token(&azure.manager, MANAGEMENT).await;
    let bearer = format!("Bearer {token}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/zip"),
    ];
    send(&azure.manager, method, path, &headers, body).await.unwrap()
}

async fn publish(azure: &Azure, zip: Bytes) -> Value {
    let answer = scm(
        azure,
        Method::POST,
        "/scm/one-site/api/publish?RemoteBuild=false&Deployer=tests",
        Some(zip),
    )
    .await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{:?}", answer.bytes);
    let id = answer.json().as_str().unwrap().to_owned();
    let path = format!("/scm/one-site/api/deployments/{id}");
    until("the end of the publish", async || {
        let told = scm(azure, Method::GET, &path, None).await.json();
        (told["complete"] == true).then_some(told)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_is_taken_and_can_be_asked_for() {
    let azure = with_site(Options::default()).await;
    assert_eq!(
        scm(&azure, Method::GET, "/scm/one-site/api/deployments/latest", None)
            .await
            .status,
        StatusCode::NOT_FOUND
    );
    for _ in 0..2 {
        let told = publish(&azure, package()).await;
        assert_eq!(
            (told["status"].as_i64(), told["deployer"].as_str()),
            (Some(4), Some("tests"))
        );
    }
    let published = azure.manager.published("one-site");
    assert_eq!(published.len(), 2);
    assert_eq!(published[0].bytes, package());
    assert_eq!(published[0].sha256.len(), 64);
    let latest = scm(&azure, Method::GET, "/scm/one-site/api/deployments/latest", None)
        .await
        .json();
    let list = scm(&azure, Method::GET, "/scm/one-site/api/deployments", None)
        .await
        .json();
    assert_eq!(
        (list.as_array().unwrap().len(), &list[0]["id"]),
        (2, &latest["id"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_that_no_app_is_made_of_fails_with_a_reason() {
    let azure = with_site(Options::default()).await;
    let cases = [
        (Bytes::from_static(b"no zip"), "no zip"),
        (zip(&[("handler", "", 0o755)]), "host.json is missing"),
        (zip(&[("host.json", "text", 0o644)]), "no JSON"),
        (zip(&[("host.json", "{}", 0o644)]), "names no customHandler"),
        (zip(&[("host.json", HOST, 0o644)]), "'handler' is missing"),
        (
            zip(&[("host.json", HOST, 0o644), ("handler", "", 0o644)]),
            "is not executable",
        ),
    ];
    for (zip, reason) in cases {
        let told = publish(&azure, zip).await;
        assert_eq!(told["status"], 3);
        assert!(told["status_text"].as_str().unwrap().contains(reason), "{told}");
        let path = format!(
            "/scm/one-site/api/deployments/{}/log",
            told["id"].as_str().unwrap()
        );
        let log = scm(&azure, Method::GET, &path, None).await.json();
        assert!(log.to_string().contains(reason), "{log}");
    }
    azure
        .manager
        .fail_publish("one-site", "the storage cannot be reached");
    assert_eq!(
        publish(&azure, package()).await["status_text"],
        "the storage cannot be reached"
    );
    assert!(azure.manager.published("one-site").is_empty());
    assert_eq!(publish(&azure, package()).await["status"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_do_not_fit_are_refused() {
    let azure = with_site(Options::default()).await;
    let path = "/scm/one-site/api/publish?RemoteBuild=false";
    assert_eq!(
        scm(
            &azure,
            Method::POST,
            &path.replace("one-site", "other"),
            Some(package())
        )
        .await
        .status,
        StatusCode::NOT_FOUND
    );
    let without = send(
        &azure.manager,
        Method::POST,
        path,
        &[("content-type", "application/zip")],
        Some(package()),
    )
    .await
    .unwrap();
    assert_eq!(without.status, StatusCode::UNAUTHORIZED);
    let token = token(&azure.manager, MANAGEMENT).await;
    let headers = [("authorization", format!("Bearer {token}"))];
    let headers = [
        ("authorization", headers[0].1.as_str()),
        ("content-type", "application/json"),
    ];
    let wrong = send(&azure.manager, Method::POST, path, &headers, Some(package()))
        .await
        .unwrap();
    assert_eq!(wrong.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    azure.manager.keep_scm_away("one-site", 2);
    for _ in 0..2 {
        assert_eq!(
            scm(&azure, Method::POST, path, Some(package())).await.status,
            StatusCode::SERVICE_UNAVAILABLE
        );
    }
    azure.manager.deny("Microsoft.Web/sites/publish/Action", "");
    assert_eq!(
        scm(&azure, Method::POST, path, Some(package())).await.status,
        StatusCode::FORBIDDEN
    );
    azure.manager.allow_all();
    assert_eq!(publish(&azure, package()).await["status"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_publish_goes_on_at_a_time_and_a_test_has_its_part_in_it() {
    let (open, gate) = tokio::sync::watch::channel(false);
    let take = move |site: String, _: Bytes| {
        let mut gate = gate.clone();
        let future: futures::future::BoxFuture<'static, Result<(), String>> = Box::pin(async move {
            gate.wait_for(|open| *open)
                .await
                .map_err(|error| error.to_string())?;
            if site == "one-site" {
                Ok(())
            } else {
                Err(format!("{site} is another"))
            }
        });
        future
    };
    let azure = with_site(Options {
        publish: Some(Publish::new(take)),
        ..Options::default()
    })
    .await;
    let path = "/scm/one-site/api/publish?RemoteBuild=false";
    let first = scm(&azure, Method::POST, path, Some(package())).await;
    assert_eq!(first.status, StatusCode::ACCEPTED);
    assert_eq!(
        scm(&azure, Method::POST, path, Some(package())).await.status,
        StatusCode::CONFLICT
    );
    let latest = scm(&azure, Method::GET, "/scm/one-site/api/deployments/latest", None).await;
    assert_eq!(
        (latest.status, &latest.json()["complete"]),
        (StatusCode::ACCEPTED, &json!(false))
    );
    open.send(true).unwrap();
    until("the first's end", async || {
        (azure.manager.published("one-site").len() == 1).then_some(())
    })
    .await;
    let answer = first
        .header("location")
        .unwrap()
        .strip_prefix(&azure.manager.url())
        .unwrap()
        .to_owned();
    let told = until("the end", async || {
        let told = scm(&azure, Method::GET, &answer, None).await.json();
        (told["complete"] == true).then_some(told)
    })
    .await;
    assert_eq!(told["status"], 4);
}

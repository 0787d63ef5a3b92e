//! Secrets, and what is told of what Google Cloud refuses.

use std::sync::Arc;

use nephos_conformance::discovery::Documents;
use nephos_conformance::edge::Edge;
use nephos_conformance::google_cloud::{Code, Control, Interruption, Options};
use nephos_core::ErrorKind;
use nephos_core::env::Environment;
use nephos_core::resource::ResourceKind;
use nephos_core::resource::secret::Secret;
use nephos_gcp::config::Config;
use nephos_gcp::error::{REASON, RETRY_AFTER};
use nephos_gcp::harness::operator;
use nephos_gcp::resources::rest::Rest;
use serde_json::{Value, json};

use super::open;

const PROJECT: &str = "projects/nephos-tests";

struct Cloud {
    control: Control,
    config: Config,
    _edge: Edge,
}

impl Cloud {
    async fn start(options: Options) -> Self {
        let documents = Arc::new(Documents::installed().unwrap());
        let control = Control::start(options, documents).await.unwrap();
        let edge = Edge::start().await.unwrap();
        control.route(&edge);
        let config = operator::config(&Environment::default(), &control.token(), &edge).unwrap();
        Self {
            control,
            config,
            _edge: edge,
        }
    }

    async fn post(&self, path: &str, body: &Value) {
        let rest = Rest::new(&self.config, "https://secretmanager.googleapis.com/v1").unwrap();
        let _: Value = rest
            .post("test", &format!("/{PROJECT}/secrets{path}"), body)
            .await
            .unwrap();
    }

    fn secret(&self, physical: &str) -> Secret {
        open(&self.config, ResourceKind::Secret, physical, &[])
            .secret("it")
            .unwrap()
    }
}

#[tokio::test]
async fn a_version_that_is_disabled_has_no_value_and_says_what_to_do() {
    let cloud = Cloud::start(Options::default()).await;
    cloud
        .post("?secretId=key", &json!({"replication": {"automatic": {}}}))
        .await;
    // One that is newer than what is disabled, and one without a checksum.
    for value in ["b2xk", "bmV3"] {
        cloud
            .post("/key:addVersion", &json!({"payload": {"data": value}}))
            .await;
    }
    let secret = cloud.secret(&format!("{PROJECT}/secrets/key"));
    let value = secret.get().await.unwrap();
    assert_eq!(
        (value.expose_text().unwrap(), value.version()),
        ("new", Some("2"))
    );
    cloud.post("/key/versions/2:disable", &json!({})).await;
    let error = secret.get().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains("disabled"), "{error}");
    let pinned = cloud.secret(&format!("{PROJECT}/secrets/key/versions/1"));
    assert_eq!(pinned.get().await.unwrap().expose_text().unwrap(), "old");
}

#[tokio::test]
async fn who_may_not_or_comes_too_often_is_told_what_to_do() {
    let cloud = Cloud::start(Options::default()).await;
    let secret = cloud.secret(&format!("{PROJECT}/secrets/key"));
    cloud
        .control
        .interrupt("/secrets/key", 10, Interruption::Throttled(7));
    let error = secret.get().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.is_retryable()),
        (ErrorKind::Unavailable, true)
    );
    assert!(error.context().any(|fact| fact == (RETRY_AFTER, "7")), "{error}");

    let cloud = Cloud::start(Options::default()).await;
    let secret = cloud.secret(&format!("{PROJECT}/secrets/key"));
    cloud
        .control
        .interrupt("/secrets/key", 10, Interruption::Broken(Code::PermissionDenied));
    let error = secret.get().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.message().contains("uses"), "{error}");

    cloud.control.expire_tokens();
    let secret = cloud.secret(&format!("{PROJECT}/secrets/other"));
    let error = secret.get().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
    assert!(
        error.message().contains("gcloud auth application-default login"),
        "{error}"
    );
}

#[tokio::test]
async fn an_interface_that_is_not_enabled_is_told_from_a_missing_right() {
    let cloud = Cloud::start(Options {
        enabled: vec!["run.googleapis.com".to_owned()],
        ..Options::default()
    })
    .await;
    let error = cloud
        .secret(&format!("{PROJECT}/secrets/key"))
        .get()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.message().contains("gcloud services enable"), "{error}");
    assert!(
        error.context().any(|fact| fact == (REASON, "SERVICE_DISABLED")),
        "{error}"
    );
    assert!(
        error.to_string().contains("secretmanager.googleapis.com"),
        "{error}"
    );
}

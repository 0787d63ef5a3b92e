//! A client that knows nothing: requests, tokens, and waiting until what goes on has ended.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use nephos_conformance::azure_manager::{Manager, Options};
use serde_json::{Value, json};

pub(crate) const LIMIT: Duration = Duration::from_secs(60);
pub(crate) const GROUP: &str = "tests";
pub(crate) const LOCATION: &str = "swedencentral";
pub(crate) const MANAGEMENT: &str = "https://management.azure.com";
pub(crate) const LOGS: &str = "https://api.loganalytics.azure.com";

/// The answer to a request.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
}

impl Answered {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    /// The error's code.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// A stand-in with one group, and a token for it.
pub(crate) struct Azure {
    pub(crate) manager: Manager,
    token: String,
}

impl Azure {
    pub(crate) async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    pub(crate) async fn start_with(mut options: Options) -> Self {
        let subscription = options.subscriptions[0].id.clone();
        options
            .groups
            .push((subscription, GROUP.to_owned(), LOCATION.to_owned()));
        let manager = Manager::start(options).await.unwrap();
        let token = token(&manager, MANAGEMENT).await;
        Self { manager, token }
    }

    pub(crate) fn subscription(&self) -> &str {
        &self.manager.options().subscriptions[0].id
    }

    pub(crate) fn group(&self) -> String {
        format!("/subscriptions/{}/resourceGroups/{GROUP}", self.subscription())
    }

    pub(crate) fn id(&self, below: &str) -> String {
        format!("{}/providers/{below}", self.group())
    }

    pub(crate) fn stack(&self, name: &str) -> String {
        self.id(&format!("Microsoft.Resources/deploymentStacks/{name}"))
    }

    /// A request with the token.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Answered {
        let bytes = body.map(|body| body.to_string());
        send(
            &self.manager,
            method,
            path,
            &[("authorization", &format!("Bearer {}", self.token))],
            bytes.map(Bytes::from),
        )
        .await
        .unwrap()
    }

    pub(crate) async fn get(&self, path: &str, version: &str) -> Answered {
        self.ask(Method::GET, &format!("{path}?api-version={version}"), None)
            .await
    }

    pub(crate) async fn put(&self, path: &str, version: &str, body: Value) -> Answered {
        self.ask(Method::PUT, &format!("{path}?api-version={version}"), Some(body))
            .await
    }

    pub(crate) async fn delete(&self, path: &str, version: &str) -> Answered {
        self.ask(Method::DELETE, &format!("{path}?api-version={version}"), None)
            .await
    }

    /// Puts a stack, and waits until it has ended.
    pub(crate) async fn deploy(&self, name: &str, body: Value) -> Value {
        let answer = self.put(&self.stack(name), "2024-03-01", body).await;
        assert!(answer.status.is_success(), "{}", answer.json());
        let status = answer.header("azure-asyncoperation").unwrap().to_owned();
        self.ended(&status).await;
        self.get(&self.stack(name), "2024-03-01").await.json()
    }

    /// Asks at an operation's address until it has ended; gives what it said then.
    pub(crate) async fn ended(&self, url: &str) -> Value {
        let path = url.strip_prefix(&self.manager.url()).unwrap().to_owned();
        until("the operation's end", async || {
            let answer = self.ask(Method::GET, &path, None).await;
            if answer.status == StatusCode::ACCEPTED {
                return None;
            }
            let body = answer.json();
            match body["status"].as_str() {
                Some(text)
                    if !["succeeded", "failed", "canceled"].contains(&text.to_lowercase().as_str()) =>
                {
                    None
                }
                _ => Some(body),
            }
        })
        .await
    }
}

/// Waits until `question` has an answer.
pub(crate) async fn until<T>(what: &str, mut question: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = question().await {
            return answer;
        }
        assert!(started.elapsed() < LIMIT, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// A token for an audience.
pub(crate) async fn token(manager: &Manager, audience: &str) -> String {
    let header = &manager.environment()["IDENTITY_HEADER"];
    let path = format!("/msi/token?api-version=2019-08-01&resource={audience}");
    let answer = send(
        manager,
        Method::GET,
        &path,
        &[("x-identity-header", header)],
        None,
    )
    .await
    .unwrap();
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

pub(crate) async fn send(
    manager: &Manager,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<Bytes>,
) -> Result<Answered, hyper_util::client::legacy::Error> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", manager.url()));
    if body.is_some() && !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/json");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body.unwrap_or_default())).unwrap();
    let (parts, body) = client.request(request).await?.into_parts();
    Ok(Answered {
        status: parts.status,
        headers: parts.headers,
        bytes: body.collect().await.unwrap().to_bytes(),
    })
}

/// A template with these resources.
pub(crate) fn template(resources: Value) -> Value {
    json!({
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "languageVersion": "2.0",
        "contentVersion": "1.0.0.0",
        "resources": resources,
    })
}

/// A stack's body: what leaves it is deleted, nothing is denied.
pub(crate) fn stack(template: Value) -> Value {
    json!({
        "tags": {"nephos:app": "tests"},
        "properties": {
            "template": template, "parameters": {},
            "actionOnUnmanage": {"resources": "delete", "resourceGroups": "detach", "managementGroups": "detach"},
            "denySettings": {"mode": "none", "applyToChildScopes": false, "excludedPrincipals": [], "excludedActions": []},
        },
    })
}

/// A storage account.
pub(crate) fn storage(name: &str) -> Value {
    json!({
        "type": "Microsoft.Storage/storageAccounts", "apiVersion": "2026-09-01", "name": name, "location": LOCATION, "kind": "StorageV2",
        "sku": {"name": "Standard_LRS"}, "properties": {"minimumTlsVersion": "TLS1_2"},
    })
}

/// A queue of it.
pub(crate) fn queue(account: &str, name: &str, depends: &[&str]) -> Value {
    json!({
        "type": "Microsoft.Storage/storageAccounts/queueServices/queues", "apiVersion": "2026-09-01",
        "name": format!("{account}/default/{name}"), "properties": {}, "dependsOn": depends,
    })
}

/// A user-assigned identity.
pub(crate) fn identity(name: &str) -> Value {
    json!({
        "type": "Microsoft.ManagedIdentity/userAssignedIdentities", "apiVersion": "2024-11-30", "name": name, "location": LOCATION,
        "properties": {},
    })
}

/// A plan, and a site on it.
pub(crate) fn site(name: &str) -> Value {
    json!({
        "Plan": {
            "type": "Microsoft.Web/serverfarms", "apiVersion": "2025-05-01", "name": name, "location": LOCATION, "kind": "functionapp",
            "sku": {"name": "FC1", "tier": "FlexConsumption"}, "properties": {"reserved": true},
        },
        "Site": {
            "type": "Microsoft.Web/sites", "apiVersion": "2025-05-01", "name": name, "location": LOCATION, "kind": "functionapp,linux",
            "dependsOn": ["Plan"],
            "properties": {
                "serverFarmId": format!("[resourceId('Microsoft.Web/serverfarms', '{name}')]"),
                "siteConfig": {"appSettings": [{"name": "A", "value": "b"}]},
            },
        },
    })
}

/// The deepest cause of an error.
pub(crate) fn deepest(error: &Value) -> &Value {
    match error["details"].as_array().and_then(|details| details.first()) {
        Some(inner) => deepest(inner),
        None => error,
    }
}

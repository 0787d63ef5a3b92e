//! A stand-in for the secrets of a key vault: `GET` and `PUT` of `/secrets/<name>`, with versions, and the challenge by which clients learn what token to bring.
//!
//! <https://learn.microsoft.com/rest/api/keyvault/secrets/get-secret/get-secret>,
//! <https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses>

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;
use nephos_core::Result;
use serde_json::{Value, json};

use crate::server::{Answer, Server, header, is_authorized, json as answer, read};

/// The longest value: <https://learn.microsoft.com/azure/key-vault/secrets/about-secrets>.
const MAX_VALUE: usize = 25 * 1024;
const CHALLENGE: &str = "Bearer authorization=\"https://login.microsoftonline.com/6f1c8d3a-0000-4000-8000-00000000000a\", resource=\"https://vault.azure.net\"";

/// A vault. It ends when dropped.
#[derive(Debug)]
pub struct KeyVault {
    server: Server,
    secrets: Arc<Mutex<Secrets>>,
}

/// The versions of each secret, the newest last.
type Secrets = BTreeMap<String, Vec<Version>>;

#[derive(Debug, Clone)]
struct Version {
    id: String,
    value: String,
    made: i64,
}

fn locked(secrets: &Mutex<Secrets>) -> MutexGuard<'_, Secrets> {
    secrets.lock().unwrap_or_else(PoisonError::into_inner)
}

impl KeyVault {
    /// Starts it, empty.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start() -> Result<Self> {
        let secrets: Arc<Mutex<Secrets>> = Arc::default();
        let held = Arc::clone(&secrets);
        let server = Server::start("Key Vault", move |request| {
            let held = Arc::clone(&held);
            async move { handle(request, &held).await }
        })
        .await?;
        Ok(Self { server, secrets })
    }

    /// Where it answers; clients take it only under a name of Key Vault's, over TLS ([`Edge`](crate::edge::Edge)).
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Gives a secret a new value, as an operator does; returns the version.
    pub fn set(&self, name: &str, value: &str) -> String {
        set(&mut locked(&self.secrets), name, value).id
    }
}

fn set(secrets: &mut Secrets, name: &str, value: &str) -> Version {
    let version = Version {
        id: uuid::Uuid::new_v4().simple().to_string(),
        value: value.to_owned(),
        made: chrono::Utc::now().timestamp(),
    };
    secrets.entry(name.to_owned()).or_default().push(version.clone());
    version
}

async fn handle(request: Request<Incoming>, secrets: &Mutex<Secrets>) -> Answer {
    let (parts, body) = request.into_parts();
    if !is_authorized(&parts.headers) {
        let mut challenged = refusal(
            StatusCode::UNAUTHORIZED,
            "Unauthorized",
            "AKV10000: Request is missing a Bearer or PoP token.",
        );
        challenged.headers_mut().insert(
            http::header::WWW_AUTHENTICATE,
            HeaderValue::from_static(CHALLENGE),
        );
        return challenged;
    }
    if !parts.uri.query().unwrap_or_default().contains("api-version=") {
        return refusal(
            StatusCode::BAD_REQUEST,
            "BadParameter",
            "The api-version is missing.",
        );
    }
    let mut path = parts.uri.path().trim_matches('/').split('/');
    let (Some("secrets"), Some(name)) = (path.next(), path.next().filter(|name| !name.is_empty())) else {
        return refusal(StatusCode::NOT_FOUND, "NotFound", "Only secrets are here.");
    };
    let host = header(&parts.headers, "host").unwrap_or_default();
    match (parts.method, path.next().filter(|version| !version.is_empty())) {
        (Method::GET, version) => {
            let secrets = locked(secrets);
            let versions = secrets.get(name).map(Vec::as_slice).unwrap_or_default();
            let found = match version {
                Some(version) => versions.iter().find(|found| found.id == version),
                None => versions.last(),
            };
            match found {
                Some(found) => answer(StatusCode::OK, &told(host, name, found)),
                None => refusal(
                    StatusCode::NOT_FOUND,
                    "SecretNotFound",
                    &format!(
                        "A secret with (name/id) {name} was not found in this key vault. If you recently deleted this secret you may be able to recover it using the correct recovery command."
                    ),
                ),
            }
        }
        (Method::PUT, None) => {
            // Room for what JSON escapes.
            let body = match read(body, 8 * MAX_VALUE).await {
                Ok(body) => body,
                Err(refusal) => return refusal,
            };
            let document: Value = serde_json::from_slice(&body).unwrap_or_default();
            let Some(value) = document.get("value").and_then(Value::as_str) else {
                return refusal(
                    StatusCode::BAD_REQUEST,
                    "BadParameter",
                    "Property value is missing.",
                );
            };
            if value.len() > MAX_VALUE {
                return refusal(
                    StatusCode::BAD_REQUEST,
                    "BadParameter",
                    &format!("The length of the value exceeds {MAX_VALUE}."),
                );
            }
            let version = set(&mut locked(secrets), name, value);
            answer(StatusCode::OK, &told(host, name, &version))
        }
        _ => refusal(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            "A secret is asked for, or set.",
        ),
    }
}

fn told(host: &str, name: &str, version: &Version) -> Value {
    json!({
        "value": version.value,
        "id": format!("https://{host}/secrets/{name}/{}", version.id),
        "attributes": {
            "enabled": true, "created": version.made, "updated": version.made, "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90,
        },
        "tags": {},
    })
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Answer {
    answer(status, &json!({"error": {"code": code, "message": message}}))
}

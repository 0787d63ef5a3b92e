//! Who asks: the identity endpoint of App Service gives tokens, and each other request must carry one of them for the right audience.
//!
//! <https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference>

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{Duration, Utc};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::error::Refusal;
use super::request::Query;
use super::state::Shared;
use crate::server::{self, Answer};

/// The audiences of the management interface.
pub(super) const MANAGEMENT: &[&str] = &[
    "https://management.azure.com",
    "https://management.core.windows.net",
];
/// Those of the logs.
pub(super) const LOGS: &[&str] = &[
    "https://api.loganalytics.azure.com",
    "https://api.loganalytics.io",
];

/// The tokens that were given.
#[derive(Debug, Default)]
pub(super) struct Tokens(BTreeMap<String, Token>);

#[derive(Debug, Clone)]
struct Token {
    audience: String,
    tenant: String,
    expires: i64,
    revoked: bool,
}

impl Tokens {
    pub(super) fn revoke(&mut self) {
        for token in self.0.values_mut() {
            token.revoked = true;
        }
    }
}

/// `GET /msi/token`
pub(super) fn give(shared: &Shared, headers: &HeaderMap, query: &Query) -> Answer {
    let refused = |code: &str, message: String| {
        server::json(
            StatusCode::BAD_REQUEST,
            &json!({"error": code, "error_description": message}),
        )
    };
    if server::header(headers, "x-identity-header") != Some(shared.options.identity_header.as_str()) {
        let message = "The header X-IDENTITY-HEADER is missing or wrong.";
        return Refusal::new(401, "InvalidIdentityHeader", message).answer();
    }
    if query.get("api-version") != Some("2019-08-01") {
        return refused(
            "UnsupportedApiVersion",
            "The api-version must be 2019-08-01.".to_owned(),
        );
    }
    let Some(resource) = query
        .get("resource")
        .filter(|resource| resource.starts_with("https://"))
    else {
        return refused(
            "invalid_resource",
            "AADSTS500011: The resource principal was not found in the tenant.".to_owned(),
        );
    };
    let options = &shared.options;
    if let Some(client) = query
        .get("client_id")
        .filter(|client| *client != options.client_id)
    {
        return refused(
            "invalid_client",
            format!("No managed identity was found for the client id '{client}'."),
        );
    }
    let mut state = shared.lock();
    let tenant = state
        .knobs
        .tenant
        .clone()
        .unwrap_or_else(|| options.tenant.clone());
    let now = Utc::now();
    let expires = (now + Duration::seconds(options.token_lifetime)).timestamp();
    let claims = json!({
        "aud": resource, "iss": format!("https://sts.windows.net/{tenant}/"), "iat": now.timestamp(), "nbf": now.timestamp(), "exp": expires,
        "appid": options.client_id, "idtyp": "app", "oid": options.object_id, "sub": options.object_id, "tid": tenant, "ver": "1.0",
        "uti": uuid::Uuid::new_v4().to_string(),
    });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!(
        "{}.{}.{}",
        part(&json!({"alg": "RS256", "kid": "stand-in", "typ": "JWT"})),
        part(&claims),
        URL_SAFE_NO_PAD.encode(uuid::Uuid::new_v4().as_bytes())
    );
    let token = Token {
        audience: resource.trim_end_matches('/').to_owned(),
        tenant,
        expires,
        revoked: false,
    };
    state.tokens.0.insert(text.clone(), token);
    server::json(
        StatusCode::OK,
        &json!({
            "access_token": text, "expires_on": expires.to_string(), "resource": resource, "token_type": "Bearer",
            "client_id": options.client_id,
        }),
    )
}

/// What a request without a right token is answered with.
pub(super) fn check(shared: &Shared, headers: &HeaderMap, audiences: &[&str]) -> Option<Answer> {
    let tenant = &shared.options.tenant;
    let given = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let Some(text) = given else {
        return Some(refuse(
            tenant,
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.",
        ));
    };
    let token = shared.lock().tokens.0.get(text).cloned();
    let Some(token) = token else {
        return Some(refuse(
            tenant,
            "InvalidAuthenticationToken",
            "The access token is invalid.",
        ));
    };
    if !audiences.contains(&token.audience.as_str()) {
        let message = format!(
            "The access token has been obtained for wrong audience or resource '{}'. It should exactly match with one of the allowed audiences '{}'.",
            token.audience,
            audiences.join("','")
        );
        return Some(refuse(tenant, "InvalidAuthenticationTokenAudience", &message));
    }
    if token.revoked || token.expires <= Utc::now().timestamp() {
        let message = format!(
            "The access token expiry UTC time '{}' is earlier than current UTC time '{}'.",
            token.expires,
            Utc::now().timestamp()
        );
        return Some(refuse(tenant, "ExpiredAuthenticationToken", &message));
    }
    if token.tenant != *tenant {
        let message = format!(
            "The access token is from the wrong issuer 'https://sts.windows.net/{}/'. It must match the tenant 'https://sts.windows.net/{tenant}/' associated with this subscription. Please use the authority (URL) 'https://login.windows.net/{tenant}' to get the token.",
            token.tenant
        );
        return Some(refuse(tenant, "InvalidAuthenticationTokenTenant", &message));
    }
    None
}

fn refuse(tenant: &str, code: &str, message: &str) -> Answer {
    let mut answer = Refusal::new(401, code, message).answer();
    let said = format!(
        "Bearer authorization_uri=\"https://login.windows.net/{tenant}\", error=\"invalid_token\", error_description=\"{}\"",
        message.replace('"', "'")
    );
    if let Ok(value) = HeaderValue::from_str(&said) {
        answer.headers_mut().insert(WWW_AUTHENTICATE, value);
    }
    answer
}

/// What somebody without the right for an action gets.
pub(super) fn unauthorized(shared: &Shared, action: &str, scope: &str) -> Refusal {
    let options = &shared.options;
    Refusal::new(
        403,
        "AuthorizationFailed",
        format!(
            "The client '{}' with object id '{}' does not have authorization to perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
            options.client_id, options.object_id
        ),
    )
}

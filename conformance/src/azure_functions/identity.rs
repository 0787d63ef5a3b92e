//! A stand-in for the endpoint by which App Service gives a site's process tokens of its managed identity.
//!
//! <https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference>. The tokens are text that the other stand-ins take as such; what may be
//! done with one is not held.

use http::{Request, StatusCode};
use hyper::body::Incoming;
use nephos_core::Result;
use serde_json::json;

use crate::server::{Answer, Server, header, json as answer};

/// How long a token is good for, in seconds.
const LIFETIME: i64 = 3600;

/// The endpoint. It ends when dropped.
#[derive(Debug)]
pub struct Identity {
    server: Server,
    header: String,
}

impl Identity {
    /// Starts it.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start() -> Result<Self> {
        let secret = uuid::Uuid::new_v4().simple().to_string();
        let known = secret.clone();
        let server = Server::start("managed identities", move |request| {
            let token = give(&request, &known);
            async move { token }
        })
        .await?;
        Ok(Self {
            server,
            header: secret,
        })
    }

    /// What a site's process is told of it.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 2] {
        [
            ("IDENTITY_ENDPOINT", format!("{}/msi/token", self.server.url())),
            ("IDENTITY_HEADER", self.header.clone()),
        ]
    }
}

fn give(request: &Request<Incoming>, known: &str) -> Answer {
    let query = request.uri().query().unwrap_or_default();
    let field = |wanted: &str| {
        url::form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.into_owned())
    };
    let refused = |message: &str| {
        answer(
            StatusCode::BAD_REQUEST,
            &json!({"statusCode": 400, "message": message}),
        )
    };
    if header(request.headers(), "x-identity-header") != Some(known) {
        return answer(StatusCode::UNAUTHORIZED, &json!({"statusCode": 401}));
    }
    if request.uri().path() != "/msi/token" || field("api-version").as_deref() != Some("2019-08-01") {
        return refused("The api-version must be 2019-08-01.");
    }
    let Some(resource) = field("resource").filter(|resource| !resource.is_empty()) else {
        return refused("The resource is missing.");
    };
    let client = field("client_id").unwrap_or_default();
    let expires = (chrono::Utc::now().timestamp() + LIFETIME).to_string();
    answer(
        StatusCode::OK,
        &json!({
            "access_token": format!("token-of-{client}-for-{resource}"), "expires_on": expires, "resource": resource, "token_type": "Bearer",
            "client_id": client,
        }),
    )
}

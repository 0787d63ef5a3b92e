//! Who asks in the place of a function, with a token that no other takes, and by the suite's own proxy.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::http::HttpClient;
use nephos_conformance::edge::Edge;
use nephos_core::env::Environment;
use nephos_core::{Error, ErrorKind, Result};

use crate::config::{Config, choose_cryptography};

/// Gives tokens that the stand-ins take.
#[derive(Debug)]
struct Operator;

#[async_trait]
impl TokenCredential for Operator {
    async fn get_token(
        &self,
        _scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let expires = SystemTime::now() + Duration::from_secs(3600);
        Ok(AccessToken::new("operator", expires.into()))
    }
}

/// The configuration of whoever has these variables, and asks by this proxy.
///
/// # Errors
/// As [`Config::load`], and [`ErrorKind::Internal`] if there can be no such client.
pub(super) fn config(environment: &Environment, edge: &Edge) -> Result<Config> {
    choose_cryptography();
    let failed = |error: reqwest::Error| {
        Error::new(
            ErrorKind::Internal,
            "harness.open",
            "a client of HTTPS cannot be made",
        )
        .caused_by(error)
    };
    let authority = reqwest::Certificate::from_pem(edge.certificate_pem().as_bytes()).map_err(failed)?;
    let client = reqwest::Client::builder()
        .proxy(reqwest::Proxy::https(edge.proxy_url()).map_err(failed)?)
        .tls_certs_only([authority])
        .build()
        .map_err(failed)?;
    let client: Arc<dyn HttpClient> = Arc::new(client);
    Config::with(environment, Arc::new(Operator), client)
}

//! Who asks in the place of a function, with a token that no other takes, and by the suite's own proxy.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::http::HttpClient;
use nephos_conformance::azure_manager::Manager;
use nephos_conformance::edge::Edge;
use nephos_core::env::Environment;
use nephos_core::{Error, ErrorKind, Result};
use serde::Deserialize;

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

/// Asks the stand-in's identity endpoint, as a managed identity does:
/// <https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference>.
#[derive(Debug)]
struct Identity {
    url: String,
    header: String,
    client: reqwest::Client,
}

#[derive(Debug, Deserialize)]
struct Given {
    access_token: String,
}

#[async_trait]
impl TokenCredential for Identity {
    async fn get_token(
        &self,
        scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let failed =
            |error: reqwest::Error| azure_core::Error::new(azure_core::error::ErrorKind::Credential, error);
        let resource = scopes
            .first()
            .map_or("", |scope| scope.trim_end_matches("/.default"));
        let url = format!("{}?api-version=2019-08-01&resource={resource}", self.url);
        let asked = self
            .client
            .get(url)
            .header("X-IDENTITY-HEADER", &self.header)
            .send()
            .await;
        let given = asked
            .and_then(reqwest::Response::error_for_status)
            .map_err(failed)?;
        let given: Given = serde_json::from_slice(&given.bytes().await.map_err(failed)?)?;
        let expires = SystemTime::now() + Duration::from_secs(3600);
        Ok(AccessToken::new(given.access_token, expires.into()))
    }
}

/// The configuration of whoever has these variables, and asks by this proxy.
///
/// # Errors
/// As [`Config::load`], and [`ErrorKind::Internal`] if there can be no such client.
pub(super) fn config(environment: &Environment, edge: &Edge) -> Result<Config> {
    Config::with(environment, Arc::new(Operator), client(edge)?)
}

/// The configuration of whoever deploys: with tokens that the stand-in of the manager gives, for it takes no others.
///
/// # Errors
/// As [`config`].
pub(super) fn deployer(environment: &Environment, manager: &Manager, edge: &Edge) -> Result<Config> {
    let identity = Identity {
        url: format!("{}/msi/token", manager.url()),
        header: manager.options().identity_header.clone(),
        client: reqwest::Client::builder().no_proxy().build().map_err(unmade)?,
    };
    Config::with(environment, Arc::new(identity), client(edge)?)
}

fn unmade(error: reqwest::Error) -> Error {
    let message = "a client of HTTPS cannot be made";
    Error::new(ErrorKind::Internal, "harness.open", message).caused_by(error)
}

/// HTTPS by the suite's own proxy.
fn client(edge: &Edge) -> Result<Arc<dyn HttpClient>> {
    choose_cryptography();
    let authority = reqwest::Certificate::from_pem(edge.certificate_pem().as_bytes()).map_err(unmade)?;
    let client = reqwest::Client::builder()
        .proxy(reqwest::Proxy::https(edge.proxy_url()).map_err(unmade)?)
        .tls_certs_only([authority])
        .build()
        .map_err(unmade)?;
    Ok(Arc::new(client))
}

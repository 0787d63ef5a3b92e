//! Who asks in the place of a function, with a token that the stand-in of the control plane gave, and by the suite's own proxy.

use google_cloud_auth::credentials::{
    AccessToken, AccessTokenCredentials, AccessTokenCredentialsProvider, CacheableResource,
    CredentialsProvider, EntityTag, service_account,
};
use google_cloud_auth::errors::CredentialsError;
use google_cloud_auth::signer::Signer;
use http::header::AUTHORIZATION;
use http::{Extensions, HeaderMap, HeaderValue};
use nephos_conformance::edge::Edge;
use nephos_conformance::gcs::PRIVATE_KEY;
use nephos_core::env::Environment;
use nephos_core::{Error, ErrorKind, Result};
use nephos_oci::Way;
use serde_json::json;

use super::emulators::ACCOUNT;
use crate::config::{Config, Https, Identity, builder, choose_cryptography};

type AuthResult<T> = std::result::Result<T, CredentialsError>;

/// Has this token for everything.
struct Operator {
    token: String,
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Operator")
    }
}

impl CredentialsProvider for Operator {
    async fn headers(&self, _extensions: Extensions) -> AuthResult<CacheableResource<HeaderMap>> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.token))
            .map_err(|error| CredentialsError::from_source(false, error))?;
        value.set_sensitive(true);
        Ok(CacheableResource::New {
            entity_tag: EntityTag::default(),
            data: HeaderMap::from_iter([(AUTHORIZATION, value)]),
        })
    }

    async fn universe_domain(&self) -> Option<String> {
        None
    }
}

impl AccessTokenCredentialsProvider for Operator {
    async fn access_token(&self) -> AuthResult<AccessToken> {
        Ok(AccessToken {
            token: self.token.clone(),
        })
    }
}

/// The configuration of whoever has these variables and this token, and asks by this proxy.
///
/// # Errors
/// As [`Config::load`], and [`ErrorKind::Internal`] if there can be no such client or signer.
pub fn config(environment: &Environment, token: &str, edge: &Edge) -> Result<Config> {
    choose_cryptography();
    let failed = |message: &'static str, cause: String| {
        Error::new(ErrorKind::Internal, "harness.open", message).caused_by(cause)
    };
    let of_client = |error: reqwest::Error| failed("a client of HTTPS cannot be made", error.to_string());
    let authority = reqwest::Certificate::from_pem(edge.certificate_pem().as_bytes()).map_err(of_client)?;
    let client = builder()
        .proxy(reqwest::Proxy::https(edge.proxy_url()).map_err(of_client)?)
        .tls_certs_only([authority])
        .build()
        .map_err(of_client)?;
    let identity = Identity::known(
        AccessTokenCredentials::from(Operator {
            token: token.to_owned(),
        }),
        Some(signer()?),
    );
    let registries = Way {
        proxy: Some(edge.proxy_url().to_owned()),
        authorities: vec![edge.certificate_pem().to_owned()],
    };
    Config::with(environment, identity, Https::known(client, registries))
}

/// A service account with a key of its own, as its file has it.
fn signer() -> Result<Signer> {
    let file = json!({
        "type": "service_account",
        "project_id": "nephos-tests",
        "private_key_id": "1",
        "private_key": PRIVATE_KEY,
        "client_email": ACCOUNT,
        "universe_domain": "googleapis.com",
    });
    service_account::Builder::new(file)
        .build_signer()
        .map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                "harness.open",
                "the service account cannot sign",
            )
            .caused_by(error)
        })
}

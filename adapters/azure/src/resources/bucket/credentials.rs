//! What `object_store` signs with: the account's key where there is one, and else a token of who asks.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::http::Url;
use nephos_core::{Error, ErrorKind, Result};
use object_store::CredentialProvider;
use object_store::azure::{AzureAccessKey, AzureCredential};

use crate::config::{Config, Tokens};
use crate::error::failed;

/// The service that a token is for.
pub(in crate::resources) const SCOPE: &str = "https://storage.azure.com/.default";

#[derive(Debug)]
pub(super) enum Credentials {
    Key(Arc<AzureCredential>),
    Token(Tokens),
}

impl Credentials {
    pub(super) fn new(config: &Config, address: &Url) -> Result<Self> {
        let refused = |message: &'static str| Error::new(ErrorKind::InvalidArgument, super::OPEN, message);
        match config.storage_key() {
            Some(key) => AzureAccessKey::try_new(&key.base64())
                .map(|key| Self::Key(Arc::new(AzureCredential::AccessKey(key))))
                .map_err(|error| refused("the storage account's key cannot be used").caused_by(error)),
            None if address.scheme() != "https" => Err(refused(
                "a token is never sent over plain HTTP; set the storage account's key, or an endpoint of HTTPS",
            )),
            None => Ok(Self::Token(Tokens::new(config.credential(), SCOPE))),
        }
    }
}

#[async_trait]
impl CredentialProvider for Credentials {
    type Credential = AzureCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AzureCredential>> {
        match self {
            Self::Key(key) => Ok(Arc::clone(key)),
            Self::Token(tokens) => {
                let token = tokens
                    .current()
                    .await
                    // `object_store`'s error, of which the core takes ours out again.
                    .map_err(|error| object_store::Error::Unauthenticated {
                        path: String::new(),
                        source: failed("bucket.credentials", error).into(),
                    })?;
                Ok(Arc::new(AzureCredential::BearerToken(
                    token.token.secret().to_owned(),
                )))
            }
        }
    }
}

//! What `object_store` says of who asks: a token of the configuration's.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::gcp::{GcpCredential, GcpSigningCredential};
use object_store::{CredentialProvider, Result};

use crate::config::Config;

/// Tokens, or what an emulator is asked with.
#[derive(Debug)]
pub(super) struct Credentials {
    config: Config,
    is_secure: bool,
}

impl Credentials {
    pub(super) fn new(config: &Config, is_secure: bool) -> Self {
        Self {
            config: config.clone(),
            is_secure,
        }
    }
}

#[async_trait]
impl CredentialProvider for Credentials {
    type Credential = GcpCredential;

    async fn get_credential(&self) -> Result<Arc<GcpCredential>> {
        let bearer = if self.is_secure {
            let token = self.config.identity().token("bucket.credentials").await;
            // `object_store`'s error, of which the core takes ours out again.
            token.map_err(|error| object_store::Error::Unauthenticated {
                path: String::new(),
                source: error.into(),
            })?
        } else {
            // The transport leaves out a header that holds no token.
            self.config.emulator_token().unwrap_or_default().to_owned()
        };
        Ok(Arc::new(GcpCredential { bearer }))
    }
}

/// `object_store` signs nothing here: it takes a key as it is for the path of a URL.
#[derive(Debug)]
pub(super) struct Nobody;

#[async_trait]
impl CredentialProvider for Nobody {
    type Credential = GcpSigningCredential;

    async fn get_credential(&self) -> Result<Arc<GcpSigningCredential>> {
        Err(object_store::Error::NotImplemented {
            operation: "signing".to_owned(),
            implementer: "the store of a bucket, whose driver signs".to_owned(),
        })
    }
}

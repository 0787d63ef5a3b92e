//! Secrets in Key Vault, by Azure's own client.

use std::any::Any;
use std::fmt::{self, Debug};

use async_trait::async_trait;
use azure_core::http::Response;
use azure_security_keyvault_secrets::models::SecretClientGetSecretOptions;
use azure_security_keyvault_secrets::{ResourceExt as _, SecretClient, SecretClientOptions};
use nephos_core::resource::Binding;
use nephos_core::resource::secret::{SecretCapabilities, SecretDriver, SecretValue};
use nephos_core::wiring;
use nephos_core::{Error, ErrorKind, Result};

use crate::config::Config;
use crate::error::failed;

const OPERATION: &str = "secret.get";

/// How long a version's id is: <https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates#object-identifiers>.
const VERSION_LENGTH: usize = 32;

/// A secret of Key Vault: its newest value, unless its URL names a version.
pub struct AzureSecret {
    client: SecretClient,
    name: String,
    /// What the vault calls it.
    id: String,
    /// The version that its URL names.
    version: Option<String>,
}

impl Debug for AzureSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureSecret")
            .field("name", &self.name)
            .field("vault", &self.client.endpoint().as_str())
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl AzureSecret {
    /// Opens the secret whose URL the binding holds.
    ///
    /// # Errors
    /// As [`wiring::physical`], and [`ErrorKind::InvalidArgument`] if it is not the URL of a secret.
    pub fn open(config: &Config, binding: &Binding) -> Result<Self> {
        let physical = wiring::physical(binding)?;
        let address = config.address(physical)?;
        let refused = || {
            Error::new(
                ErrorKind::InvalidArgument,
                "context.open",
                "the secret's URL does not name a secret of Key Vault (`https://<vault>.vault.azure.net/secrets/<name>`); check it in nephos.toml, and deploy the function again",
            )
            .with("secret", &binding.name)
            .with("url", physical)
        };
        let text = address.as_str().split(['?', '#']).next().unwrap_or_default();
        let (vault, rest) = text.split_once("/secrets/").ok_or_else(refused)?;
        let mut parts = rest.trim_end_matches('/').split('/');
        let id = parts.next().filter(|id| is_plain(id)).ok_or_else(refused)?;
        let version = parts.next();
        if parts.next().is_some() || version.is_some_and(|version| !is_version(version)) {
            return Err(refused());
        }
        let options = SecretClientOptions {
            client_options: config.client_options(),
            ..SecretClientOptions::default()
        };
        let client = SecretClient::new(vault, config.credential(), Some(options))
            .map_err(|error| failed("context.open", error).with("secret", &binding.name))?;
        Ok(Self {
            client,
            name: binding.name.clone(),
            id: id.to_owned(),
            version: version.map(str::to_owned),
        })
    }

    fn of(&self, error: Error) -> Error {
        error.with("secret", &self.name)
    }
}

/// Names are letters, digits and dashes.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_version(text: &str) -> bool {
    text.len() == VERSION_LENGTH && is_plain(text)
}

#[async_trait]
impl SecretDriver for AzureSecret {
    fn capabilities(&self) -> SecretCapabilities {
        SecretCapabilities { versions: true }
    }

    async fn get(&self, version: Option<&str>) -> Result<SecretValue> {
        // It becomes a part of a URL.
        if version.is_some_and(|version| !is_version(version)) {
            return Err(self.of(Error::new(
                ErrorKind::NotFound,
                OPERATION,
                "there is no such version of the secret",
            )));
        }
        let options = SecretClientGetSecretOptions {
            secret_version: version.map(str::to_owned).or_else(|| self.version.clone()),
            ..SecretClientGetSecretOptions::default()
        };
        let found = self
            .client
            .get_secret(&self.id, Some(options))
            .await
            // Not its body: that the value cannot be read must not show it.
            .and_then(Response::into_model)
            .map_err(|error| self.of(failed(OPERATION, error)))?;
        let version = found.resource_id().ok().and_then(|id| id.version);
        match found.value {
            Some(value) => Ok(SecretValue::new(value, version)),
            None => Err(self.of(Error::new(
                ErrorKind::NotFound,
                OPERATION,
                "the secret has no value; set one in Key Vault",
            ))),
        }
    }

    fn as_any(&self) -> &dyn Any {
        &self.client
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use nephos_core::resource::ResourceKind;

    use super::*;

    fn open(physical: &str) -> Result<AzureSecret> {
        let binding = Binding {
            name: "api-key".to_owned(),
            kind: ResourceKind::Secret,
            access: BTreeSet::new(),
            url: None,
            properties: BTreeMap::from([(wiring::PHYSICAL.to_owned(), physical.to_owned())]),
        };
        let config = Config::load(&std::iter::empty::<(&str, &str)>().collect())?;
        AzureSecret::open(&config, &binding)
    }

    const VERSION: &str = "0123456789abcdef0123456789abcdef";

    #[tokio::test]
    async fn a_secret_is_found_by_its_url() {
        let secret = open("https://v.vault.azure.net/secrets/api-key").unwrap();
        assert_eq!((secret.id.as_str(), &secret.version), ("api-key", &None));
        assert_eq!(secret.client.endpoint().as_str(), "https://v.vault.azure.net/");
        let pinned = open(&format!("https://v.vault.azure.net/secrets/api-key/{VERSION}")).unwrap();
        assert_eq!(pinned.version.as_deref(), Some(VERSION));
        for version in ["1", "../other", ""] {
            let error = secret.get(Some(version)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{version}");
        }
    }

    #[test]
    fn what_is_no_secret_is_refused_when_it_is_opened() {
        for physical in [
            "api-key",
            "https://v.vault.azure.net/keys/api-key",
            "https://v.vault.azure.net/secrets/",
            "https://v.vault.azure.net/secrets/a%2Fb",
            "https://v.vault.azure.net/secrets/a/newest",
        ] {
            let error = open(physical).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{physical}");
        }
    }
}

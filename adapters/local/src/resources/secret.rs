//! The secret driver over the embedded host's resource API.

use std::any::Any;

use async_trait::async_trait;
use nephos_core::Result;
use nephos_core::resource::ResourceKind;
use nephos_core::resource::secret::{SecretCapabilities, SecretDriver, SecretValue};

use super::capabilities;
use super::client::Client;
use crate::wire::{SecretBody, SecretReply, resource_path};

/// A secret of the embedded host.
#[derive(Debug)]
pub struct LocalSecret {
    client: Client,
    name: String,
}

impl LocalSecret {
    /// The secret of this name.
    #[must_use]
    pub fn new(client: Client, name: &str) -> Self {
        Self {
            client,
            name: name.to_owned(),
        }
    }
}

#[async_trait]
impl SecretDriver for LocalSecret {
    fn capabilities(&self) -> SecretCapabilities {
        capabilities::SECRET
    }

    async fn get(&self, version: Option<&str>) -> Result<SecretValue> {
        let path = resource_path(ResourceKind::Secret, &self.name, "get");
        let body = SecretBody {
            version: version.map(str::to_owned),
        };
        let reply: SecretReply = self.client.call("secret.get", &path, &body).await?;
        Ok(SecretValue::new(reply.base64, reply.version))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

//! Secrets: each a Redis stream of its values, whose ids are the versions. <https://redis.io/docs/latest/commands/xrevrange/>
//!
//! Redis keeps them as they are: who may read its memory or its files has them. What an operator does about it (ACL, TLS, a disk that is encrypted) is not this adapter's.

use std::any::Any;
use std::collections::HashMap;

use async_trait::async_trait;
use nephos_core::resource::Binding;
use nephos_core::resource::secret::{SecretCapabilities, SecretDriver, SecretValue};
use nephos_core::{Error, ErrorKind, Result};

use crate::connection::{Connection, key};
use crate::stream::is_id;

const OPERATION: &str = "secret.get";

/// A secret.
#[derive(Debug)]
pub struct RedisSecret {
    connection: Connection,
    name: String,
    key: String,
}

impl RedisSecret {
    /// Opens the secret that the binding names.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if the binding does not say what Redis calls it.
    pub fn open(connection: &Connection, binding: &Binding) -> Result<Self> {
        Ok(Self {
            connection: connection.clone(),
            name: binding.name.clone(),
            key: key(binding)?,
        })
    }

    fn missing(&self, message: &'static str) -> Error {
        Error::new(ErrorKind::NotFound, OPERATION, message).with("secret", &self.name)
    }
}

#[async_trait]
impl SecretDriver for RedisSecret {
    fn capabilities(&self) -> SecretCapabilities {
        SecretCapabilities { versions: true }
    }

    async fn get(&self, version: Option<&str>) -> Result<SecretValue> {
        let mut command;
        match version {
            None => {
                command = redis::cmd("XREVRANGE");
                command.arg(&self.key).arg("+").arg("-").arg("COUNT").arg(1);
            }
            Some(version) if is_id(version) => {
                command = redis::cmd("XRANGE");
                command.arg(&self.key).arg(version).arg(version);
            }
            Some(_) => return Err(self.missing("the secret has no such version")),
        }
        let mut entries: Vec<(String, HashMap<String, Vec<u8>>)> = self
            .connection
            .ask(OPERATION, &command)
            .await
            .map_err(|error| error.with("secret", &self.name))?;
        let Some((id, mut fields)) = entries.pop() else {
            return Err(match version {
                None => self.missing("the secret is not set; have its operator set it"),
                Some(_) => self.missing("the secret has no such version"),
            });
        };
        match fields.remove("value") {
            Some(value) => Ok(SecretValue::new(value, Some(id))),
            None => Err(Error::new(
                ErrorKind::DataLoss,
                OPERATION,
                "what Redis holds was not written as a secret",
            )
            .with("secret", &self.name)),
        }
    }

    fn as_any(&self) -> &dyn Any {
        &self.connection
    }
}

//! Secrets: each the list of its values, of which the last one counts. A value's place in the list, from 1, is its version.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use nephos_core::resource::Binding;
use nephos_core::resource::secret::{SecretCapabilities, SecretDriver, SecretValue};
use nephos_core::{Error, ErrorKind, Result, wiring};

/// Where the secrets are: the provider's client, in an adapter for one. Clones share what they hold.
#[derive(Clone, Default)]
pub struct Secrets {
    values: Arc<Mutex<BTreeMap<String, Vec<Vec<u8>>>>>,
}

impl fmt::Debug for Secrets {
    /// Without the values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

impl Secrets {
    /// Sets a secret's value; former ones stay, each under its version.
    pub fn set(&self, name: &str, value: &[u8]) {
        self.locked()
            .entry(name.to_owned())
            .or_default()
            .push(value.to_vec());
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Vec<u8>>>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One secret.
#[derive(Debug)]
pub struct MemorySecret {
    secrets: Secrets,
    /// Its name in the manifest, for messages.
    name: String,
    /// What the provider calls it.
    physical: String,
}

impl MemorySecret {
    /// Opens the secret that the binding names.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if the binding does not say what the provider calls it.
    pub fn open(secrets: &Secrets, binding: &Binding) -> Result<Self> {
        Ok(Self {
            secrets: secrets.clone(),
            name: binding.name.clone(),
            physical: wiring::physical(binding)?.to_owned(),
        })
    }
}

#[async_trait]
impl SecretDriver for MemorySecret {
    fn capabilities(&self) -> SecretCapabilities {
        SecretCapabilities { versions: true }
    }

    async fn get(&self, version: Option<&str>) -> Result<SecretValue> {
        let secrets = self.secrets.locked();
        let values = secrets.get(&self.physical).map(Vec::as_slice).unwrap_or_default();
        let asked = match version {
            None => values.len(),
            Some(version) => version.parse().unwrap_or(0),
        };
        match asked.checked_sub(1).and_then(|index| values.get(index)) {
            Some(value) => Ok(SecretValue::new(value.clone(), Some(asked.to_string()))),
            None => Err(Error::new(
                ErrorKind::NotFound,
                "secret.get",
                "the secret is not set, or has no such version",
            )
            .with("secret", &self.name)),
        }
    }

    fn as_any(&self) -> &dyn Any {
        &self.secrets
    }
}

//! Secrets: values that are never shown, not in logs and not in errors.

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt::{self, Debug};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::resource::{Access, Grant, ResourceKind};

/// A secret's value. `Debug` does not show it; it has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue {
    bytes: Bytes,
    version: Option<String>,
}

impl SecretValue {
    /// A value, with its version where the target keeps versions.
    pub fn new(bytes: impl Into<Bytes>, version: Option<String>) -> Self {
        Self {
            bytes: bytes.into(),
            version,
        }
    }

    /// The value.
    #[must_use]
    pub fn expose(&self) -> &Bytes {
        &self.bytes
    }

    /// The value as text.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if it is not UTF-8; the error does not show it.
    pub fn expose_text(&self) -> Result<&str> {
        std::str::from_utf8(&self.bytes).map_err(|_| {
            Error::new(
                ErrorKind::Decode,
                "secret.expose_text",
                "the secret is not UTF-8 text",
            )
        })
    }

    /// Its version, where the target keeps versions.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }
}

impl Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretValue")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// What a secret store can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretCapabilities {
    /// Whether an older version can be asked for.
    pub versions: bool,
}

/// One provider's secret. Must not retry. May be called concurrently. Must never put the value into an error or a log.
#[async_trait]
pub trait SecretDriver: Debug + Send + Sync + 'static {
    /// What it can do; constant for the driver's life.
    fn capabilities(&self) -> SecretCapabilities;
    /// The newest value, or that of `version`. A secret that is not set is [`ErrorKind::NotFound`].
    async fn get(&self, version: Option<&str>) -> Result<SecretValue>;
    /// The provider's own client, for what the portable type cannot do.
    fn as_any(&self) -> &dyn Any;
}

/// A secret.
#[derive(Debug, Clone)]
pub struct Secret {
    grant: Grant,
    driver: Arc<dyn SecretDriver>,
}

impl Secret {
    /// A secret over `driver`, with every access: for hosts, tools and tests.
    #[must_use]
    pub fn new(name: &str, driver: Arc<dyn SecretDriver>) -> Self {
        Self {
            grant: Grant::full(ResourceKind::Secret, name),
            driver,
        }
    }

    /// The same with only this access.
    #[must_use]
    pub fn with_access(name: &str, driver: Arc<dyn SecretDriver>, access: BTreeSet<Access>) -> Self {
        Self {
            grant: Grant::new(ResourceKind::Secret, name, access),
            driver,
        }
    }

    pub(crate) fn granted(grant: Grant, driver: Arc<dyn SecretDriver>) -> Self {
        Self { grant, driver }
    }

    /// Its name in the manifest.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.grant.name
    }

    /// What it can do on this target.
    #[must_use]
    pub fn capabilities(&self) -> SecretCapabilities {
        self.driver.capabilities()
    }

    /// The newest value: asked for anew each time, so that a rotated secret is seen.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if it is not set, [`ErrorKind::PermissionDenied`] without `read`, or the driver's.
    pub async fn get(&self) -> Result<SecretValue> {
        self.grant.require(Access::Read, "secret.get")?;
        self.grant.retry.run(|| self.driver.get(None)).await
    }

    /// An older value.
    ///
    /// # Errors
    /// As [`get`](Self::get), and [`ErrorKind::Unsupported`] where the target keeps no versions.
    pub async fn get_version(&self, version: &str) -> Result<SecretValue> {
        self.grant.require(Access::Read, "secret.get")?;
        if !self.driver.capabilities().versions {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "secret.get",
                "this target keeps no versions of a secret",
            )
            .with("secret", self.name()));
        }
        self.grant.retry.run(|| self.driver.get(Some(version))).await
    }

    /// The driver, for what only this provider can do.
    #[must_use]
    pub fn driver(&self) -> &dyn SecretDriver {
        &*self.driver
    }
}

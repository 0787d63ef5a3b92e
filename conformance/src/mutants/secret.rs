//! Secrets made wrong.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use nephos_core::resource::secret::{Secret, SecretCapabilities, SecretDriver, SecretValue};
use nephos_core::{Error, Result};

use super::Fault;

struct Wrong {
    inner: Secret,
    value: Option<Vec<u8>>,
    fault: Fault,
    cached: Mutex<Option<SecretValue>>,
}

impl fmt::Debug for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Wrong");
        if self.fault == Fault::SecretInDebug {
            shown.field("value", &self.value.as_deref().map(String::from_utf8_lossy));
        }
        shown.finish_non_exhaustive()
    }
}

pub(super) fn wrong(inner: Secret, value: Option<&[u8]>, fault: Fault) -> Secret {
    let name = inner.name().to_owned();
    let driver = Wrong {
        inner,
        value: value.map(<[u8]>::to_vec),
        fault,
        cached: Mutex::default(),
    };
    Secret::new(&name, Arc::new(driver))
}

pub(super) fn driver(inner: Secret, fault: Fault) -> Arc<dyn SecretDriver> {
    Arc::new(Wrong {
        inner,
        value: None,
        fault,
        cached: Mutex::default(),
    })
}

/// The secret under the wrong one.
pub(super) fn original(secret: &Secret) -> &Secret {
    secret
        .driver()
        .as_any()
        .downcast_ref::<Wrong>()
        .map_or(secret, |wrong| &wrong.inner)
}

impl Wrong {
    fn cached(&self) -> Option<SecretValue> {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl SecretDriver for Wrong {
    fn capabilities(&self) -> SecretCapabilities {
        let mut capabilities = self.inner.capabilities();
        capabilities.versions |= self.fault == Fault::PretendsCapability;
        capabilities
    }

    async fn get(&self, version: Option<&str>) -> Result<SecretValue> {
        let version = match self.fault {
            Fault::VersionIgnored | Fault::PretendsCapability => None,
            _ => version,
        };
        if let (Fault::SecretCached, Some(cached)) = (self.fault, self.cached()) {
            return Ok(cached);
        }
        let value = match self.inner.driver().get(version).await {
            Err(_) if self.fault == Fault::MissingReadsEmpty => {
                return Ok(SecretValue::new(Bytes::new(), None));
            }
            Err(error) if self.fault == Fault::ErrorFactsLost => {
                return Err(Error::new(error.kind(), "secret.get", "not found"));
            }
            Err(_) if self.fault == Fault::PretendsCapability => {
                return Ok(SecretValue::new(Bytes::new(), None));
            }
            value => value?,
        };
        *self.cached.lock().unwrap_or_else(PoisonError::into_inner) = Some(value.clone());
        let bytes = value.expose().clone();
        let bytes = match self.fault {
            Fault::BodyTruncated => bytes.slice(..bytes.len().saturating_sub(1)),
            Fault::BodyUtf8Lossy => Bytes::from(String::from_utf8_lossy(&bytes).into_owned()),
            _ => return Ok(value),
        };
        Ok(SecretValue::new(bytes, value.version().map(str::to_owned)))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

//! An adapter of Nephos: what a function's resources stand on, in {{name}}. Secrets in memory are its beginning.

mod secret;

use std::sync::Arc;

use nephos_core::resource::bucket::BucketDriver;
use nephos_core::resource::queue::QueueDriver;
use nephos_core::resource::secret::SecretDriver;
use nephos_core::resource::stream::StreamDriver;
use nephos_core::resource::table::TableDriver;
use nephos_core::resource::topic::TopicDriver;
use nephos_core::resource::{Binding, Drivers};
use nephos_core::{Error, ErrorKind, Result};

pub use self::secret::{MemorySecret, Secrets};

/// Opens the resources of a function, one method a kind. Nothing is asked of the provider here: a driver connects on first use.
#[derive(Debug, Clone, Default)]
pub struct AdapterDrivers {
    secrets: Secrets,
}

impl AdapterDrivers {
    /// Drivers over these secrets.
    #[must_use]
    pub fn new(secrets: &Secrets) -> Self {
        Self {
            secrets: secrets.clone(),
        }
    }
}

impl Drivers for AdapterDrivers {
    fn bucket(&self, binding: &Binding) -> Result<Arc<dyn BucketDriver>> {
        refuse(binding)
    }

    fn queue(&self, binding: &Binding) -> Result<Arc<dyn QueueDriver>> {
        refuse(binding)
    }

    fn topic(&self, binding: &Binding) -> Result<Arc<dyn TopicDriver>> {
        refuse(binding)
    }

    fn stream(&self, binding: &Binding) -> Result<Arc<dyn StreamDriver>> {
        refuse(binding)
    }

    fn table(&self, binding: &Binding) -> Result<Arc<dyn TableDriver>> {
        refuse(binding)
    }

    fn secret(&self, binding: &Binding) -> Result<Arc<dyn SecretDriver>> {
        Ok(Arc::new(MemorySecret::open(&self.secrets, binding)?))
    }
}

/// The refusal of a kind that this adapter does not have.
fn refuse<T>(binding: &Binding) -> Result<T> {
    Err(Error::new(
        ErrorKind::Unsupported,
        "context.open",
        "{{name}} has no resources of this kind",
    )
    .with(binding.kind.name(), &binding.name))
}

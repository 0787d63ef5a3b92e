//! What the suite asks of this adapter: fresh resources, each new, empty, and nobody else's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use {{crate}}::{AdapterDrivers, Secrets};
use nephos_conformance::{Harness, Mode};
use nephos_core::Result;
use nephos_core::resource::secret::Secret;
use nephos_core::resource::{Binding, ResourceKind, Resources};
use nephos_core::wiring::PHYSICAL;

/// This adapter under test. Start here what it needs, an emulator for example, and end it in `Harness::finish`.
#[derive(Debug, Default)]
pub(crate) struct AdapterHarness {
    secrets: Secrets,
    opened: AtomicUsize,
}

impl AdapterHarness {
    /// A name that no other resource has.
    fn new_name(&self, kind: ResourceKind) -> String {
        format!("{kind}-{}", self.opened.fetch_add(1, Ordering::Relaxed))
    }

    /// The handles of a function that may do everything with one resource.
    fn open(&self, kind: ResourceKind, name: &str) -> Resources {
        let binding = Binding {
            name: name.to_owned(),
            kind,
            access: kind.access().iter().copied().collect(),
            url: None,
            properties: BTreeMap::from([(PHYSICAL.to_owned(), name.to_owned())]),
        };
        Resources::new(Arc::new(AdapterDrivers::new(&self.secrets)), [binding])
    }
}

#[async_trait]
impl Harness for AdapterHarness {
    fn adapter(&self) -> &'static str {
        "{{name}}"
    }

    fn mode(&self) -> Mode {
        Mode::Embedded
    }

    async fn secret(&self, value: Option<&[u8]>) -> Result<Secret> {
        let name = self.new_name(ResourceKind::Secret);
        if let Some(value) = value {
            self.secrets.set(&name, value);
        }
        self.open(ResourceKind::Secret, &name).secret(&name)
    }

    async fn rotate(&self, secret: &Secret, value: &[u8]) -> Result<()> {
        self.secrets.set(secret.name(), value);
        Ok(())
    }
}

//! What the host opens resources with: the drivers over Google Cloud, or, in a function without them, a refusal that names the feature.

use std::sync::Arc;

use nephos_core::Result;
use nephos_core::env::Environment;
use nephos_core::resource::{Drivers, NotBuilt};

use crate::wiring::Service;

const NOTHING: NotBuilt = NotBuilt {
    provider: "Google Cloud",
};

/// The drivers of this build; of a function that uses nothing, those that refuse.
///
/// # Errors
/// If the environment has settings for them that cannot be used.
pub(super) fn drivers(environment: &Environment, service: &Service) -> Result<Arc<dyn Drivers>> {
    let wiring = &service.wiring;
    if wiring.bindings.is_empty() && wiring.dead_letter.is_none() && service.callers.mail.is_none() {
        return Ok(Arc::new(NOTHING));
    }
    of_build(environment)
}

#[cfg(feature = "sdk")]
fn of_build(environment: &Environment) -> Result<Arc<dyn Drivers>> {
    let config = crate::config::Config::load(environment)?;
    Ok(Arc::new(crate::resources::GcpDrivers::new(&config)))
}

#[cfg(not(feature = "sdk"))]
#[expect(clippy::unnecessary_wraps, reason = "with the SDK, the environment is read")]
fn of_build(_environment: &Environment) -> Result<Arc<dyn Drivers>> {
    Ok(Arc::new(NOTHING))
}

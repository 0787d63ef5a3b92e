//! A host of Azure Functions as the wire sees it, and the services around it: for packages that an adapter made, because no real host can be had that runs here.
//!
//! [`Host::start`] takes a package (a folder, or a zip) and what Azure would tell it, starts its process, and calls it as the real host does. What was taken from where is in
//! this folder's README. [`Azurite`](azurite::Azurite) is the storage account, [`EventGrid`](event_grid::EventGrid) carries its events; a [`Cloud`] is all of it, made of a
//! template.

pub mod azurite;
pub mod cloud;
pub mod cosmos;
pub mod event_grid;
pub mod event_hub;
mod gateway;
mod host;
pub mod identity;
pub mod inputs;
pub mod invoke;
pub mod key_vault;
mod log;
pub mod package;
mod queue;
mod route;
pub mod service_bus;
pub mod settings;
pub mod storage;
pub mod timer;
mod value;
mod worker;

use nephos_core::{Error, ErrorKind};

pub use self::cloud::Cloud;
pub use self::gateway::Keys;
pub use self::host::{Host, Options, Services};
pub use self::package::Package;
pub use self::settings::Settings;

/// The operation that refusals name.
const START: &str = "azure-functions.start";

/// What the real host would not start with, in a sentence.
fn refused(message: String) -> Error {
    Error::new(ErrorKind::InvalidArgument, START, message)
}

//! The conformance suite of Nephos: one behaviour, proven on every adapter.
//!
//! An adapter implements [`Harness`] and names it in [`suite!`] in a test without the standard test harness; each [`Rule`](rule::Rule) then is a test of its own,
//! `<adapter>::<rule id>`, and so is each rule's mutant, `mutant::<rule id>`: the same rule on the same adapter made wrong on purpose, which must not hold.
//! A rule whose capability the adapter does not declare runs its negative, and is shown as `[refused]`.

mod account;
pub mod alexa;
pub mod arm_models;
#[cfg(feature = "azure-functions")]
pub mod azure_functions;
#[cfg(feature = "azure-functions")]
pub mod azure_manager;
mod declared;
#[cfg(feature = "google-cloud")]
pub mod discovery;
#[cfg(feature = "edge")]
pub mod edge;
pub mod fake;
#[cfg(feature = "google-cloud")]
pub mod gcs;
#[cfg(feature = "google-cloud")]
pub mod google_cloud;
pub mod happening;
pub mod harness;
mod http;
#[cfg(any(feature = "azure-functions", feature = "google-cloud"))]
mod interruptions;
pub mod mutants;
mod neutral;
pub mod payloads;
pub mod probe;
pub mod process;
#[cfg(feature = "replay")]
pub mod replay;
pub mod report;
pub mod rule;
pub mod rules;
mod run;
#[cfg(any(feature = "azure-functions", feature = "google-cloud", feature = "replay"))]
mod server;
mod suite;
mod unasked;

pub use self::account::{Account, DeployCapabilities, HELLO, Inventory, Meddling};
pub use self::happening::{Delivered, Happening, Native};
pub use self::harness::{AuthCapabilities, Capabilities, Deployment, Harness, HostCapabilities, Mode};
pub use self::mutants::lacking;
pub use self::run::{Exception, Progress, Selection, Stop, Suite, main};

//! Google Cloud's control plane as the wire sees it, for deployers: Cloud Run, Pub/Sub, Secret Manager, Eventarc, Cloud Scheduler, repositories of
//! Artifact Registry, service accounts, projects and the list of enabled interfaces.
//!
//! [`Control::start`] begins with a project that has nothing; [`Control::route`] puts it behind Google's own host names. Every request is held against Google's
//! [discovery documents](crate::discovery), and refused as Google refuses it. What Google does at times of its own happens when a test says so
//! ([`Control::fail`], [`Control::interrupt`] and others). Messages and documents are apart, in Google's own [`emulators`] or in [`data`]. What is not there is in this folder's README.

mod accounts;
mod checked;
mod control;
pub mod data;
pub mod emulators;
mod error;
mod jobs;
mod kinds;
mod knobs;
mod list;
mod mask;
mod operation;
mod policy;
mod projects;
mod pubsub;
mod repositories;
mod request;
mod resource;
mod route;
mod run;
mod secrets;
mod state;
mod triggers;

pub use self::checked::Checked;
pub use self::control::{Control, Existing};
pub use self::error::Code;
pub use self::knobs::{Failure, Interruption, Unready, When};
pub use self::state::{Exchange, Options};

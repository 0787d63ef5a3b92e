//! Google Cloud's control plane as the wire sees it, for deployers: Cloud Run, Pub/Sub, Secret Manager, Eventarc, Cloud Scheduler, Artifact Registry with its images,
//! databases of Firestore, buckets of Cloud Storage, entries of Cloud Logging, service accounts and their tokens, projects and the list of enabled interfaces.
//!
//! [`Control::start`] begins with a project that has nothing; [`Control::route`] puts it behind Google's own host names. Every request is held against Google's
//! [discovery documents](crate::discovery), and refused as Google refuses it. What Google does at times of its own happens when a test says so
//! ([`Control::fail`], [`Control::interrupt`] and others). What is not there is in this folder's README.

mod accounts;
mod checked;
pub mod cloud_run;
mod control;
mod credentials;
pub mod emulators;
mod error;
mod firestore;
mod id_tokens;
mod jobs;
mod kinds;
mod knobs;
mod list;
mod logging;
mod mask;
mod metadata;
mod operation;
mod policy;
mod projects;
mod pubsub;
mod registry;
mod repositories;
mod request;
mod resource;
mod rights;
mod route;
mod run;
mod secrets;
mod state;
mod storage;
mod tokens;
mod triggers;

pub use self::checked::Checked;
pub use self::cloud_run::CloudRun;
pub use self::control::{Control, Existing};
pub use self::error::Code;
pub use self::knobs::{Failure, Interruption, Unready, When};
pub use self::logging::{Logs, Origin, Stream};
pub use self::registry::{Image, Layer};
pub use self::state::{Exchange, Options};

//! Google Cloud Storage as the wire sees it, in memory: its JSON API, its XML API, and the notifications that it sends to Pub/Sub.
//!
//! [`Storage::start`] begins with no bucket. It holds its clients to what Google documents: generations and preconditions on every verb, checksums, ranges, resumable and multipart uploads,
//! tokens and signed URLs; what it does not have, it refuses and never ignores. It fails, throttles and breaks off when a test says so ([`Storage::interrupt`]). What was taken from where is
//! in this folder's README.

mod auth;
mod error;
mod hash;
mod json;
mod knobs;
mod listing;
mod names;
mod notify;
mod object;
mod options;
mod policy;
mod preconditions;
mod project;
mod range;
mod request;
mod route;
mod signed;
mod soft;
mod state;
mod storage;
mod xml;

pub use self::knobs::Interruption;
pub use self::notify::Message;
pub use self::options::{Options, PRIVATE_KEY, ServiceAccount};
pub(crate) use self::project::{Asker, Denied, Project, Request, agent};
pub use self::state::Exchange;
pub(crate) use self::storage::Door;
pub use self::storage::{Existing, Storage};

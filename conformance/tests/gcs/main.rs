//! The stand-in of Google Cloud Storage over real sockets: by `object_store`'s client and its own tests, and by requests that no client sends.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod buckets;
mod client;
mod copies;
mod generations;
mod interruptions;
mod lists;
mod multipart;
mod notifications;
mod peer;
mod reading;
mod resumable;
mod strictness;
mod tokens;
mod uploads;

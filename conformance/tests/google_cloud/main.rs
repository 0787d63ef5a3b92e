//! Google's discovery documents, and the stand-in of Google Cloud's control plane over real sockets.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod accounts;
mod buckets;
mod client;
mod credentials;
mod databases;
mod documents;
mod emulators;
mod events;
mod good_bodies;
mod images;
mod logs;
mod mistakes;
mod peers;
mod refusals;
mod rights;
mod secrets;
mod services;
mod topics;

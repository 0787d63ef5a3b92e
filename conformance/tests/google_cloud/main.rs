//! Google's discovery documents, and the stand-in of Google Cloud's control plane over real sockets.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod accounts;
mod buckets;
mod calls;
mod client;
mod credentials;
mod databases;
mod deliveries;
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
mod running;
mod secrets;
mod services;
mod topics;

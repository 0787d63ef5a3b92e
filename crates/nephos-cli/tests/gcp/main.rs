//! Apps on Google Cloud: the command brings them to the stand-in of Google's interfaces, which answers by Google's own host names and holds every request against Google's own documents.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod account;
mod life;
mod together;
mod trouble;

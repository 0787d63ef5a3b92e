//! Drives the built `nephos` command against an emulator of AWS: what it deploys there runs there.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod life;
mod refusals;
mod support;
mod trouble;

//! The stand-in of Azure Resource Manager over real sockets, and asked by Azure's own SDK for Python.
#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

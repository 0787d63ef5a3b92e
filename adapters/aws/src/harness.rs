//! The conformance suite's harness over an emulator.

pub mod emulator;

//! The conformance suite's harness over an emulator.

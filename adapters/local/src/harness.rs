//! The conformance suite's harness over the embedded host.

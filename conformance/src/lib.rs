//! The conformance suite of Nephos.

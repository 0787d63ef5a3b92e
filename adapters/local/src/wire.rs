//! What both sides of the local protocol agree on: header names, paths, and JSON bodies.

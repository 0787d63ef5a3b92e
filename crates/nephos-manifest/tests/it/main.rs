//! The manifest from outside: what loads, what does not, and what is said then.

mod bad_input;
mod common;
mod file;
mod fit;
mod layers;
mod model;
mod schema;

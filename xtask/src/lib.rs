//! The parts of the project's own commands that tests use: its rules and its table of pinned tools.

pub mod setup;
pub mod shell;
pub mod tidy;

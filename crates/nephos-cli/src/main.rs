//! The `nephos` command.

fn main() {}

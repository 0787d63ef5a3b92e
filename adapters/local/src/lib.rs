//! Nephos on one machine.

//! The macros of Nephos.

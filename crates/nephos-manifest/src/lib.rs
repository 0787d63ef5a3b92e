//! The manifest of Nephos.

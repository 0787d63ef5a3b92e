//! Pumps over a real store and a scripted function.

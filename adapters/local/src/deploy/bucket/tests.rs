//! Behaviour of buckets in folders.

//! Buckets in folders, and the S3-compatible store.

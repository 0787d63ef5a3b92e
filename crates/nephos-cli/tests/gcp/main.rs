//! Apps on Google Cloud.

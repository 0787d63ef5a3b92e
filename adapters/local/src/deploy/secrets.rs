//! Secrets from a file or the environment.

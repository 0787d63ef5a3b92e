//! The SDK's errors as ours, in one place.

//! Neutral ↔ CloudEvents.

//! Rules of buckets.

pub(super) mod conditions;
pub(super) mod keys;
pub(super) mod listing;
pub(super) mod objects;
pub(super) mod signed;
pub(super) mod uploads;

//! Rules of the process that feeds events to a function, over the deployed [probe](crate::probe). What becomes of an event is in `semantics`.

pub(super) mod answers;
pub(super) mod contexts;

//! Rules of the deploy port: each adapter's own engine, in an account of its provider.

pub(super) mod changes;
pub(super) mod ends;
pub(super) mod ground;
pub(super) mod plans;
pub(super) mod trouble;

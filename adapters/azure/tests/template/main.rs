//! Templates and packages as others read them: against the text that was agreed to, the typed models of Azure's interfaces, and the roles that they give.
#![cfg(feature = "deploy")]
#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

mod apps;
mod golden;
mod limits;
mod lint;
mod refused;
mod roles;
mod wiring;

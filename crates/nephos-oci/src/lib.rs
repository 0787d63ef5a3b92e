//! Container images of functions for Nephos: made of a static binary without any container engine, the same bytes for the same binary, and pushed to a registry.
//!
//! Targets that run containers share it; none of them is known here. An [`Image`] is made without I/O; [`Registry::push`] sends what the registry does not have yet, by the protocol of
//! [OCI's distribution specification](https://github.com/opencontainers/distribution-spec/blob/main/spec.md) (`oci-client`).

mod base;
mod elf;
mod image;
mod layer;
mod registry;

pub use self::elf::Architecture;
pub use self::image::{ENTRYPOINT, Image, USER};
pub use self::registry::{Credentials, Pushed, Registry, Way};

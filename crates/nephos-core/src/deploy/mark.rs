//! The marks by which a deployer finds again what it made: tags, labels or metadata, whatever the provider has.

/// The app's name.
pub const APP: &str = "nephos:app";
/// The target's name.
pub const TARGET: &str = "nephos:target";
/// What it is for: a name in the manifest.
pub const NAME: &str = "nephos:name";
/// What it is: a kind of resource, `function`, or a part of one.
pub const KIND: &str = "nephos:kind";

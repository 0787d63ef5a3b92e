//! Logical ids within the template. Letters and digits only:
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resources-section-structure.html>.

pub(super) use nephos_core::deploy::name::{id, physical, short_hash};

/// The logical id of a part of `function` that belongs to one of its triggers; stays when other triggers come and go.
pub(super) fn trigger_id(part: &str, function: &str, trigger: &[&str]) -> String {
    format!("{}{}", id(part, function), short_hash(trigger))
}

//! What a message looks like on Pub/Sub: the drivers write it, the decoders of events undo it. Pure.
//!
//! A body is the message's data, to the byte. Its media type, and a notification's subject, are attributes of ours beside the sender's own; programs without Nephos read and
//! write all of it.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// The attribute that holds the body's media type.
pub const CONTENT_TYPE: &str = "nephos-content-type";

/// The attribute that holds a notification's subject.
pub const SUBJECT: &str = "nephos-subject";

/// The attribute of a message that says nothing else: Pub/Sub takes none without a body and attributes.
pub const EMPTY: &str = "nephos-empty";

/// What the names of all our attributes begin with.
const OURS: &str = "nephos-";

/// What no attribute's name may begin with: <https://cloud.google.com/pubsub/docs/publisher#using_attributes>
const RESERVED: &str = "goog";

/// A message's attributes: the sender's, and ours among them.
#[must_use]
pub fn to_attributes(
    content_type: Option<&str>,
    subject: Option<&str>,
    attributes: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let ours = [(CONTENT_TYPE, content_type), (SUBJECT, subject)];
    let ours = ours
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    attributes
        .iter()
        .map(|(name, value)| (escape(name).into_owned(), value.clone()))
        .chain(ours)
        .collect()
}

/// Undoes [`to_attributes`]: the media type, the subject, and the sender's attributes.
#[must_use]
pub fn from_attributes(
    attributes: BTreeMap<String, String>,
) -> (Option<String>, Option<String>, BTreeMap<String, String>) {
    let (mut content_type, mut subject) = (None, None);
    let mut others = BTreeMap::new();
    for (name, value) in attributes {
        match name.as_str() {
            CONTENT_TYPE => content_type = Some(value),
            SUBJECT => subject = Some(value),
            EMPTY => {}
            _ => {
                others.insert(unescape(name), value);
            }
        }
    }
    (content_type, subject, others)
}

/// A sender's own attribute may be named like one of ours or of Google's, or not at all: it is told by a tilde.
fn escape(name: &str) -> Cow<'_, str> {
    if name.is_empty() || [OURS, RESERVED, "~"].iter().any(|begin| name.starts_with(begin)) {
        Cow::Owned(format!("~{name}"))
    } else {
        Cow::Borrowed(name)
    }
}

fn unescape(name: String) -> String {
    match name.strip_prefix('~') {
        Some(rest) => rest.to_owned(),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn attributes_come_back_as_they_were_whatever_their_names(
            attributes in proptest::collection::btree_map("(~|goog|nephos-content-type|nephos-|a)?[a-z]{0,3}", "\\PC{0,8}", 0..5),
            content_type in proptest::option::of("[a-z]{1,8}"),
            subject in proptest::option::of("[a-z]{0,8}"),
        ) {
            let sent = to_attributes(content_type.as_deref(), subject.as_deref(), &attributes);
            prop_assert!(sent.keys().all(|name| !name.is_empty() && !name.starts_with(RESERVED)));
            prop_assert_eq!(from_attributes(sent), (content_type, subject, attributes));
        }
    }
}

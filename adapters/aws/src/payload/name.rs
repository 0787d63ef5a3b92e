//! Names of an item's attributes: JSON allows the empty name, DynamoDB does not
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html>).

use std::borrow::Cow;

/// Stands for the empty name. A name that is this, once or several times over, and nothing else is written once more, so that each comes back as it was.
const EMPTY: &str = "nephos-empty";

/// The name of an attribute in DynamoDB, of its name in JSON; also of one within another.
#[must_use]
pub fn stored_name(name: &str) -> Cow<'_, str> {
    if is_repeated(name) {
        Cow::Owned(format!("{EMPTY}{name}"))
    } else {
        Cow::Borrowed(name)
    }
}

/// The name of an attribute in JSON, of its name in DynamoDB: undoes [`stored_name`].
#[must_use]
pub fn item_name(mut stored: String) -> String {
    if !stored.is_empty() && is_repeated(&stored) {
        stored.drain(..EMPTY.len());
    }
    stored
}

/// Whether the name is `EMPTY` any number of times, none too.
fn is_repeated(name: &str) -> bool {
    let mut rest = name;
    while let Some(less) = rest.strip_prefix(EMPTY) {
        rest = less;
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_comes_back_and_none_is_empty() {
        let twice = format!("{EMPTY}{EMPTY}");
        for name in ["", "a", EMPTY, twice.as_str(), "nephos-empty-not", " "] {
            let stored = stored_name(name).into_owned();
            assert!(!stored.is_empty());
            assert_eq!(item_name(stored), name);
        }
        assert_eq!(stored_name(""), EMPTY);
        assert_eq!(stored_name("a"), "a");
    }
}

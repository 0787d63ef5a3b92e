//! Names: lower-case letters, digits and hyphens, since every target takes those.

use std::fmt;

use crate::diagnostic::{Problem, ProblemKind};
use crate::spans::Path;
use crate::validate::reader::Checker;

/// The longest name, in characters: that of a DNS label.
pub(crate) const LONGEST: usize = 63;

/// Whether the name is one; reports it otherwise.
pub(super) fn check(checker: &mut Checker<'_>, path: &Path<'_>, what: impl fmt::Display, name: &str) -> bool {
    let reason = if name.is_empty() {
        "is empty".to_owned()
    } else if name.chars().count() > LONGEST {
        format!("is longer than {LONGEST} characters")
    } else if !name
        .chars()
        .all(|letter| matches!(letter, 'a'..='z' | '0'..='9' | '-'))
    {
        "has other characters than lower-case letters, digits and hyphens".to_owned()
    } else if !name.starts_with(|letter: char| letter.is_ascii_lowercase()) {
        "does not begin with a letter".to_owned()
    } else if name.ends_with('-') {
        "ends with a hyphen".to_owned()
    } else {
        return true;
    };
    let fixed = fixed(name);
    let help = if fixed.is_empty() || fixed == name {
        "names are lower-case letters, digits and hyphens, at most 63, and begin with a letter".to_owned()
    } else {
        format!("write `{fixed}`")
    };
    let problem = Problem::new(ProblemKind::InvalidName, format!("{what} `{name}` {reason}")).help(help);
    checker.key(path, "here", problem);
    false
}

/// The nearest thing that is a name; empty if there is none.
fn fixed(name: &str) -> String {
    let mut fixed = String::new();
    for letter in name.chars() {
        let letter = letter.to_ascii_lowercase();
        if letter.is_ascii_lowercase() || (letter.is_ascii_digit() && !fixed.is_empty()) {
            fixed.push(letter);
        } else if !fixed.is_empty() && !fixed.ends_with('-') {
            fixed.push('-');
        }
    }
    fixed.truncate(LONGEST);
    fixed.trim_end_matches('-').to_owned()
}

/// Whether this can be the name of an environment variable.
pub(super) fn is_variable(name: &str) -> bool {
    name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
        && name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

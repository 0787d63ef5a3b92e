//! The project's own rules, as functions over text and `cargo metadata`, so that each can be tested against
//! a seeded violation. `tests/architecture.rs` runs them on the real tree, one test a rule.

pub mod features;
pub mod graph;
pub mod lexer;
pub mod links;
pub mod names;
pub mod source;

use std::fmt;

/// One place where a rule is broken, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offence {
    /// `file:line`, or the package, that breaks the rule.
    pub at: String,
    /// What is wrong there.
    pub what: String,
    /// What to do instead.
    pub fix: String,
}

impl Offence {
    /// An offence at `at`.
    pub fn new(at: impl Into<String>, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            at: at.into(),
            what: what.into(),
            fix: fix.into(),
        }
    }
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.at, self.what, self.fix)
    }
}

/// All of `offences`, one a line, under a heading that counts them. Empty when there are none.
#[must_use]
pub fn report(offences: &[Offence]) -> String {
    use fmt::Write as _;
    let mut text = String::new();
    if !offences.is_empty() {
        let _ = write!(text, "{} offence(s):", offences.len());
        for offence in offences {
            let _ = write!(text, "\n  {offence}");
        }
    }
    text
}

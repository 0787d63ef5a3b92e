//! A rule: one behaviour that every adapter must have, under a stable id, with the reason for it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use nephos_core::{BoxError, Error};

use crate::harness::Harness;

/// How a rule ends: `Ok`, or what did not hold.
pub type Verdict = Result<(), Violation>;

/// The future of a rule.
pub type RuleFuture = Pin<Box<dyn Future<Output = Verdict> + Send>>;

/// One behaviour.
#[derive(Clone, Copy)]
pub struct Rule {
    /// Its stable id (`queue.nack.redelivers`): group, then what, then how.
    pub id: &'static str,
    /// Why it matters, in a sentence.
    pub why: &'static str,
    /// Which peer or document the behaviour is taken from.
    pub source: &'static str,
    /// What it does. A rule whose capability the adapter does not declare checks there that the adapter refuses; it never returns early.
    pub check: fn(Arc<dyn Harness>) -> RuleFuture,
}

impl Rule {
    /// The group: the id's first part.
    #[must_use]
    pub fn group(&self) -> &'static str {
        self.id.split('.').next().unwrap_or(self.id)
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What did not hold: a sentence with the expected and the actual.
pub struct Violation {
    sentence: String,
    cause: Option<BoxError>,
}

impl Violation {
    /// A violation with its sentence.
    pub fn new(sentence: impl fmt::Display) -> Self {
        Self { sentence: sentence.to_string(), cause: None }
    }
}

impl fmt::Debug for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)?;
        match &self.cause {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

impl From<Error> for Violation {
    /// An operation that should have worked did not.
    fn from(error: Error) -> Self {
        Self { sentence: "an operation failed that must work".to_owned(), cause: Some(error.chain().into()) }
    }
}

/// Ends the rule with a [`Violation`] unless the condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::rule::Violation::new(format!($($message)+)));
        }
    };
}

/// Ends the rule with a [`Violation`] that shows both values unless they are equal.
#[macro_export]
macro_rules! ensure_eq {
    ($actual:expr, $expected:expr, $($message:tt)+) => {{
        let (actual, expected) = (&$actual, &$expected);
        if actual != expected {
            return Err($crate::rule::Violation::new(format!(
                "{}: expected {expected:?}, got {actual:?}", format!($($message)+)
            )));
        }
    }};
}

//! A rule: one behaviour that every adapter must have, under a stable id, with the reason for it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use nephos_core::{BoxError, Error, ErrorKind};

use crate::harness::{Capabilities, Harness};
use crate::mutants::Fault;

/// How a rule ends: `Ok`, or what did not hold.
pub type Verdict = Result<(), Violation>;

/// The future of a rule.
pub type RuleFuture = Pin<Box<dyn Future<Output = Verdict> + Send>>;

/// What a rule does.
pub type Check = fn(Arc<dyn Harness>) -> RuleFuture;

/// One behaviour.
#[derive(Clone, Copy)]
pub struct Rule {
    /// Its stable id (`queue.nack.redelivers`): group, then what, then how.
    pub id: &'static str,
    /// Why it matters, in a sentence.
    pub why: &'static str,
    /// Which peer or document the behaviour is taken from.
    pub source: &'static str,
    /// What must hold.
    pub check: Check,
    /// The capability that it needs; `None` for what every adapter must do.
    pub needs: Option<Need>,
    /// What is made wrong on purpose to see that the rule notices.
    pub mutant: Fault,
}

/// A capability, and what must hold where it is not declared.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    /// Whether it is declared.
    pub declared: fn(&Capabilities) -> bool,
    /// The negative: the adapter must refuse with [`ErrorKind::Unsupported`]; or, where the capability is of the provider's nature and
    /// nothing is there to refuse, behave as the rule's text says that it does without.
    pub refused: Check,
    /// What is made wrong to see that the negative notices.
    pub mutant: Fault,
}

impl Rule {
    /// The group: the id's first part.
    #[must_use]
    pub fn group(&self) -> &'static str {
        self.id.split('.').next().unwrap_or(self.id)
    }

    /// Whether it deploys functions, so that it needs the probe.
    #[must_use]
    pub fn deploys(&self) -> bool {
        const ALONE: [&str; 6] = ["events", "bucket", "queue", "stream", "table", "secret"];
        !ALONE.contains(&self.group())
    }

    /// Whether the adapter declares what the rule needs.
    #[must_use]
    pub fn is_declared(&self, capabilities: &Capabilities) -> bool {
        self.needs.is_none_or(|need| (need.declared)(capabilities))
    }

    /// What runs on an adapter with these capabilities: the rule, or its negative.
    #[must_use]
    pub fn check_for(&self, capabilities: &Capabilities) -> Check {
        match self.needs {
            Some(need) if !(need.declared)(capabilities) => need.refused,
            _ => self.check,
        }
    }

    /// What is made wrong on an adapter with these capabilities.
    #[must_use]
    pub fn fault_for(&self, capabilities: &Capabilities) -> Fault {
        match self.needs {
            Some(need) if !(need.declared)(capabilities) => need.mutant,
            _ => self.mutant,
        }
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule")
            .field("id", &self.id)
            .field("mutant", &self.mutant)
            .finish_non_exhaustive()
    }
}

/// How much of a violation's sentence is shown, in characters.
const LONGEST: usize = 1500;

/// What did not hold: a sentence with the expected and the actual.
pub struct Violation {
    sentence: String,
    cause: Option<BoxError>,
    kind: Option<ErrorKind>,
}

impl Violation {
    /// A violation with its sentence.
    pub fn new(sentence: impl fmt::Display) -> Self {
        Self {
            sentence: sentence.to_string(),
            cause: None,
            kind: None,
        }
    }

    /// The kind of the error that an operation ended with which must work.
    #[must_use]
    pub fn kind(&self) -> Option<ErrorKind> {
        self.kind
    }
}

impl fmt::Debug for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A sentence may quote an object of megabytes.
        match self.sentence.char_indices().nth(LONGEST) {
            Some((end, _)) => write!(
                f,
                "{} … ({} bytes in all)",
                &self.sentence[..end],
                self.sentence.len()
            )?,
            None => f.write_str(&self.sentence)?,
        }
        match &self.cause {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

impl From<Error> for Violation {
    /// An operation that should have worked did not.
    fn from(error: Error) -> Self {
        Self {
            sentence: "an operation failed that must work".to_owned(),
            kind: Some(error.kind()),
            cause: Some(error.chain().into()),
        }
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
    ($actual:expr, $expected:expr, $($message:tt)+) => {
        match (&$actual, &$expected) {
            (actual, expected) => {
                if actual != expected {
                    return Err($crate::rule::Violation::new(format!(
                        "{}: expected {expected:?}, got {actual:?}",
                        format!($($message)+)
                    )));
                }
            }
        }
    };
}

/// Ends the rule with a [`Violation`] unless the result is an error of this kind; is the error.
#[macro_export]
macro_rules! ensure_fails {
    ($result:expr, $kind:ident, $($message:tt)+) => {
        match $result {
            Err(error) if error.kind() == nephos_core::ErrorKind::$kind => error,
            Err(error) => {
                return Err($crate::rule::Violation::new(format!(
                    "{}: expected an error of kind {}, got {error:?}",
                    format!($($message)+),
                    nephos_core::ErrorKind::$kind
                )));
            }
            Ok(_) => {
                return Err($crate::rule::Violation::new(format!(
                    "{}: expected an error of kind {}, but it worked",
                    format!($($message)+),
                    nephos_core::ErrorKind::$kind
                )));
            }
        }
    };
}

/// A [`Rule`] from its id, why, source, what is made wrong, and what must hold; `needs` names a capability and its negative, `kills` what is made wrong for the negative, if
/// that is not [`Fault::PretendsCapability`].
macro_rules! rule {
    ($id:literal, $why:literal, $source:literal, $mutant:ident, $check:path $(, needs $declared:expr, $refused:path $(, kills $negative:ident)?)?) => {
        $crate::rule::Rule {
            id: $id,
            why: $why,
            source: $source,
            check: |harness| Box::pin($check(harness)),
            needs: $crate::rule::need!($($declared, $refused $(, $negative)?)?),
            mutant: $crate::mutants::Fault::$mutant,
        }
    };
}

/// The optional part of [`rule!`].
macro_rules! need {
    () => {
        None
    };
    ($declared:expr, $refused:path) => {
        $crate::rule::need!($declared, $refused, PretendsCapability)
    };
    ($declared:expr, $refused:path, $negative:ident) => {
        Some($crate::rule::Need {
            declared: $declared,
            refused: |harness| Box::pin($refused(harness)),
            mutant: $crate::mutants::Fault::$negative,
        })
    };
}

pub(crate) use {need, rule};

//! What a provider's code for an error means: one row of an adapter's table.

use super::{Error, ErrorKind};

/// What a code or a status means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// The kind.
    pub kind: ErrorKind,
    /// What failed, and what to do.
    pub message: &'static str,
    /// Whether it may be tried again, where that is not what the kind says.
    pub retryable: Option<bool>,
}

impl Meaning {
    /// One that may be tried again if its kind may.
    #[must_use]
    pub const fn new(kind: ErrorKind, message: &'static str) -> Self {
        Self {
            kind,
            message,
            retryable: None,
        }
    }

    /// The error of an operation that met it.
    #[must_use]
    pub fn error(self, operation: &'static str) -> Error {
        let error = Error::new(self.kind, operation, self.message);
        match self.retryable {
            Some(retryable) => error.retryable(retryable),
            None => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_tried_again_if_its_kind_is_or_if_it_says_so() {
        let busy = Meaning::new(ErrorKind::Unavailable, "busy");
        assert!(busy.error("queue.send").is_retryable());
        let moved = Meaning {
            retryable: Some(false),
            ..busy
        };
        let error = moved.error("queue.send");
        assert!(!error.is_retryable());
        assert_eq!((error.kind(), error.message()), (ErrorKind::Unavailable, "busy"));
    }
}

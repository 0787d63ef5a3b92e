//! The one error type: what kind, where, on what, what to do; and whether trying again can help.

mod meaning;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::meaning::Meaning;

/// Any error that a handler or a driver may bring along as its cause.
pub type BoxError = Box<dyn StdError + Send + Sync + 'static>;

/// `Result` with [`Error`] unless said otherwise.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in terms that mean the same on every target. The names follow gRPC's status codes where one fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bucket, object, queue, item … does not exist.
    NotFound,
    /// It exists already, and was to be created only if absent.
    AlreadyExists,
    /// A condition did not hold: the version or etag is another by now.
    Conflict,
    /// The caller passed something that can never work.
    InvalidArgument,
    /// Not allowed: the function's `uses` does not declare it, or the provider refused.
    PermissionDenied,
    /// No credentials, or none that the provider takes.
    Unauthenticated,
    /// A quota, a size limit or the disk is used up.
    ResourceExhausted,
    /// This target or driver cannot do it at all.
    Unsupported,
    /// The time allowed ran out.
    DeadlineExceeded,
    /// The other side did not answer, or answered that it is overloaded.
    Unavailable,
    /// Bytes that do not decode into what was expected.
    Decode,
    /// Stored data is damaged.
    DataLoss,
    /// The handler refused the event for good: dead-letter it at once.
    Rejected,
    /// The handler returned an error of its own.
    Handler,
    /// The handler panicked.
    Panicked,
    /// The function's process ended in the middle of an invocation.
    Crashed,
    /// The work was called off by its caller.
    Cancelled,
    /// A defect in an adapter or in Nephos.
    Internal,
}

impl ErrorKind {
    /// The kind's stable name, as in reports and on the wire (`not_found`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::Conflict => "conflict",
            Self::InvalidArgument => "invalid_argument",
            Self::PermissionDenied => "permission_denied",
            Self::Unauthenticated => "unauthenticated",
            Self::ResourceExhausted => "resource_exhausted",
            Self::Unsupported => "unsupported",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Unavailable => "unavailable",
            Self::Decode => "decode",
            Self::DataLoss => "data_loss",
            Self::Rejected => "rejected",
            Self::Handler => "handler",
            Self::Panicked => "panicked",
            Self::Crashed => "crashed",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What becomes of the event whose handling failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// Deliver it again, after the target's back-off.
    Retry,
    /// Send it to the dead-letter queue now; trying again cannot help.
    Reject,
}

/// An error with its kind, the operation that failed, the facts needed to act on it, and its cause.
///
/// `Display` is one line without the cause; `Debug` lists everything; the cause is reachable through
/// [`std::error::Error::source`]. Neither ever holds a secret or a payload.
///
/// ```
/// use nephos_core::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::NotFound, "queue.send", "no such queue; declare it in nephos.toml")
///     .with("queue", "orders");
/// assert_eq!(error.to_string(), "queue.send: no such queue; declare it in nephos.toml (queue=orders)");
/// assert!(!error.is_retryable());
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    operation: Cow<'static, str>,
    message: Cow<'static, str>,
    context: Vec<(Cow<'static, str>, String)>,
    retryable: Option<bool>,
    source: Option<BoxError>,
}

impl Error {
    /// A new error. `operation` is `resource.verb` (`queue.send`); `message` says what failed and what to do, in
    /// lower case and without a full stop.
    pub fn new(
        kind: ErrorKind,
        operation: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(Inner {
            kind,
            operation: operation.into(),
            message: message.into(),
            context: Vec::new(),
            retryable: None,
            source: None,
        }))
    }

    /// Refuses the event for good: it goes to the dead-letter queue at once, with `reason`.
    ///
    /// ```
    /// use nephos_core::{Disposition, Error};
    ///
    /// assert_eq!(Error::reject("not a picture").disposition(), Disposition::Reject);
    /// ```
    pub fn reject(reason: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Rejected, "handler", reason.to_string())
    }

    /// An error of the handler that should be tried again, from a plain sentence.
    pub fn retry(reason: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Handler, "handler", reason.to_string())
    }

    /// What a handler returned: an [`Error`] stays what it is, anything else becomes a retryable
    /// [`ErrorKind::Handler`] with the original as its cause.
    pub fn from_handler(error: impl Into<BoxError>) -> Self {
        match error.into().downcast::<Self>() {
            Ok(own) => *own,
            Err(other) => {
                let message = other.to_string();
                let mut error = Self::new(ErrorKind::Handler, "handler", message);
                error.0.source = Some(other);
                error
            }
        }
    }

    /// Adds one fact (`queue=orders`). Never a secret, never a payload.
    #[must_use]
    pub fn with(mut self, key: impl Into<Cow<'static, str>>, value: impl fmt::Display) -> Self {
        self.0.context.push((key.into(), value.to_string()));
        self
    }

    /// Sets the cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Overrides whether trying again can help; by default the kind tells.
    #[must_use]
    pub fn retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = Some(retryable);
        self
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operation that failed (`queue.send`).
    #[must_use]
    pub fn operation(&self) -> &str {
        &self.0.operation
    }

    /// The sentence alone, without operation and facts.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The facts, in the order in which they were added.
    pub fn context(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .context
            .iter()
            .map(|(key, value)| (key.as_ref(), value.as_str()))
    }

    /// Whether the same call may succeed when it is made again.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.retryable.unwrap_or(matches!(
            self.0.kind,
            ErrorKind::Unavailable | ErrorKind::DeadlineExceeded | ErrorKind::Crashed
        ))
    }

    /// What becomes of an event whose handler ended with this error: only a refusal, or bytes that never decode, are
    /// dead-lettered at once.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        match self.0.kind {
            ErrorKind::Rejected | ErrorKind::Decode => Disposition::Reject,
            _ => Disposition::Retry,
        }
    }

    /// The error and its causes on one line, outermost first. A cause that only repeats its parent is left out.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut line = self.to_string();
        let mut source = self.source();
        while let Some(error) = source {
            let text = error.to_string();
            if !line.contains(&text) {
                line.push_str(": ");
                line.push_str(&text);
            }
            source = error.source();
        }
        line
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A handler's own sentence needs no "handler:" before it.
        if self.0.operation != "handler" {
            write!(f, "{}: ", self.0.operation)?;
        }
        f.write_str(&self.0.message)?;
        for (index, (key, value)) in self.0.context.iter().enumerate() {
            f.write_str(if index == 0 { " (" } else { ", " })?;
            write!(f, "{key}={value}")?;
        }
        if !self.0.context.is_empty() {
            f.write_str(")")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}", self, self.0.kind)?;
        if self.is_retryable() {
            f.write_str(", retryable")?;
        }
        f.write_str("]")?;
        let mut source = self.source();
        while let Some(error) = source {
            write!(f, "\n  caused by: {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

/// Says what an error means for the event: try again later, or never.
///
/// ```
/// use nephos_core::{Disposition, ErrorContext as _};
///
/// let error = "twelve".parse::<u32>().or_reject("the quantity is not a number").unwrap_err();
/// assert_eq!(error.disposition(), Disposition::Reject);
/// assert_eq!(error.chain(), "the quantity is not a number: invalid digit found in string");
/// ```
pub trait ErrorContext<T> {
    /// Dead-letter the event at once, with this reason.
    ///
    /// # Errors
    /// The value's own error, wrapped.
    fn or_reject(self, reason: impl fmt::Display) -> Result<T>;

    /// Deliver the event again, with this reason.
    ///
    /// # Errors
    /// The value's own error, wrapped.
    fn or_retry(self, reason: impl fmt::Display) -> Result<T>;
}

impl<T, E: Into<BoxError>> ErrorContext<T> for std::result::Result<T, E> {
    fn or_reject(self, reason: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Error::reject(reason).caused_by(error))
    }

    fn or_retry(self, reason: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Error::retry(reason).caused_by(error))
    }
}

impl From<object_store::Error> for Error {
    /// An error that a store of ours wraps comes out as it was.
    fn from(error: object_store::Error) -> Self {
        use object_store::Error as Store;
        let error = match unwrap_own(error) {
            Ok(own) => return own,
            Err(error) => error,
        };
        let (kind, message) = match &error {
            Store::NotFound { .. } => (ErrorKind::NotFound, "no such object"),
            Store::AlreadyExists { .. } => (ErrorKind::AlreadyExists, "the object exists already"),
            Store::Precondition { .. } => (ErrorKind::Conflict, "the object is another version by now"),
            Store::NotModified { .. } => (ErrorKind::Conflict, "the object was not modified"),
            Store::InvalidPath { .. } => (
                ErrorKind::InvalidArgument,
                "the key is not one that a bucket can hold",
            ),
            Store::PermissionDenied { .. } => (
                ErrorKind::PermissionDenied,
                "the bucket refused; check the credentials' permissions",
            ),
            Store::Unauthenticated { .. } => {
                (ErrorKind::Unauthenticated, "the bucket takes no such credentials")
            }
            Store::NotImplemented { .. } | Store::NotSupported { .. } => {
                (ErrorKind::Unsupported, "this bucket's store cannot do that")
            }
            _ => (ErrorKind::Unavailable, "the bucket's store failed"),
        };
        Self::new(kind, "bucket", message).caused_by(error)
    }
}

/// The error of ours that a store's error has as its source, or the store's error unchanged.
fn unwrap_own(error: object_store::Error) -> Result<Error, object_store::Error> {
    use object_store::Error as Store;
    macro_rules! unwrap {
        ($($variant:ident { $($field:ident),* };)*) => {
            match error {
                $(Store::$variant { $($field,)* source } => match source.downcast::<Error>() {
                    Ok(own) => Ok(*own),
                    Err(source) => Err(Store::$variant { $($field,)* source }),
                },)*
                other => Err(other),
            }
        };
    }
    unwrap! {
        Generic { store };
        NotFound { path };
        NotSupported {};
        AlreadyExists { path };
        Precondition { path };
        PermissionDenied { path };
        Unauthenticated { path };
    }
}

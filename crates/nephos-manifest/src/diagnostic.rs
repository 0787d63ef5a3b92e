//! Diagnostics: one [`Problem`] for each mistake, and a [`Report`] of all of them, which `miette` renders with the lines of the manifest.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, Severity, SourceCode};
use serde::Serialize;

/// What is wrong, as a closed set: the last part of a diagnostic's code (`nephos::manifest::unknown_key`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProblemKind {
    /// There is no manifest, or it cannot be read.
    Unreadable,
    /// It is not TOML.
    Syntax,
    /// A key that nothing reads.
    UnknownKey,
    /// A key that must be there is not.
    MissingKey,
    /// A value of another type.
    WrongType,
    /// A size or duration that is none.
    WrongUnit,
    /// A value outside its range, or not one of those possible.
    InvalidValue,
    /// A name that is no name.
    InvalidName,
    /// A name that is used twice.
    DuplicateName,
    /// A resource that is not declared.
    UnknownResource,
    /// A resource of another kind than is needed there.
    WrongKind,
    /// An access that the kind of resource does not have.
    UnknownAccess,
    /// A trigger of no kind, or of two.
    AmbiguousTrigger,
    /// A path that is no path.
    InvalidPath,
    /// Two functions on one route.
    RouteClash,
    /// Two functions on one step of sign-in, or on one voice skill.
    TriggerClash,
    /// A schedule or time zone that is none.
    InvalidSchedule,
    /// A target that there is not.
    UnknownTarget,
    /// A function that is not declared.
    UnknownFunction,
    /// A declared function that the binary does not have.
    MissingHandler,
    /// A handler that does not fit its trigger.
    HandlerMismatch,
    /// Something that is declared and not used, or has no effect.
    NoEffect,
    /// A secret that is used and not declared.
    ImpliedSecret,
    /// Functions that take each other's messages.
    SharedQueue,
}

impl ProblemKind {
    /// The name (`unknown_key`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Syntax => "syntax",
            Self::UnknownKey => "unknown_key",
            Self::MissingKey => "missing_key",
            Self::WrongType => "wrong_type",
            Self::WrongUnit => "wrong_unit",
            Self::InvalidValue => "invalid_value",
            Self::InvalidName => "invalid_name",
            Self::DuplicateName => "duplicate_name",
            Self::UnknownResource => "unknown_resource",
            Self::WrongKind => "wrong_kind",
            Self::UnknownAccess => "unknown_access",
            Self::AmbiguousTrigger => "ambiguous_trigger",
            Self::InvalidPath => "invalid_path",
            Self::RouteClash => "route_clash",
            Self::TriggerClash => "trigger_clash",
            Self::InvalidSchedule => "invalid_schedule",
            Self::UnknownTarget => "unknown_target",
            Self::UnknownFunction => "unknown_function",
            Self::MissingHandler => "missing_handler",
            Self::HandlerMismatch => "handler_mismatch",
            Self::NoEffect => "no_effect",
            Self::ImpliedSecret => "implied_secret",
            Self::SharedQueue => "shared_queue",
        }
    }
}

/// A place in the manifest's text, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// Where a problem's cause was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Bytes of the manifest.
    Span(Range<usize>),
    /// An environment variable.
    Variable(String),
    /// Nowhere in particular: the manifest as a whole.
    Manifest,
}

/// One mistake, or one thing worth a look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    kind: ProblemKind,
    warning: bool,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variable: Option<String>,
    #[serde(flatten)]
    position: Option<Position>,
    #[serde(skip)]
    labels: Vec<(Range<usize>, String)>,
}

impl Problem {
    pub(crate) fn new(kind: ProblemKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            warning: false,
            message: message.into(),
            help: None,
            variable: None,
            position: None,
            labels: Vec::new(),
        }
    }

    pub(crate) fn warning(mut self) -> Self {
        self.warning = true;
        self
    }

    pub(crate) fn help(mut self, help: impl Into<Option<String>>) -> Self {
        self.help = help.into();
        self
    }

    /// Points at where it is; the first place is the one whose line and column are told.
    pub(crate) fn at(mut self, origin: Origin, label: impl Into<String>) -> Self {
        match origin {
            Origin::Span(span) => self.labels.push((span, label.into())),
            Origin::Variable(name) if self.variable.is_none() => self.variable = Some(name),
            Origin::Variable(_) | Origin::Manifest => {}
        }
        self
    }

    /// What is wrong.
    #[must_use]
    pub const fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// Whether the app works all the same.
    #[must_use]
    pub const fn is_warning(&self) -> bool {
        self.warning
    }

    /// What is wrong, in words, without place and help.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do.
    #[must_use]
    pub fn advice(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The environment variable that the wrong value comes from, if it does not come from the file.
    #[must_use]
    pub fn variable(&self) -> Option<&str> {
        self.variable.as_deref()
    }

    /// Line and column in the manifest.
    #[must_use]
    pub const fn position(&self) -> Option<Position> {
        self.position
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.variable {
            Some(variable) => write!(f, " (from the environment variable {variable})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(format!("nephos::manifest::{}", self.kind.name())))
    }

    fn severity(&self) -> Option<Severity> {
        Some(if self.warning {
            Severity::Warning
        } else {
            Severity::Error
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help
            .as_ref()
            .map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        if self.labels.is_empty() {
            return None;
        }
        Some(Box::new(self.labels.iter().enumerate().map(
            |(index, (span, text))| {
                let text = (!text.is_empty()).then(|| text.clone());
                if index == 0 {
                    LabeledSpan::new_primary_with_span(text, span.clone())
                } else {
                    LabeledSpan::new_with_span(text, span.clone())
                }
            },
        )))
    }
}

/// All that was found in one manifest, in the order of its lines.
#[derive(Debug, Clone)]
pub struct Report {
    path: PathBuf,
    source: Arc<NamedSource<Arc<str>>>,
    problems: Vec<Problem>,
}

impl Report {
    pub(crate) fn new(path: &Path, text: &Arc<str>, mut problems: Vec<Problem>) -> Self {
        let lines = Lines::of(text);
        for problem in &mut problems {
            problem.position = problem
                .labels
                .first()
                .map(|(span, _)| lines.position(text, span.start));
        }
        problems.sort_by(|one, other| {
            let key = |problem: &Problem| problem.labels.first().map(|(span, _)| (span.start, span.end));
            (key(one), &one.variable, one.kind, &one.message).cmp(&(
                key(other),
                &other.variable,
                other.kind,
                &other.message,
            ))
        });
        // The same mistake can be met again where a target's overlay is laid over it.
        problems.dedup_by(|one, other| {
            (one.kind, &one.message, &one.labels, &one.variable)
                == (other.kind, &other.message, &other.labels, &other.variable)
        });
        Self {
            path: path.to_owned(),
            source: Arc::new(NamedSource::new(path.display().to_string(), Arc::clone(text))),
            problems,
        }
    }

    /// The manifest.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was found.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// Splits into errors and warnings.
    pub(crate) fn split(self) -> (Self, Self) {
        let (warnings, errors) = self.problems.into_iter().partition(Problem::is_warning);
        let with = |problems| Self {
            path: self.path.clone(),
            source: Arc::clone(&self.source),
            problems,
        };
        (with(errors), with(warnings))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        let noun = match (self.problems.iter().all(Problem::is_warning), count) {
            (true, 1) => "warning",
            (true, _) => "warnings",
            (false, 1) => "error",
            (false, _) => "errors",
        };
        write!(f, "{}: {count} {noun}", self.path.display())
    }
}

impl std::error::Error for Report {}

impl Diagnostic for Report {
    fn severity(&self) -> Option<Severity> {
        let warning = self.problems.iter().all(Problem::is_warning);
        Some(if warning {
            Severity::Warning
        } else {
            Severity::Error
        })
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&*self.source)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(
            self.problems.iter().map(|problem| problem as &dyn Diagnostic),
        ))
    }
}

/// Where each line begins: found once for a report, so that many problems in a long file stay quick.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        let after = text.match_indices('\n').map(|(index, _)| index + 1);
        Self(std::iter::once(0).chain(after).collect())
    }

    fn position(&self, text: &str, offset: usize) -> Position {
        let line = self.0.partition_point(|start| *start <= offset);
        let start = line
            .checked_sub(1)
            .and_then(|index| self.0.get(index))
            .copied()
            .unwrap_or(0);
        let column = text
            .get(start..offset)
            .map_or(1, |before| before.chars().count() + 1);
        Position { line, column }
    }
}

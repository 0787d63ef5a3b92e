//! From a key's path to where it is written: the environment, the target's overlay, or the file. Walked only once there is an error.

use std::fmt;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::diagnostic::Origin;
use crate::environment::Variables;

/// The way to a value: a list that lives on the stack, since most are never asked where they are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Path<'a> {
    /// The manifest.
    Root,
    /// The value of a key in a table.
    Key(&'a Self, &'a str),
    /// An item of an array, from 0.
    Index(&'a Self, usize),
}

impl<'a> Path<'a> {
    fn parent(&self) -> Option<&'a Self> {
        match self {
            Self::Root => None,
            Self::Key(parent, _) | Self::Index(parent, _) => Some(parent),
        }
    }

    fn segments(&self) -> Vec<Segment<'a>> {
        let mut segments = Vec::new();
        let mut path = *self;
        loop {
            segments.push(match path {
                Self::Root => break,
                Self::Key(_, key) => Segment::Key(key),
                Self::Index(_, index) => Segment::Index(index),
            });
            match path.parent() {
                Some(parent) => path = *parent,
                None => break,
            }
        }
        segments.reverse();
        segments
    }
}

/// In words: `` `timeout` of function `recognise` ``.
impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("the manifest"),
            Self::Key(Path::Root, key) => write!(f, "`{key}`"),
            Self::Key(Path::Key(Path::Root, kind), name) => write!(f, "{kind} `{name}`"),
            Self::Key(parent, key) => write!(f, "`{key}` of {parent}"),
            Self::Index(Path::Key(parent, "on"), index) => write!(f, "trigger {} of {parent}", index + 1),
            Self::Index(parent, index) => write!(f, "item {} of {parent}", index + 1),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segment<'a> {
    Key(&'a str),
    Index(usize),
}

/// Which part of an entry a problem points at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The key.
    Key,
    /// The value; for a table that is not in braces, its name.
    Value,
}

/// The layers of which the values were made, the strongest first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layers<'a> {
    /// The text.
    pub(crate) text: &'a str,
    /// The text, parsed.
    pub(crate) document: &'a DeTable<'a>,
    /// The target whose overlay applies.
    pub(crate) target: Option<&'a str>,
    /// What the environment sets.
    pub(crate) variables: &'a Variables,
}

impl Layers<'_> {
    /// Where the entry is written, or the nearest thing around it.
    pub(crate) fn locate(&self, path: &Path<'_>, part: Part) -> Origin {
        crate::work::step(1);
        let segments = path.segments();
        if let Some(variable) = self.variable(&segments) {
            return Origin::Variable(variable.to_owned());
        }
        let overlaid: Option<Vec<Segment<'_>>> = self.target.map(|target| {
            [Segment::Key("target"), Segment::Key(target)]
                .into_iter()
                .chain(segments.iter().copied())
                .collect()
        });
        for length in (1..=segments.len()).rev() {
            // An inexact place is a table or array around it: its name says more than its content.
            let part = if length == segments.len() { part } else { Part::Key };
            let overlay = overlaid
                .as_deref()
                .and_then(|segments| segments.get(..length + 2));
            let span = overlay
                .and_then(|segments| self.walk(segments, part))
                .or_else(|| self.walk(segments.get(..length)?, part));
            if let Some(span) = span {
                return Origin::Span(span);
            }
        }
        Origin::Manifest
    }

    /// The variable that set this value, or a table or array with it.
    fn variable(&self, segments: &[Segment<'_>]) -> Option<&str> {
        if self.variables.names.is_empty() {
            return None;
        }
        let keys: Vec<String> = segments
            .iter()
            .map_while(|segment| match segment {
                Segment::Key(key) => Some((*key).to_owned()),
                Segment::Index(_) => None,
            })
            .collect();
        if !self.variables.sets(&keys) {
            return None;
        }
        (1..=keys.len()).rev().find_map(|length| {
            let name = self.variables.names.get(keys.get(..length)?)?;
            Some(name.as_str())
        })
    }

    fn walk(&self, segments: &[Segment<'_>], part: Part) -> Option<Range<usize>> {
        let (first, rest) = segments.split_first()?;
        let Segment::Key(first) = first else { return None };
        let (key, value) = self.document.get_key_value(*first)?;
        let (mut key, mut value) = (Some(key.span()), value);
        for segment in rest {
            match (segment, value.get_ref()) {
                (Segment::Key(name), DeValue::Table(table)) => {
                    let (name, inner) = table.get_key_value(*name)?;
                    (key, value) = (Some(name.span()), inner);
                }
                (Segment::Index(index), DeValue::Array(array)) => {
                    (key, value) = (None, array.get(*index)?);
                }
                _ => return None,
            }
        }
        let span = value.span();
        Some(match (key, part) {
            (Some(key), Part::Key) => key,
            // The span of `[function.recognise]` is its header, and that of a table between is nothing at all.
            (Some(key), Part::Value) if value.get_ref().is_table() && !self.is_inline(&span) => key,
            _ => span,
        })
    }

    fn is_inline(&self, span: &Range<usize>) -> bool {
        self.text
            .get(span.clone())
            .is_some_and(|text| text.starts_with('{'))
    }
}

//! Preconditions: <https://cloud.google.com/storage/docs/request-preconditions>.

use chrono::{DateTime, Timelike as _, Utc};

use super::error::{Outcome, Refusal};
use super::request::{Asked, Query};

/// The names of the JSON API's; sources of copies have others.
pub(super) const TARGET: [&str; 4] = [
    "ifGenerationMatch",
    "ifGenerationNotMatch",
    "ifMetagenerationMatch",
    "ifMetagenerationNotMatch",
];
pub(super) const SOURCE: [&str; 4] = [
    "ifSourceGenerationMatch",
    "ifSourceGenerationNotMatch",
    "ifSourceMetagenerationMatch",
    "ifSourceMetagenerationNotMatch",
];

/// What a precondition is held against.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) generation: u64,
    pub(super) metageneration: u64,
    /// As the interface that was asked shows it.
    pub(super) etag: String,
    pub(super) updated: DateTime<Utc>,
}

/// The conditions of one request on one resource.
#[derive(Debug, Clone, Default)]
pub(super) struct Preconditions {
    generation: Option<u64>,
    not_generation: Option<u64>,
    metageneration: Option<u64>,
    not_metageneration: Option<u64>,
    etag: Option<Vec<String>>,
    not_etag: Option<Vec<String>>,
    modified_since: Option<DateTime<Utc>>,
    unmodified_since: Option<DateTime<Utc>>,
}

impl Preconditions {
    /// Of a query, by names that belong together.
    pub(super) fn query(query: &Query, names: [&str; 4]) -> Outcome<Self> {
        let [generation, not_generation, metageneration, not_metageneration] = names;
        Ok(Self {
            generation: query.number(generation)?,
            not_generation: query.number(not_generation)?,
            metageneration: query.number(metageneration)?,
            not_metageneration: query.number(not_metageneration)?,
            ..Self::default()
        })
    }

    /// Of the XML API's headers: it has no conditions on what is not to match.
    pub(super) fn headers(asked: &Asked, prefix: &str) -> Outcome<Self> {
        let number = |name: &str| {
            let name = format!("{prefix}{name}");
            asked
                .header(&name)?
                .map(|value| {
                    value.parse().map_err(|_| {
                        Refusal::invalid(format!("The header '{name}' is a number, not '{value}'."))
                    })
                })
                .transpose()
        };
        Ok(Self {
            generation: number("if-generation-match")?,
            metageneration: number("if-metageneration-match")?,
            ..Self::default()
        })
    }

    /// One on a source that a body names.
    pub(super) fn on_generation(generation: Option<u64>) -> Self {
        Self {
            generation,
            ..Self::default()
        }
    }

    /// `If-Match` and `If-None-Match`, which are documented for reading; the headers may have another beginning.
    pub(super) fn with_etags(mut self, asked: &Asked, prefix: &str) -> Outcome<Self> {
        let list = |name: &str| {
            Outcome::Ok(asked.header(&format!("{prefix}{name}"))?.map(|value| {
                value
                    .split(',')
                    .map(|one| one.trim().trim_start_matches("W/").trim_matches('"').to_owned())
                    .collect::<Vec<_>>()
            }))
        };
        self.etag = list("if-match")?;
        self.not_etag = list("if-none-match")?;
        Ok(self)
    }

    /// `If-Modified-Since` and `If-Unmodified-Since`, which only the XML API has.
    pub(super) fn with_dates(mut self, asked: &Asked) -> Outcome<Self> {
        let date = |name: &str| {
            asked
                .header(name)?
                .map(|value| {
                    DateTime::parse_from_rfc2822(value)
                        .map(|date| date.with_timezone(&Utc))
                        .map_err(|_| Refusal::invalid(format!("The header '{name}' is no date: '{value}'.")))
                })
                .transpose()
        };
        self.modified_since = date("if-modified-since")?;
        self.unmodified_since = date("if-unmodified-since")?;
        Ok(self)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.generation.is_none()
            && self.not_generation.is_none()
            && self.metageneration.is_none()
            && self.not_metageneration.is_none()
            && self.etag.is_none()
            && self.not_etag.is_none()
            && self.modified_since.is_none()
            && self.unmodified_since.is_none()
    }

    /// Whether a resource that may not be there is as the request wants it.
    pub(super) fn check(&self, found: Option<&Found>) -> Outcome<()> {
        if self.is_empty() {
            return Ok(());
        }
        let Some(found) = found else {
            // Nothing there: only `0` holds. What is not there matches no other condition either.
            return if self.generation == Some(0)
                && self.not_generation.is_none()
                && self.metageneration.is_none_or(|one| one == 0)
                && self.not_metageneration.is_none()
            {
                Ok(())
            } else {
                Err(Refusal::precondition("ifGenerationMatch"))
            };
        };
        let tag = |tags: &Vec<String>| {
            tags.iter()
                .any(|one| one == "*" || one == found.etag.trim_matches('"'))
        };
        let second = found.updated.with_nanosecond(0).unwrap_or(found.updated);
        if self.generation.is_some_and(|one| one != found.generation)
            || self.metageneration.is_some_and(|one| one != found.metageneration)
            || self.etag.as_ref().is_some_and(|tags| !tag(tags))
            || (self.etag.is_none() && self.unmodified_since.is_some_and(|date| second > date))
        {
            return Err(Refusal::precondition("ifGenerationMatch"));
        }
        if self.not_generation.is_some_and(|one| one == found.generation)
            || self
                .not_metageneration
                .is_some_and(|one| one == found.metageneration)
            || self.not_etag.as_ref().is_some_and(tag)
            || (self.not_etag.is_none() && self.modified_since.is_some_and(|date| second <= date))
        {
            return Err(Refusal::not_modified());
        }
        Ok(())
    }
}

//! The records of an event: those of a queue, a stream and a table come several at once.

use super::{Data, Event};

impl Event {
    /// The ids of the records that it carries, in order; empty for kinds without records.
    #[must_use]
    pub fn record_ids(&self) -> Vec<&str> {
        match &self.data {
            Data::Queue(records) => records.iter().map(|record| record.id.as_str()).collect(),
            Data::Stream(records) => records.iter().map(|record| record.sequence.as_str()).collect(),
            Data::Table(records) => records.iter().map(|record| record.sequence.as_str()).collect(),
            _ => Vec::new(),
        }
    }

    /// An event for each of its records, in order; itself, if it has none. What could not be decoded is left out.
    #[must_use]
    pub fn into_records(self) -> Vec<Self> {
        let Self {
            attributes,
            data,
            undecodable: _,
            raw,
        } = self;
        let one = |data| Self {
            attributes: attributes.clone(),
            data,
            undecodable: Vec::new(),
            raw: raw.clone(),
        };
        match data {
            Data::Queue(records) => (records.into_iter())
                .map(|record| one(Data::Queue(vec![record])))
                .collect(),
            Data::Stream(records) => (records.into_iter())
                .map(|record| one(Data::Stream(vec![record])))
                .collect(),
            Data::Table(records) => (records.into_iter())
                .map(|record| one(Data::Table(vec![record])))
                .collect(),
            other => vec![one(other)],
        }
    }
}

//! Lists of records, in which one that cannot be read does not take the others along.

use nephos_core::event::{Attributes, Data, RecordFailure};
use nephos_core::{Error, ErrorKind, Event, Result};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct List<T> {
    #[serde(rename = "Records")]
    records: Vec<T>,
}

/// The records of `document`, each as `read` makes it, and those that it cannot make.
///
/// A record that is not even of the form `T` fails under the id that `id` finds in it.
///
/// # Errors
/// [`ErrorKind::Decode`] if it is no list of records, or one that cannot be read has no id under which it could fail alone.
pub(super) fn read<'a, T, R>(
    document: &'a str,
    id: impl Fn(&serde_json::Value) -> Option<&str>,
    mut make: impl FnMut(T) -> std::result::Result<R, RecordFailure>,
) -> Result<(Vec<R>, Vec<RecordFailure>)>
where
    T: Deserialize<'a>,
{
    let mut failures = Vec::new();
    let mut made = Vec::new();
    let mut add = |made: &mut Vec<R>, read: T| match make(read) {
        Ok(record) => made.push(record),
        Err(failure) => failures.push(failure),
    };
    if let Ok(list) = serde_json::from_str::<List<T>>(document) {
        made.reserve(list.records.len());
        for record in list.records {
            add(&mut made, record);
        }
        return Ok((made, failures));
    }
    let list: List<&'a RawValue> = serde_json::from_str(document)
        .map_err(|error| super::malformed("the document is no list of records", error))?;
    let mut unreadable = Vec::new();
    for text in list.records {
        match serde_json::from_str::<T>(text.get()) {
            Ok(record) => add(&mut made, record),
            Err(error) => {
                let error = super::malformed("the record is not as its service documents it", error);
                let value: serde_json::Value = serde_json::from_str(text.get())
                    .map_err(|error| super::malformed("the record is not JSON", error))?;
                let Some(id) = id(&value).filter(|id| !id.is_empty()) else {
                    return Err(error);
                };
                unreadable.push(RecordFailure {
                    id: id.to_owned(),
                    error,
                });
            }
        }
    }
    failures.extend(unreadable);
    Ok((made, failures))
}

/// The event of a list of records, with what the first of them tells of them all.
pub(super) fn event<const N: usize>(
    data: Data,
    facts: Option<[(&str, Option<String>); N]>,
    undecodable: Vec<RecordFailure>,
) -> Event {
    let mut event = Event::new(Attributes::of(&data), data);
    for (name, value) in facts.into_iter().flatten() {
        if let Some(value) = value {
            event.attributes.extensions.insert(name.to_owned(), value);
        }
    }
    event.undecodable = undecodable;
    event
}

/// One record cannot be read.
pub(super) fn failure(id: &str, error: Error) -> RecordFailure {
    RecordFailure {
        id: id.to_owned(),
        error,
    }
}

/// A record lacks its id, by which alone it could fail.
pub(super) fn without_id() -> Error {
    Error::new(
        ErrorKind::Decode,
        super::DECODE,
        "a record has no id under which it could fail alone",
    )
}

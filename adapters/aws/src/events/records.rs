//! Lists of records, in which one that cannot be read does not take the others along.

use std::fmt;
use std::marker::PhantomData;

use nephos_core::event::{Attributes, Data, RecordFailure};
use nephos_core::{Error, ErrorKind, Event, Result};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::text::Str;

/// A list of records, each handed on as soon as it is read: many records, or large ones, are not held in two forms.
struct Records<F, T>(F, PhantomData<T>);

impl<F, T> Records<F, T> {
    fn to(add: F) -> Self {
        Self(add, PhantomData)
    }
}

impl<'de, F: FnMut(T), T: Deserialize<'de>> Records<F, T> {
    fn read(self, document: &'de str) -> serde_json::Result<()> {
        let mut json = serde_json::Deserializer::from_str(document);
        json.deserialize_map(self)?;
        json.end()
    }
}

impl<'de, F: FnMut(T), T: Deserialize<'de>> Visitor<'de> for Records<F, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a list of records")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> std::result::Result<(), A::Error> {
        let mut is_found = false;
        while let Some(Str(name)) = fields.next_key()? {
            if name == "Records" {
                fields.next_value_seed(Each(&mut self.0, PhantomData))?;
                is_found = true;
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        if is_found {
            Ok(())
        } else {
            Err(A::Error::missing_field("Records"))
        }
    }
}

struct Each<'f, F, T>(&'f mut F, PhantomData<T>);

impl<'de, F: FnMut(T), T: Deserialize<'de>> DeserializeSeed<'de> for Each<'_, F, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(T), T: Deserialize<'de>> Visitor<'de> for Each<'_, F, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut records: A) -> std::result::Result<(), A::Error> {
        while let Some(record) = records.next_element()? {
            (self.0)(record);
        }
        Ok(())
    }
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
    let mut add = |made: &mut Vec<R>, failures: &mut Vec<RecordFailure>, read: T| match make(read) {
        Ok(record) => made.push(record),
        Err(failure) => failures.push(failure),
    };
    if Records::to(|record| add(&mut made, &mut failures, record))
        .read(document)
        .is_ok()
    {
        return Ok((made, failures));
    }
    // One of them is not of the form `T`: again, each by itself.
    made.clear();
    failures.clear();
    let mut texts: Vec<&'a RawValue> = Vec::new();
    Records::to(|text| texts.push(text))
        .read(document)
        .map_err(|error| super::malformed("the document is no list of records", error))?;
    let mut unreadable = Vec::new();
    for text in texts {
        match serde_json::from_str::<T>(text.get()) {
            Ok(record) => add(&mut made, &mut failures, record),
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
    facts: Option<[(&'static str, Option<String>); N]>,
    undecodable: Vec<RecordFailure>,
) -> Event {
    let mut event = Event::new(Attributes::of(&data), data);
    for (name, value) in facts.into_iter().flatten() {
        if let Some(value) = value {
            event.attributes.extensions.insert(name.into(), value);
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

/// The records are not from the service that one of their fields let expect.
pub(super) fn of_another_source() -> Error {
    Error::new(
        ErrorKind::Decode,
        super::DECODE,
        "the record says that it is from another service",
    )
}

/// A record lacks its id, by which alone it could fail.
pub(super) fn without_id() -> Error {
    Error::new(
        ErrorKind::Decode,
        super::DECODE,
        "a record has no id under which it could fail alone",
    )
}

//! A folder of an adapter's payloads: each document with its source, and the neutral event that it becomes beside it (`x.json`, `x.neutral.json`).
//!
//! An adapter tells how it decodes ([`Codec`]), and calls each of the checks in a test of its own. A check returns what it found to be wrong.

mod leaves;
mod neutral;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use bytes::Bytes;
use nephos_core::Event;
use nephos_core::event::cloudevents::{from_cloudevents, to_cloudevents};
use serde::Deserialize;
use serde_json::{Value, json};

pub use self::leaves::{every_leaf_is_mapped, nodes};

/// What a folder's `index.toml` says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// The payloads.
    pub payload: Vec<Entry>,
    /// Leaves that no neutral field holds, by their path (`Records[].receiptHandle`, or `a.*` for all below), each with its reason.
    #[serde(default)]
    pub ignored: BTreeMap<String, String>,
}

/// One payload.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its file.
    pub file: String,
    /// Where it is from.
    pub source: String,
    /// When it was taken from there.
    pub date: String,
    /// Why it is raw, if it is.
    pub reason: Option<String>,
    /// The trigger that it came by, where the document does not tell.
    pub trigger: Option<Value>,
}

/// What a document holds.
#[derive(Debug)]
pub struct Decoded {
    /// What it is, in the adapter's words.
    pub kind: String,
    /// The status of the answer to a request that does not reach the handler.
    pub refused: Option<u16>,
    /// The events.
    pub events: Vec<Event>,
}

impl Decoded {
    /// The events as JSON, as an expectation has them.
    ///
    /// # Errors
    /// A sentence about an event that has no such form.
    pub fn neutral(self) -> Result<Value, String> {
        let events: Vec<Value> = self
            .events
            .into_iter()
            .map(neutral::event)
            .collect::<Result<_, _>>()?;
        Ok(json!({"kind": self.kind, "refused": self.refused, "events": events}))
    }
}

/// How an adapter decodes, and where its payloads are.
pub trait Codec {
    /// Where the folders are.
    fn root(&self) -> PathBuf;

    /// The folders, one a trigger; payloads in `raw` have no neutral form.
    fn folders(&self) -> &[&'static str];

    /// Whether strings of a document hold JSON, whose leaves count as the document's.
    fn is_nested(&self) -> bool;

    /// Reads a document of this folder, or says why it cannot.
    ///
    /// # Errors
    /// The adapter's own.
    fn decode(&self, folder: &str, entry: &Entry, document: &Bytes) -> nephos_core::Result<Decoded>;
}

/// What a folder's index says.
///
/// # Errors
/// If it cannot be read.
pub fn index(codec: &dyn Codec, folder: &str) -> Result<Index, String> {
    let path = codec.root().join(folder).join("index.toml");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// A file of a folder.
///
/// # Errors
/// If it cannot be read.
pub fn read(codec: &dyn Codec, folder: &str, file: &str) -> Result<Bytes, String> {
    let path = codec.root().join(folder).join(file);
    std::fs::read(&path)
        .map(Bytes::from)
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// Calls `each` with every payload.
fn each(
    codec: &dyn Codec,
    mut each: impl FnMut(&str, &Entry, &Bytes) -> Result<(), String>,
) -> Result<(), String> {
    for folder in codec.folders() {
        for entry in index(codec, folder)?.payload {
            let document = read(codec, folder, &entry.file)?;
            each(folder, &entry, &document).map_err(|error| format!("{folder}/{}: {error}", entry.file))?;
        }
    }
    Ok(())
}

fn events(codec: &dyn Codec, folder: &str, entry: &Entry, document: &Bytes) -> Result<Decoded, String> {
    codec
        .decode(folder, entry, document)
        .map_err(|error| error.chain())
}

/// Every payload becomes the neutral event beside it.
///
/// # Errors
/// All that do not, with what they become.
pub fn every_payload_becomes_the_event_beside_it(codec: &dyn Codec) -> Result<(), String> {
    let mut differ = Vec::new();
    each(codec, |folder, entry, document| {
        if folder == "raw" {
            return Ok(());
        }
        let actual = events(codec, folder, entry, document)?.neutral()?;
        let beside = format!("{}.neutral.json", stem(&entry.file));
        let expected: Option<Value> = read(codec, folder, &beside)
            .ok()
            .and_then(|expected| serde_json::from_slice(&expected).ok());
        if expected.as_ref() != Some(&actual) {
            differ.push(format!("{folder}/{beside} is not:\n{actual:#}"));
        }
        Ok(())
    })?;
    none(&differ, "\n\n")
}

fn stem(file: &str) -> &str {
    file.rsplit_once('.').map_or(file, |(stem, _)| stem)
}

fn none(found: &[String], between: &str) -> Result<(), String> {
    if found.is_empty() {
        Ok(())
    } else {
        Err(found.join(between))
    }
}

/// Every file is in its index, which says where it is from.
///
/// # Errors
/// The first that is not.
pub fn every_file_is_listed(codec: &dyn Codec) -> Result<(), String> {
    for folder in codec.folders() {
        let index = index(codec, folder)?;
        let listed: BTreeSet<String> = index.payload.iter().map(|entry| entry.file.clone()).collect();
        if listed.len() != index.payload.len() {
            return Err(format!("{folder}: a file is listed twice"));
        }
        let files =
            std::fs::read_dir(codec.root().join(folder)).map_err(|error| format!("{folder}: {error}"))?;
        let found: BTreeSet<String> = files
            .filter_map(|file| file.ok()?.file_name().into_string().ok())
            .filter(|file| file != "index.toml" && !file.ends_with(".neutral.json"))
            .collect();
        if listed != found {
            return Err(format!(
                "{folder}: listed are {listed:?}, but there are {found:?}"
            ));
        }
        for entry in index.payload {
            if entry.source.len() <= 10 || entry.date.parse::<chrono::NaiveDate>().is_err() {
                return Err(format!(
                    "{folder}/{}: it does not say where it is from, and since when",
                    entry.file
                ));
            }
        }
    }
    Ok(())
}

/// The bytes of every document stay reachable in its events.
///
/// # Errors
/// The first that lost them.
pub fn raw_bytes_stay_reachable(codec: &dyn Codec) -> Result<(), String> {
    each(codec, |folder, entry, document| {
        for event in events(codec, folder, entry, document)?.events {
            if event.raw.map(|raw| raw.bytes).as_ref() != Some(document) {
                return Err("an event does not keep its document".to_owned());
            }
        }
        Ok(())
    })
}

/// Every event is a lawful CloudEvent, and comes back as the same event. `left_out` are folders whose events do not travel so.
///
/// # Errors
/// The first that is not; or if there were no more than `at_least`.
pub fn every_event_is_a_cloudevent(
    codec: &dyn Codec,
    left_out: &[&str],
    at_least: usize,
) -> Result<(), String> {
    let mut seen = 0;
    each(codec, |folder, entry, document| {
        if left_out.contains(&folder) {
            return Ok(());
        }
        for event in events(codec, folder, entry, document)?.events {
            let written = to_cloudevents(&event).map_err(|error| error.chain())?;
            if written.is_empty() && event.record_ids().is_empty() {
                continue;
            }
            let again = from_cloudevents(written).map_err(|error| error.chain())?;
            if again.attributes != event.attributes
                || format!("{:?}", again.data) != format!("{:?}", event.data)
            {
                return Err(format!("{event:?}\ncomes back as\n{again:?}"));
            }
            seen += 1;
        }
        Ok(())
    })?;
    if seen > at_least {
        Ok(())
    } else {
        Err(format!("only {seen} events were seen"))
    }
}

/// A JSON document that was cut off at any byte is refused, and nothing panics. Documents of other media types are left out: half a message is one.
///
/// # Errors
/// The first that was read all the same; or if no more than `at_least` were tried.
pub fn half_a_document_is_none(codec: &dyn Codec, at_least: usize) -> Result<(), String> {
    let mut tried = 0;
    each(codec, |folder, entry, document| {
        if serde_json::from_slice::<Value>(document).is_err() {
            return Ok(());
        }
        for end in 0..document.trim_ascii_end().len() {
            match codec.decode(folder, entry, &document.slice(..end)) {
                Err(error) if error.kind() == nephos_core::ErrorKind::Decode => tried += 1,
                Err(error) => return Err(format!("cut at {end}: {}", error.chain())),
                Ok(read) => return Err(format!("cut at {end} it is read: {read:?}")),
            }
        }
        Ok(())
    })?;
    if tried > at_least {
        Ok(())
    } else {
        Err(format!("only {tried} were tried"))
    }
}

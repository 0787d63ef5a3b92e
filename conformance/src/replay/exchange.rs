//! What a recording is as a file: how it was made, and one exchange after the other, as text that people can read and compare.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use nephos_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::body::Body;

/// A rule's recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recording {
    pub(super) rule: String,
    /// What answered, with its version.
    pub(super) with: String,
    /// When the rule began.
    pub(super) at: DateTime<Utc>,
    /// The version of Nephos that asked.
    pub(super) nephos: String,
    /// In the order in which the requests came.
    #[serde(rename = "exchange", default)]
    pub(super) exchanges: Vec<Exchange>,
}

/// One request and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exchange {
    /// How long the answer took, in milliseconds, if it was held back on purpose.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) took_ms: u64,
    /// How many other requests came before the answer was told.
    #[serde(default, skip_serializing_if = "is_none")]
    pub(super) meanwhile: usize,
    pub(super) request: Asked,
    pub(super) answer: Answered,
}

/// A request, without what must not be written or says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// Which of the provider's services, if there are several.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) service: String,
    /// Method, path and query.
    pub(super) line: String,
    #[serde(default, skip_serializing_if = "Body::is_empty")]
    pub(super) body: Body,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) headers: BTreeMap<String, String>,
}

/// An answer, likewise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answered {
    pub(super) status: u16,
    #[serde(default, skip_serializing_if = "Body::is_empty")]
    pub(super) body: Body,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) headers: BTreeMap<String, String>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn is_none(number: &usize) -> bool {
    *number == 0
}

impl Recording {
    /// Where the recording of a rule is.
    pub(super) fn path(folder: &Path, rule: &str) -> PathBuf {
        let group = rule.split('.').next().unwrap_or(rule);
        folder.join(group).join(format!("{rule}.toml"))
    }

    /// That of a rule that asks for nothing.
    pub(super) fn empty(rule: &str, at: DateTime<Utc>) -> Self {
        Self {
            rule: rule.to_owned(),
            with: String::new(),
            at,
            nephos: String::new(),
            exchanges: Vec::new(),
        }
    }

    /// What it was made with, for the report, if anything was.
    pub(super) fn made(&self) -> Option<String> {
        let made = || {
            format!(
                "{} on {} by Nephos {}",
                self.with,
                self.at.format("%Y-%m-%d"),
                self.nephos
            )
        };
        (!self.exchanges.is_empty()).then(made)
    }

    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let (kind, message) = match error.kind() {
                std::io::ErrorKind::NotFound => (ErrorKind::NotFound, "the rule was not recorded"),
                _ => (ErrorKind::Unavailable, "the recording cannot be read"),
            };
            failed(kind, message, path).caused_by(error)
        })?;
        toml::from_str(&text)
            .map_err(|error| failed(ErrorKind::Decode, "the recording is damaged", path).caused_by(error))
    }

    pub(super) fn text(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                OPERATION,
                "the recording has no form as text",
            )
            .caused_by(error)
        })
    }
}

const OPERATION: &str = "replay.recording";

fn failed(kind: ErrorKind, message: &'static str, path: &Path) -> Error {
    Error::new(kind, OPERATION, message).with("file", path.display())
}

/// Removes the recording of a rule that asks for nothing any more.
pub(super) fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(failed(ErrorKind::Unavailable, "an old recording cannot be removed", path).caused_by(error))
        }
        _ => Ok(()),
    }
}

/// Writes the file as a whole or not at all.
pub(super) fn write(path: &Path, text: &str) -> Result<()> {
    let unwritten =
        |error| failed(ErrorKind::Unavailable, "the recording cannot be written", path).caused_by(error);
    let half = path.with_extension(format!("{}.part", std::process::id()));
    let written = path
        .parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::File::create(&half))
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&half, path));
    written.map_err(|error| {
        // What is left of it would only be in the way; that it cannot be removed says nothing more.
        let _ = std::fs::remove_file(&half);
        unwritten(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording() -> Recording {
        Recording {
            rule: "queue.send.then-receive".to_owned(),
            with: "an emulator 1.0".to_owned(),
            at: DateTime::from_timestamp_secs(1_764_370_000).unwrap(),
            nephos: "0.1.0".to_owned(),
            exchanges: vec![
                Exchange {
                    took_ms: 0,
                    meanwhile: 1,
                    request: Asked {
                        service: String::new(),
                        line: "POST /".to_owned(),
                        body: Body::of(br#"{"QueueName":"a"}"#),
                        headers: [("x-amz-target".to_owned(), "AmazonSQS.CreateQueue".to_owned())].into(),
                    },
                    answer: Answered {
                        status: 200,
                        body: Body::of(&[vec![b'x'; 5000], vec![0xff]].concat()),
                        headers: [("content-type".to_owned(), "application/json".to_owned())].into(),
                    },
                },
                Exchange {
                    took_ms: 1001,
                    meanwhile: 0,
                    request: Asked {
                        service: "blob".to_owned(),
                        line: "GET /a?b=c".to_owned(),
                        body: Body::default(),
                        headers: BTreeMap::new(),
                    },
                    answer: Answered {
                        status: 404,
                        body: Body::default(),
                        headers: BTreeMap::new(),
                    },
                },
            ],
        }
    }

    #[test]
    fn a_recording_comes_back_from_its_file_and_no_half_one_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = Recording::path(folder.path(), "queue.send.then-receive");
        assert!(path.ends_with("queue/queue.send.then-receive.toml"));
        let missing = Recording::read(&path).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        write(&path, &recording().text().unwrap()).unwrap();
        assert_eq!(Recording::read(&path).unwrap(), recording());
        write(&path, "rule =").unwrap();
        assert_eq!(Recording::read(&path).unwrap_err().kind(), ErrorKind::Decode);
        let left: Vec<_> = std::fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    #[test]
    fn what_cannot_be_written_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        std::fs::create_dir_all(path.join("in-the-way")).unwrap();
        let error = write(&path, "text").unwrap_err();
        assert!(error.to_string().contains("taken"), "{error}");
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }
}

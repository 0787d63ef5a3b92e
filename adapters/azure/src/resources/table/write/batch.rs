//! Several writes of one partition as one transaction: <https://learn.microsoft.com/azure/cosmos-db/transactional-batch>.

use nephos_core::event::ChangeKind;
use nephos_core::resource::table::{Condition, Key, Version, Write};
use nephos_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::super::AzureTable;
use super::super::cosmos::Outcome;
use super::super::item::{self, Document};
use super::{changed, exists};
use crate::error::coded;

const BATCH: &str = "table.write_batch";

impl AzureTable {
    /// A transaction. What it is refused for because the item is there already, or is not there, is asked in another way if the write does not mind.
    pub(super) async fn write_together(&self, batch: &[Write]) -> Result<Vec<Option<Version>>> {
        let mut steps = Vec::with_capacity(batch.len());
        for (index, write) in batch.iter().enumerate() {
            let step = self.step(write).map_err(|error| {
                self.of(error)
                    .with("index", index)
                    .with("key", self.key_text(write))
            })?;
            steps.push(step);
        }
        let Some(partition) = steps.first().map(|step| step.key.partition.clone()) else {
            return Ok(Vec::new());
        };
        if let Some((index, step)) = steps
            .iter()
            .enumerate()
            .find(|(_, step)| step.key.partition != partition)
        {
            return Err(self.of(
                Error::new(
                    ErrorKind::Unsupported,
                    BATCH,
                    "a batch on Azure does all or nothing within one partition only; give all its items the same partition key, or write them one by one",
                )
                .with("index", index)
                .with("key", &step.key),
            ));
        }
        // Each refusal makes one step another, so there are not more of them than steps have forms.
        for _ in 0..=2 * steps.len() {
            // Those that are done without being asked.
            let asked: Vec<usize> = (0..steps.len()).filter(|index| !steps[*index].is_done).collect();
            let operations: Vec<Value> = asked
                .iter()
                .map(|index| steps[*index].operation(self.cosmos.is_emulator()))
                .collect();
            let outcomes = match operations.is_empty() {
                true => Vec::new(),
                false => self
                    .cosmos
                    .batch(BATCH, &partition, &operations)
                    .await
                    .map_err(|error| self.of(error))?,
            };
            // Those that depend on the one that failed say 424.
            let refused = outcomes
                .iter()
                .zip(&asked)
                .find(|(outcome, _)| outcome.status_code >= 400 && outcome.status_code != 424);
            let Some((outcome, index)) = refused else {
                return self.versions(batch, &steps, &outcomes);
            };
            let step = &mut steps[*index];
            step.after(outcome)
                .map_err(|error| self.of(error).with("index", index).with("key", &step.key))?;
        }
        Err(self.of(Error::new(
            ErrorKind::Unavailable,
            BATCH,
            "the items of the batch change too often; try again",
        )))
    }

    fn key_text(&self, write: &Write) -> String {
        self.key(write).map(|key| key.to_string()).unwrap_or_default()
    }

    fn step(&self, write: &Write) -> Result<Step> {
        Ok(match write {
            Write::Put { item, condition } => {
                let document = Document::of(&self.schema, item)?;
                let (kind, tag) = match condition {
                    Condition::Version(version) => {
                        let tag = item::etag(version).ok_or_else(|| changed(BATCH))?;
                        (StepKind::Replace, Some(tag.to_owned()))
                    }
                    _ => (StepKind::Create, None),
                };
                Step {
                    key: document.key.clone(),
                    document: Some(document),
                    kind,
                    tag,
                    is_plain: *condition == Condition::Always,
                    is_done: false,
                }
            }
            Write::Delete { key, condition } => {
                let tag = match condition {
                    Condition::Version(version) => {
                        Some(item::etag(version).ok_or_else(|| changed(BATCH))?.to_owned())
                    }
                    Condition::Always => None,
                    Condition::Absent => {
                        return Err(Error::new(
                            ErrorKind::Unsupported,
                            BATCH,
                            "a batch on Azure cannot make it a condition that an item which it deletes is absent",
                        ));
                    }
                };
                Step {
                    key: key.clone(),
                    document: None,
                    kind: StepKind::Delete,
                    is_plain: tag.is_none(),
                    tag,
                    is_done: false,
                }
            }
        })
    }

    fn versions(
        &self,
        batch: &[Write],
        steps: &[Step],
        outcomes: &[Outcome],
    ) -> Result<Vec<Option<Version>>> {
        let mut outcomes = outcomes.iter();
        let mut versions = Vec::with_capacity(batch.len());
        for (write, step) in batch.iter().zip(steps) {
            let outcome = if step.is_done { None } else { outcomes.next() };
            versions.push(match write {
                Write::Delete { .. } => None,
                Write::Put { item, .. } => {
                    let tag = outcome
                        .and_then(|outcome| outcome.e_tag.as_deref())
                        .ok_or_else(|| {
                            self.of(Error::new(
                                ErrorKind::Unavailable,
                                BATCH,
                                "the batch was written, and the answer does not tell the items' versions",
                            ))
                        })?;
                    Some(item::version(tag, self.schema.expiry_of(item)?))
                }
            });
        }
        Ok(versions)
    }
}

/// What a write of a batch is in a transaction.
#[derive(Debug)]
struct Step {
    key: Key,
    document: Option<Document>,
    kind: StepKind,
    tag: Option<String>,
    /// Whether it happens whatever is there.
    is_plain: bool,
    /// Whether there is nothing to do.
    is_done: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StepKind {
    Create,
    Upsert,
    Replace,
    Delete,
}

impl Step {
    fn operation(&self, is_emulator: bool) -> Value {
        let (kind, change) = match self.kind {
            StepKind::Create => ("Create", ChangeKind::Inserted),
            StepKind::Upsert => ("Upsert", ChangeKind::Modified),
            StepKind::Replace => ("Replace", ChangeKind::Modified),
            StepKind::Delete => ("Delete", ChangeKind::Removed),
        };
        let mut operation = json!({"operationType": kind});
        if let Some(document) = &self.document {
            operation["resourceBody"] = document.clone().written(change);
        }
        if matches!(self.kind, StepKind::Replace | StepKind::Delete) {
            operation["id"] = item::id_of(&self.key).into();
        }
        if let Some(tag) = &self.tag {
            operation["ifMatch"] = tag.as_str().into();
        }
        if is_emulator {
            // It does not read the request's own.
            operation["partitionKey"] = Value::from(vec![self.key.partition.as_str()]).to_string().into();
        }
        operation
    }

    /// What to do after the transaction failed because of this step.
    fn after(&mut self, outcome: &Outcome) -> Result<()> {
        match (outcome.status_code, self.kind) {
            (409, StepKind::Create) if self.is_plain => self.kind = StepKind::Upsert,
            (409, StepKind::Create) => return Err(exists(BATCH)),
            (404, StepKind::Delete) if self.is_plain => self.is_done = true,
            (404 | 412, StepKind::Replace | StepKind::Delete) => return Err(changed(BATCH)),
            (status, _) => return Err(coded(BATCH, status, None, outcome.sub_status_code, "")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use nephos_core::resource::table::TableSchema;

    use super::*;

    fn step(kind: StepKind, is_plain: bool) -> Step {
        let schema = TableSchema {
            key: "face".to_owned(),
            sort: None,
            ttl: None,
        };
        Step {
            key: Key::new("a"),
            document: Some(Document::of(&schema, &json!({"face": "a"})).unwrap()),
            kind,
            tag: (kind == StepKind::Replace).then(|| "tag".to_owned()),
            is_plain,
            is_done: false,
        }
    }

    fn outcome(status_code: u16) -> Outcome {
        Outcome {
            status_code,
            sub_status_code: None,
            e_tag: None,
        }
    }

    #[test]
    fn a_plain_write_takes_another_form_and_a_conditional_one_fails() {
        let mut create = step(StepKind::Create, true);
        assert_eq!(
            create.operation(false)["resourceBody"]["_nephos"]["change"],
            "inserted"
        );
        create.after(&outcome(409)).unwrap();
        assert_eq!(create.operation(false)["operationType"], "Upsert");
        assert_eq!(
            create.operation(false)["resourceBody"]["_nephos"]["change"],
            "modified"
        );

        let mut delete = step(StepKind::Delete, true);
        delete.after(&outcome(404)).unwrap();
        assert!(delete.is_done);

        for (kind, status, expected) in [
            (StepKind::Create, 409, ErrorKind::AlreadyExists),
            (StepKind::Replace, 412, ErrorKind::Conflict),
            (StepKind::Replace, 404, ErrorKind::Conflict),
            (StepKind::Delete, 404, ErrorKind::Conflict),
            (StepKind::Create, 429, ErrorKind::Unavailable),
            (StepKind::Create, 413, ErrorKind::ResourceExhausted),
        ] {
            let error = step(kind, false).after(&outcome(status)).unwrap_err();
            assert_eq!(error.kind(), expected, "{kind:?} {status}");
        }
    }

    #[test]
    fn an_operation_says_what_cosmos_wants_of_it() {
        let replace = step(StepKind::Replace, false).operation(false);
        assert_eq!(
            (&replace["id"], &replace["ifMatch"]),
            (&json!("a"), &json!("tag"))
        );
        assert!(replace.get("partitionKey").is_none());
        let emulated = step(StepKind::Upsert, true).operation(true);
        assert_eq!(emulated["partitionKey"], "[\"a\"]");
    }
}

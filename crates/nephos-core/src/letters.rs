//! Dead letters that a host sends itself, for providers whose answers have no word for them: what a handler rejects, and, where the host counts the tries, what
//! failed in the last of them.
//!
//! The letter is sent first, and only then is the record done with: if it cannot be sent, the record fails like any other and comes again.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::dead_letter::{self, Given};
use crate::event::{Attributes, Data, Event, Payload, RecordFailure};
use crate::resource::queue::{Outgoing, Queue};
use crate::{BatchOutcome, Disposition, Error, ErrorKind, Outcome, Result};

/// Finds a record that could not be decoded, by its id, as the provider delivered it; of no id the whole event.
pub type Undecodable = fn(&Event, Option<&str>) -> Result<Payload>;

/// Sends the dead letters of one function.
#[derive(Debug, Clone)]
pub struct Letters {
    queue: Option<Queue>,
    function: Arc<str>,
    attempts: Option<u32>,
    undecodable: Undecodable,
}

impl Letters {
    /// Letters to `queue`; without one, nothing is given up here.
    #[must_use]
    pub fn new(queue: Option<Queue>, function: Arc<str>, undecodable: Undecodable) -> Self {
        Self {
            queue,
            function,
            attempts: None,
            undecodable,
        }
    }

    /// Gives up, too, what failed in try number `attempts`: for hosts whose provider would not, or would only drop it.
    #[must_use]
    pub fn after(mut self, attempts: u32) -> Self {
        self.attempts = Some(attempts);
        self
    }

    /// Whether any can be sent.
    #[must_use]
    pub fn can_send(&self) -> bool {
        self.queue.is_some()
    }

    /// Whether anything of `outcome` failed that may be given up, so that its event has to be looked at once more.
    #[must_use]
    pub fn concern(&self, outcome: &Outcome) -> bool {
        let has_failed = match outcome {
            Outcome::Batch(batch) => !batch.failures().is_empty(),
            Outcome::Failed(_) => true,
            _ => false,
        };
        has_failed && self.can_send()
    }

    /// What is given up of `event`, with the letters that say so. `event` is what was dispatched, decoded again; `attempt` is which delivery it is, from 1,
    /// of those records that do not say so themselves.
    #[must_use]
    pub fn plan(&self, event: &Event, outcome: Outcome, attempt: u32) -> Planned {
        match outcome {
            Outcome::Batch(batch) => {
                let with_letter = |failure: RecordFailure| {
                    let tried = tried(event, &failure.id).unwrap_or(attempt);
                    let letter = self
                        .gives_up(&failure.error, tried)
                        .then(|| self.letter(event, Some(&failure.id), &failure.error, tried));
                    (failure, letter)
                };
                Planned::Batch(batch.into_failures().into_iter().map(with_letter).collect())
            }
            Outcome::Failed(error) if event.kind().has_records() => {
                let ids = event.record_ids();
                let tried = |id: &str| tried(event, id).unwrap_or(attempt);
                if ids.is_empty() || !ids.iter().all(|id| self.gives_up(&error, tried(id))) {
                    return Planned::Nothing(Outcome::Failed(error));
                }
                let letters = ids
                    .into_iter()
                    .map(|id| self.letter(event, Some(id), &error, tried(id)));
                let letters = letters.collect();
                Planned::Whole(error, letters)
            }
            Outcome::Failed(error) if self.gives_up(&error, attempt) => {
                let letters = vec![self.letter(event, None, &error, attempt)];
                Planned::Whole(error, letters)
            }
            outcome => Planned::Nothing(outcome),
        }
    }

    /// Whether what failed with this error in this try is given up. What only waited for another was not tried.
    fn gives_up(&self, error: &Error, attempt: u32) -> bool {
        let is_last = self.attempts.is_some_and(|attempts| attempt >= attempts);
        self.can_send()
            && (error.disposition() == Disposition::Reject
                || (is_last && error.kind() != ErrorKind::Cancelled))
    }

    /// Sends the letters, and takes what they are about out of the outcome.
    pub async fn settle(&self, planned: Planned) -> Outcome {
        match planned {
            Planned::Nothing(outcome) => outcome,
            Planned::Batch(failures) => {
                let mut left = BatchOutcome::new();
                for (RecordFailure { id, error }, letter) in failures {
                    let is_sent = match letter {
                        Some(letter) => self.send(letter, &error).await,
                        None => false,
                    };
                    if !is_sent {
                        left.fail(id, error);
                    }
                }
                left.into()
            }
            Planned::Whole(error, letters) => {
                let mut all_sent = true;
                for letter in letters {
                    all_sent &= self.send(letter, &error).await;
                }
                if all_sent {
                    Outcome::Ack
                } else {
                    Outcome::Failed(error)
                }
            }
        }
    }

    /// Whether the letter was sent. If not, what it is about is not done with.
    async fn send(&self, letter: Result<Outgoing>, error: &Error) -> bool {
        let sent = match (&self.queue, letter) {
            (Some(queue), Ok(letter)) => queue.send(letter).await,
            (None, _) => return false,
            (_, Err(unwritten)) => Err(unwritten),
        };
        match sent {
            Ok(letter) => {
                tracing::warn!(error = %error.chain(), letter, "given up: sent to the dead-letter queue");
                true
            }
            Err(failed) => {
                tracing::error!(error = %failed.chain(), "a dead letter cannot be sent: what it is about is tried again");
                false
            }
        }
    }

    fn letter(&self, event: &Event, id: Option<&str>, error: &Error, attempts: u32) -> Result<Outgoing> {
        let Held {
            body,
            attributes,
            group,
        } = match held(event, id)? {
            Some(held) => held,
            None => Held::of((self.undecodable)(event, id)?),
        };
        let Attributes {
            id: event_id,
            ty,
            source,
            ..
        } = &event.attributes;
        let given = Given {
            function: &self.function,
            id: id.unwrap_or(event_id),
            ty,
            source,
            attempts,
            error,
        };
        // Only a queue that is ordered takes groups.
        let is_ordered = (self.queue.as_ref()).is_some_and(|queue| queue.capabilities().ordered_groups);
        Ok(Outgoing {
            group: group.filter(|_| is_ordered),
            ..dead_letter::of_record(body, attributes, given)
        })
    }
}

/// An outcome, and the letters that are to be sent before it is told.
#[derive(Debug)]
pub enum Planned {
    /// None.
    Nothing(Outcome),
    /// Records that failed, those that are given up with their letter.
    Batch(Vec<(RecordFailure, Option<Result<Outgoing>>)>),
    /// All is given up.
    Whole(Error, Vec<Result<Outgoing>>),
}

/// What a letter holds.
struct Held {
    body: Payload,
    attributes: BTreeMap<String, String>,
    group: Option<String>,
}

impl Held {
    fn of(body: Payload) -> Self {
        Self {
            body,
            attributes: BTreeMap::new(),
            group: None,
        }
    }
}

/// Which delivery a record is, if it says so.
fn tried(event: &Event, id: &str) -> Option<u32> {
    match &event.data {
        Data::Queue(messages) => (messages.iter())
            .find(|message| message.id == id)
            .map(|message| message.attempt),
        _ => None,
    }
}

/// A message or record by its own body, everything else as CloudEvents; `None` of a record that is not among those that could be decoded.
fn held(event: &Event, id: Option<&str>) -> Result<Option<Held>> {
    match (&event.data, id) {
        (Data::Queue(messages), Some(id)) => {
            let message = messages.iter().find(|message| message.id == id);
            Ok(message.map(|message| Held {
                body: message.body.clone(),
                attributes: message.attributes.clone(),
                group: message.group.clone(),
            }))
        }
        (Data::Stream(records), Some(id)) => {
            let record = records.iter().find(|record| record.sequence == id);
            Ok(record.map(|record| Held {
                attributes: record.attributes.clone(),
                ..Held::of(record.body.clone())
            }))
        }
        (Data::Table(changes), Some(id)) => {
            let change = changes.iter().find(|change| change.sequence == id);
            let body = change.map(|change| dead_letter::body(&Event::of(Data::Table(vec![change.clone()]))));
            Ok(body.transpose()?.map(Held::of))
        }
        // What was delivered may say where the message is; CloudEvents would carry the message itself, which was not read.
        (Data::Email(_), None) => Ok(Some(Held::of(Payload {
            content_type: Some("application/json".to_owned()),
            bytes: (event.raw.as_ref())
                .map(|raw| raw.bytes.clone())
                .unwrap_or_default(),
        }))),
        (_, None) => Ok(Some(Held::of(dead_letter::body(event)?))),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Message, Tick};
    use crate::resource::fake::Fake;

    fn letters(fake: Fake) -> Letters {
        let undecodable = |_: &Event, _: Option<&str>| Ok(Payload::text("as it came"));
        Letters::new(
            Some(Queue::new("letters", Arc::new(fake))),
            "work".into(),
            undecodable,
        )
    }

    fn messages(attempts: &[u32]) -> Event {
        let messages = (attempts.iter().enumerate()).map(|(number, attempt)| Message {
            id: number.to_string(),
            queue: "jobs".to_owned(),
            body: Payload::text(format!("body {number}")),
            attributes: BTreeMap::new(),
            group: None,
            attempt: *attempt,
            sent_at: None,
        });
        Event::of(Data::Queue(messages.collect()))
    }

    fn tick() -> Event {
        Event::of(Data::Schedule(Tick {
            schedule: "every minute".to_owned(),
            due_at: chrono::DateTime::UNIX_EPOCH,
            past_due: false,
        }))
    }

    fn failures(outcome: &Outcome) -> Vec<&str> {
        match outcome {
            Outcome::Batch(batch) => (batch.failures().iter())
                .map(|failure| failure.id.as_str())
                .collect(),
            _ => Vec::new(),
        }
    }

    fn given_up(planned: &Planned) -> Vec<(String, String)> {
        let fact = |letter: &Outgoing, name: &str| letter.attributes[name].clone();
        let facts = |letter: &Result<Outgoing>| {
            let letter = letter.as_ref().unwrap();
            (
                fact(letter, dead_letter::EVENT_ID),
                fact(letter, dead_letter::ATTEMPTS),
            )
        };
        match planned {
            Planned::Nothing(_) => Vec::new(),
            Planned::Batch(failures) => failures
                .iter()
                .filter_map(|(_, letter)| letter.as_ref())
                .map(facts)
                .collect(),
            Planned::Whole(_, letters) => letters.iter().map(facts).collect(),
        }
    }

    fn pair(id: &str, attempts: &str) -> (String, String) {
        (id.to_owned(), attempts.to_owned())
    }

    #[tokio::test]
    async fn what_failed_in_its_last_try_is_given_up_and_the_rest_comes_again() {
        let letters = letters(Fake::new()).after(3);
        let mut batch = BatchOutcome::new();
        batch.retry("0", "again");
        batch.retry("1", "again");
        batch.reject("2", "never");
        batch.fail("3", Error::new(ErrorKind::Cancelled, "handler", "it only waited"));
        let planned = letters.plan(&messages(&[1, 3, 1, 3]), batch.into(), 1);
        assert_eq!(given_up(&planned), [pair("1", "3"), pair("2", "1")]);
        let left = letters.settle(planned).await;
        // The fake's queue takes no attributes: nothing can be sent, so nothing is done with.
        assert_eq!(failures(&left), ["0", "1", "2", "3"]);
    }

    #[test]
    fn who_does_not_count_gives_up_only_what_is_rejected() {
        let letters = letters(Fake::new());
        let failed = |error| Outcome::Failed(error);
        assert!(given_up(&letters.plan(&tick(), failed(Error::retry("later")), 99)).is_empty());
        assert_eq!(
            given_up(&letters.plan(&tick(), failed(Error::reject("never")), 2)).len(),
            1
        );
        let whole = letters.plan(&messages(&[1, 2]), failed(Error::reject("never")), 1);
        assert_eq!(given_up(&whole), [pair("0", "1"), pair("1", "2")]);
        let nowhere = Letters::new(None, "work".into(), |_, _| Ok(Payload::default()));
        assert!(!nowhere.can_send());
        assert!(given_up(&nowhere.plan(&tick(), failed(Error::reject("never")), 1)).is_empty());
    }

    #[test]
    fn a_batch_that_failed_as_a_whole_is_given_up_when_all_of_it_had_its_last_try() {
        let letters = letters(Fake::new()).after(2);
        let failed = || Outcome::Failed(Error::retry("later"));
        assert!(given_up(&letters.plan(&messages(&[1, 2]), failed(), 1)).is_empty());
        assert_eq!(given_up(&letters.plan(&messages(&[2, 2]), failed(), 1)).len(), 2);
        let [(_, attempts)] = given_up(&letters.plan(&tick(), failed(), 2)).try_into().unwrap();
        assert_eq!(attempts, "2");
    }

    #[test]
    fn a_record_that_could_not_be_decoded_is_kept_as_it_came() {
        let letters = letters(Fake::new());
        let mut batch = BatchOutcome::new();
        batch.reject("elsewhere", "damaged");
        let Planned::Batch(failures) = letters.plan(&messages(&[1]), batch.into(), 4) else {
            panic!("it was a batch");
        };
        let letter = failures[0].1.as_ref().unwrap().as_ref().unwrap();
        assert_eq!(letter.body.bytes, "as it came");
        assert_eq!(letter.attributes[dead_letter::ATTEMPTS], "4");
    }
}

//! The messages of one subscription until they are acknowledged: who has them until when, in which order, for the how manieth time.
//! <https://cloud.google.com/pubsub/docs/lease-management>, <https://cloud.google.com/pubsub/docs/ordering>, <https://cloud.google.com/pubsub/docs/exactly-once-delivery>.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, SecondsFormat, Utc};
use tokio::time::Instant;

use super::settings::Settings;

/// A published message.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) id: String,
    /// In Base64.
    pub(super) data: String,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) ordering_key: String,
    pub(super) at: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    Waiting(Instant),
    Leased(Instant),
    /// Kept, because it comes again if one before it with its ordering key does.
    Acknowledged,
}

#[derive(Debug)]
struct Entry {
    message: Arc<Message>,
    stand: Stand,
    tries: u32,
    receipt: Option<String>,
}

/// A message that is handed out.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) receipt: String,
    pub(super) tries: u32,
    pub(super) message: Arc<Message>,
}

/// What a receipt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Receipt {
    /// None that this subscription gave.
    Foreign,
    /// One that does not count any more.
    Lost,
    Done,
}

#[derive(Debug)]
pub(super) struct Backlog {
    subscription: String,
    entries: BTreeMap<u64, Entry>,
    receipts: HashMap<String, u64>,
    handed_out: u64,
    /// What was acknowledged, if the subscription keeps it.
    kept: BTreeMap<u64, Arc<Message>>,
}

impl Backlog {
    pub(super) fn new(subscription: &str) -> Self {
        Self {
            subscription: subscription.to_owned(),
            entries: BTreeMap::new(),
            receipts: HashMap::new(),
            handed_out: 0,
            kept: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, number: u64, message: Arc<Message>) {
        let entry = Entry {
            message,
            stand: Stand::Waiting(Instant::now()),
            tries: 0,
            receipt: None,
        };
        self.entries.insert(number, entry);
    }

    /// Ends leases and forgets what is too old; gives the dead letters with their topics, for which `can_leave` says whether they are there.
    pub(super) fn settle(
        &mut self,
        name: &str,
        settings: &Settings,
        now: Instant,
        can_leave: impl Fn(&str) -> bool,
    ) -> Vec<(String, Message)> {
        let oldest = Utc::now() - settings.retention;
        self.entries.retain(|_, entry| entry.message.at >= oldest);
        self.kept.retain(|_, message| message.at >= oldest);
        let entries = &self.entries;
        self.receipts.retain(|_, number| entries.contains_key(number));
        let ended: Vec<u64> = (self.entries.iter())
            .filter(|(_, entry)| matches!(entry.stand, Stand::Leased(until) if until <= now))
            .map(|(number, _)| *number)
            .collect();
        for number in ended {
            self.give_back(number, settings, now);
        }
        let Some((topic, most)) = settings.dead.as_ref().filter(|(topic, _)| can_leave(topic)) else {
            return Vec::new();
        };
        let dead: Vec<u64> = (self.entries.iter())
            .filter(|(_, entry)| entry.tries >= *most && matches!(entry.stand, Stand::Waiting(_)))
            .map(|(number, _)| *number)
            .collect();
        (dead.into_iter())
            .filter_map(|number| self.forget(number))
            .map(|entry| (topic.clone(), letter(&entry, name)))
            .collect()
    }

    fn forget(&mut self, number: u64) -> Option<Entry> {
        let entry = self.entries.remove(&number)?;
        if let Some(receipt) = &entry.receipt {
            self.receipts.remove(receipt);
        }
        Some(entry)
    }

    /// A message was not taken. Those behind it with its ordering key come again too: <https://cloud.google.com/pubsub/docs/ordering#receive_messages_in_order>.
    fn give_back(&mut self, number: u64, settings: &Settings, now: Instant) {
        let Some(entry) = self.entries.get_mut(&number) else {
            return;
        };
        entry.stand = Stand::Waiting(now + settings.wait(entry.tries));
        let key = entry.message.ordering_key.clone();
        if !settings.is_ordered || key.is_empty() {
            return;
        }
        for (_, later) in self.entries.range_mut(number + 1..) {
            if later.message.ordering_key == key && !matches!(later.stand, Stand::Waiting(_)) {
                later.stand = Stand::Waiting(now);
                if let Some(receipt) = later.receipt.take() {
                    self.receipts.remove(&receipt);
                }
            }
        }
    }

    /// Hands out what is due, at most so many; of one ordering key at most one at a time if `singly`, else those in a row.
    pub(super) fn take(
        &mut self,
        settings: &Settings,
        most: usize,
        singly: bool,
        now: Instant,
    ) -> Vec<Delivery> {
        let mut barred = BTreeSet::new();
        let mut due = Vec::new();
        for (number, entry) in &self.entries {
            if due.len() == most {
                break;
            }
            let key = entry.message.ordering_key.as_str();
            let is_keyed = settings.is_ordered && !key.is_empty();
            if is_keyed && barred.contains(key) {
                continue;
            }
            match entry.stand {
                Stand::Waiting(at) if at <= now => {
                    due.push(*number);
                    if is_keyed && singly {
                        barred.insert(key);
                    }
                }
                Stand::Waiting(_) | Stand::Leased(_) if is_keyed => {
                    barred.insert(key);
                }
                _ => {}
            }
        }
        let until = now + settings.deadline;
        due.into_iter()
            .filter_map(|number| self.hand_out(number, until))
            .collect()
    }

    fn hand_out(&mut self, number: u64, until: Instant) -> Option<Delivery> {
        self.handed_out += 1;
        // As long as Google's, so that what many of them need in a request is as much.
        let told = format!(
            "{}:{}:{number}:{}",
            self.subscription,
            self.handed_out,
            uuid::Uuid::new_v4()
        );
        let receipt = URL_SAFE_NO_PAD.encode(format!("{told:_<130}"));
        let entry = self.entries.get_mut(&number)?;
        entry.stand = Stand::Leased(until);
        entry.tries += 1;
        if let Some(former) = entry.receipt.replace(receipt.clone()) {
            self.receipts.remove(&former);
        }
        self.receipts.insert(receipt.clone(), number);
        Some(Delivery {
            receipt,
            tries: entry.tries,
            message: Arc::clone(&entry.message),
        })
    }

    /// How many are with somebody.
    pub(super) fn leased(&self) -> usize {
        let leased = |entry: &&Entry| matches!(entry.stand, Stand::Leased(_));
        self.entries.values().filter(leased).count()
    }

    /// When the next message may be due, of those that are not.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        let moments = self.entries.values().filter_map(|entry| match entry.stand {
            Stand::Waiting(at) | Stand::Leased(at) => Some(at),
            Stand::Acknowledged => None,
        });
        moments.filter(|at| *at > now).min()
    }

    /// The message of a receipt: with exactly-once delivery only as long as it is leased, otherwise until somebody else has it.
    fn find(&self, receipt: &str, settings: &Settings) -> Result<u64, Receipt> {
        let told = URL_SAFE_NO_PAD.decode(receipt).unwrap_or_default();
        if !told.starts_with(format!("{}:", self.subscription).as_bytes()) {
            return Err(Receipt::Foreign);
        }
        let number = *self.receipts.get(receipt).ok_or(Receipt::Lost)?;
        let is_leased =
            (self.entries.get(&number)).is_some_and(|entry| matches!(entry.stand, Stand::Leased(_)));
        if is_leased || !settings.is_exact {
            Ok(number)
        } else {
            Err(Receipt::Lost)
        }
    }

    /// Whether this subscription may have given it.
    pub(super) fn knows(&self, receipt: &str, settings: &Settings) -> bool {
        self.find(receipt, settings) != Err(Receipt::Foreign)
    }

    pub(super) fn acknowledge(&mut self, receipt: &str, settings: &Settings) -> Receipt {
        let number = match self.find(receipt, settings) {
            Ok(number) => number,
            Err(receipt) => return receipt,
        };
        if settings.is_ordered && !settings.is_exact {
            if let Some(entry) = self.entries.get_mut(&number) {
                entry.stand = Stand::Acknowledged;
            }
            self.purge(settings);
        } else {
            self.finish(number, settings);
        }
        Receipt::Done
    }

    /// Forgets what was acknowledged and has nothing before it with its ordering key.
    fn purge(&mut self, settings: &Settings) {
        let mut open = BTreeSet::new();
        let mut done = Vec::new();
        for (number, entry) in &self.entries {
            let key = entry.message.ordering_key.as_str();
            if entry.stand != Stand::Acknowledged {
                open.insert(key);
            } else if key.is_empty() || !open.contains(key) {
                done.push(*number);
            }
        }
        for number in done {
            self.finish(number, settings);
        }
    }

    fn finish(&mut self, number: u64, settings: &Settings) {
        if let Some(entry) = self.forget(number)
            && settings.keeps_acknowledged
        {
            self.kept.insert(number, entry.message);
        }
    }

    /// Has a lease end so long from now; at once if it is nought.
    pub(super) fn extend(
        &mut self,
        receipt: &str,
        by: Duration,
        settings: &Settings,
        now: Instant,
    ) -> Receipt {
        let number = match self.find(receipt, settings) {
            Ok(number) => number,
            Err(receipt) => return receipt,
        };
        let entry = self.entries.get_mut(&number);
        if let Some(entry) = entry.filter(|entry| matches!(entry.stand, Stand::Leased(_))) {
            if by.is_zero() {
                self.give_back(number, settings, now);
            } else {
                entry.stand = Stand::Leased(now + by);
            }
        }
        Receipt::Done
    }

    /// What was published before counts as acknowledged, what was published since does not: <https://cloud.google.com/pubsub/docs/replay-overview#seek_to_a_time>.
    pub(super) fn seek(&mut self, time: DateTime<Utc>, settings: &Settings) {
        let before: Vec<u64> = (self.entries.iter())
            .filter(|(_, entry)| entry.message.at < time)
            .map(|(number, _)| *number)
            .collect();
        for number in before {
            self.finish(number, settings);
        }
        let back: Vec<u64> = (self.kept.iter())
            .filter(|(_, message)| message.at >= time)
            .map(|(number, _)| *number)
            .collect();
        for number in back {
            if let Some(message) = self.kept.remove(&number) {
                self.add(number, message);
            }
        }
    }
}

/// A message for the dead-letter topic, with where it comes from: <https://cloud.google.com/pubsub/docs/dead-letter-topics#how_dead_letter_topics_work>.
fn letter(entry: &Entry, subscription: &str) -> Message {
    let mut message = Message::clone(&entry.message);
    let mut parts = subscription.split('/').skip(1).step_by(2);
    let project = parts.next().unwrap_or_default();
    let name = parts.next().unwrap_or_default();
    let published = message.at.to_rfc3339_opts(SecondsFormat::Millis, true);
    for (attribute, value) in [
        ("DeliveryCount", entry.tries.to_string()),
        ("Subscription", name.to_owned()),
        ("SubscriptionProject", project.to_owned()),
        ("TopicPublishTime", published),
    ] {
        let attribute = format!("CloudPubSubDeadLetterSource{attribute}");
        message.attributes.insert(attribute, value);
    }
    message.at = Utc::now();
    message
}

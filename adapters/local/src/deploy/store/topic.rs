//! The embedded topic: a notification is put into the inbox of every subscription that it fits, all in one transaction.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use nephos_core::Result;
use nephos_core::event::{Message, Notification, Payload};
use nephos_core::resource::queue::Outgoing;
use nephos_core::resource::topic::{Publication, TopicCapabilities, TopicDriver};
use rusqlite::params;

use super::Store;
use super::failure::{Sql, damaged};
use super::message;
use super::writer::Tx;
use crate::resources::capabilities;

/// Where an inbox message carries its notification's topic.
const TOPIC: &str = "nephos-topic";
/// Where an inbox message carries its notification's subject.
const SUBJECT: &str = "nephos-subject";

/// A topic of the store.
#[derive(Clone)]
pub struct EmbeddedTopic {
    store: Store,
    name: Arc<str>,
}

impl fmt::Debug for EmbeddedTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedTopic")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl EmbeddedTopic {
    pub(super) fn new(store: Store, name: &str) -> Self {
        Self {
            store,
            name: name.into(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

#[async_trait]
impl TopicDriver for EmbeddedTopic {
    fn capabilities(&self) -> TopicCapabilities {
        capabilities::TOPIC
    }

    async fn publish_batch(&self, batch: &[Publication]) -> Result<Vec<String>> {
        let (topic, batch) = (Arc::clone(&self.name), batch.to_vec());
        let inner = Arc::downgrade(&self.store.inner);
        self.store
            .inner
            .db
            .write("topic.publish", move |tx| {
                let subscriptions = subscriptions(tx, &topic)?;
                batch
                    .iter()
                    .map(|publication| {
                        let id = message::new_id();
                        for (inbox, filter) in &subscriptions {
                            if fits(filter, &publication.attributes) {
                                let spec = inner
                                    .upgrade()
                                    .map(|inner| inner.queue_spec(inbox))
                                    .unwrap_or_default();
                                message::insert(tx, inbox, &spec, &id, &inbox_message(&topic, publication))?;
                            }
                        }
                        Ok(id)
                    })
                    .collect()
            })
            .await
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

type Filter = BTreeMap<String, String>;

fn subscriptions(tx: &Tx<'_>, topic: &str) -> Sql<Vec<(String, Filter)>> {
    let mut statement = tx
        .conn
        .prepare_cached("SELECT inbox, filter FROM subscription WHERE topic = ?1 ORDER BY inbox")?;
    let rows = statement
        .query_map([topic], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    rows.into_iter()
        .map(|(inbox, filter)| {
            let filter = serde_json::from_str(&filter)
                .map_err(|error| damaged("topic.publish", "filter").caused_by(error))?;
            Ok((inbox, filter))
        })
        .collect()
}

/// Every attribute that the filter names must have the filter's value.
fn fits(filter: &Filter, attributes: &BTreeMap<String, String>) -> bool {
    filter
        .iter()
        .all(|(name, value)| attributes.get(name) == Some(value))
}

fn inbox_message(topic: &str, publication: &Publication) -> Outgoing {
    let mut attributes = publication.attributes.clone();
    attributes.insert(TOPIC.to_owned(), topic.to_owned());
    match &publication.subject {
        Some(subject) => attributes.insert(SUBJECT.to_owned(), subject.clone()),
        None => attributes.remove(SUBJECT),
    };
    Outgoing {
        body: publication.body.clone(),
        attributes,
        ..Outgoing::default()
    }
}

/// The notification that an inbox's message carries. It has the id that publishing returned.
#[must_use]
pub fn notification(message: Message<Payload>) -> Notification<Payload> {
    let mut attributes = message.attributes;
    Notification {
        id: message.id,
        topic: attributes.remove(TOPIC).unwrap_or_default(),
        body: message.body,
        subject: attributes.remove(SUBJECT),
        attributes,
        published_at: message.sent_at,
    }
}

impl Store {
    /// Subscribes the queue `inbox` to `topic`: it gets what is published from now on and has all the attributes of `filter`. Doing it
    /// again replaces the filter.
    ///
    /// # Errors
    /// The file's.
    pub async fn subscribe(&self, topic: &str, inbox: &str, filter: &BTreeMap<String, String>) -> Result<()> {
        let (topic, inbox) = (topic.to_owned(), inbox.to_owned());
        let filter = message::attributes_text(filter).map(|text| text.unwrap_or_else(|| "{}".to_owned()));
        let filter = filter.map_err(|failure| failure.into_error("topic.subscribe", self.path()))?;
        self.inner
            .db
            .write("topic.subscribe", move |tx| {
                tx.conn
                    .prepare_cached(
                        "INSERT INTO subscription (topic, inbox, filter) VALUES (?1, ?2, ?3)
                         ON CONFLICT (topic, inbox) DO UPDATE SET filter = excluded.filter",
                    )?
                    .execute(params![topic, inbox, filter])?;
                Ok(())
            })
            .await
    }

    /// Ends all subscriptions of `topic` but those of the inboxes in `keep`. What is in the others' inboxes stays until its retention
    /// ends.
    ///
    /// # Errors
    /// The file's.
    pub async fn unsubscribe_others(&self, topic: &str, keep: &[String]) -> Result<()> {
        let (topic, keep) = (topic.to_owned(), keep.to_vec());
        self.inner
            .db
            .write("topic.unsubscribe", move |tx| {
                for (inbox, _) in subscriptions(tx, &topic)? {
                    if !keep.contains(&inbox) {
                        tx.conn
                            .prepare_cached("DELETE FROM subscription WHERE topic = ?1 AND inbox = ?2")?
                            .execute(params![topic, inbox])?;
                    }
                }
                Ok(())
            })
            .await
    }
}

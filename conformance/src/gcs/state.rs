//! What the stand-in knows, and how objects come, change and go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use http::Method;
use tokio::sync::mpsc::UnboundedSender;

use super::Options;
use super::error::{Interface, Outcome, Refusal};
use super::json::resource;
use super::json::resumable::Session;
use super::knobs::Interruption;
use super::notify::{Config, Event, Message};
use super::object::{Metadata, New, Object};
use super::policy::Policy;
use super::preconditions::{Found, Preconditions};
use super::project::Project;
use super::signed::HOST;
use super::soft::Gone;
use super::xml::multipart::Multipart;
use crate::interruptions::Interruptions;

/// Shared by all requests.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) authority: String,
    /// The project, if it is more than a name.
    pub(super) project: Option<Arc<dyn Project>>,
    state: Mutex<State>,
}

impl Shared {
    pub(super) fn new(options: Options, authority: String, project: Option<Arc<dyn Project>>) -> Self {
        let state = State {
            url: match project {
                Some(_) => format!("https://{HOST}"),
                None => format!("http://{authority}"),
            },
            tokens: options.tokens.iter().cloned().collect(),
            ..State::default()
        };
        Self {
            options,
            authority,
            project,
            state: Mutex::new(state),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a token counts, here or in the project.
    pub(super) fn counts(&self, token: &str) -> bool {
        let is_ours = self.lock().tokens.contains(token);
        is_ours || self.project.as_ref().is_some_and(|project| project.counts(token))
    }

    /// The key that verifies what a service account signs.
    pub(super) fn public_key(&self, email: &str) -> Option<Vec<u8>> {
        let mut own = self.options.service_accounts.iter();
        match own.find(|account| account.email == email) {
            Some(account) => Some(account.public_key.clone()),
            None => self.project.as_ref()?.public_key(email),
        }
    }

    /// The project's number; made of its id where there is nothing but that.
    pub(super) fn number(&self) -> String {
        match &self.project {
            Some(project) => project.number(),
            None => super::hash::crc32c(self.options.project.as_bytes()).to_string(),
        }
    }

    /// Whether something may be made, changed or deleted.
    pub(super) fn permit(&self, kind: &str, name: &str, method: &Method, count: usize) -> Outcome<()> {
        match &self.project {
            Some(project) => Ok(project.permit(kind, name, method, count)?),
            None => Ok(()),
        }
    }
}

/// Everything that is.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) url: String,
    pub(super) buckets: BTreeMap<String, Bucket>,
    /// Buckets that were deleted, oldest first.
    pub(super) gone: Vec<Gone<Bucket>>,
    pub(super) sessions: BTreeMap<String, Session>,
    pub(super) multiparts: BTreeMap<String, Multipart>,
    pub(super) tokens: BTreeSet<String>,
    pub(super) interruptions: Interruptions<Interruption>,
    pub(super) requests: Vec<Exchange>,
    pub(super) messages: Vec<Message>,
    pub(super) listeners: Vec<UnboundedSender<Message>>,
    last: u64,
}

/// A request that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// `GET`
    pub method: String,
    /// With its query.
    pub path: String,
    /// 0 if the connection was cut.
    pub status: u16,
}

/// A bucket.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    pub(super) name: String,
    pub(super) location: String,
    pub(super) storage_class: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) is_public_access_prevented: bool,
    pub(super) generation: u64,
    pub(super) metageneration: u64,
    pub(super) created: DateTime<Utc>,
    pub(super) updated: DateTime<Utc>,
    pub(super) objects: BTreeMap<String, Object>,
    pub(super) notifications: BTreeMap<u64, Config>,
    pub(super) last_notification: u64,
    pub(super) policy: Policy,
    /// For how many seconds what is deleted can be restored, and since when.
    pub(super) retention: i64,
    pub(super) retained_since: DateTime<Utc>,
    /// What was deleted, oldest first.
    pub(super) gone: Vec<Gone<Object>>,
}

impl Bucket {
    pub(super) fn found(&self) -> Found {
        Found {
            generation: self.generation,
            metageneration: self.metageneration,
            etag: self.etag(),
            updated: self.updated,
        }
    }

    pub(super) fn etag(&self) -> String {
        super::object::bucket_etag(self.metageneration)
    }

    pub(super) fn changed(&mut self, now: DateTime<Utc>) {
        self.metageneration += 1;
        self.updated = now;
    }

    /// The live object, if its generation is the one that is asked for.
    pub(super) fn object(&self, name: &str, generation: Option<u64>) -> Outcome<&Object> {
        self.objects
            .get(name)
            .filter(|object| generation.is_none_or(|one| one == object.generation))
            .ok_or_else(|| match generation {
                Some(one) => Refusal::no_object(&self.name, &format!("{name}#{one}")),
                None => Refusal::no_object(&self.name, name),
            })
    }
}

impl State {
    /// The next moment: each is later than all before, because it becomes a generation.
    pub(super) fn tick(&mut self) -> (u64, DateTime<Utc>) {
        let now = u64::try_from(Utc::now().timestamp_micros()).unwrap_or_default();
        self.last = now.max(self.last + 1);
        let moment = i64::try_from(self.last)
            .ok()
            .and_then(DateTime::from_timestamp_micros)
            .unwrap_or_default();
        (self.last, moment)
    }

    pub(super) fn bucket(&self, name: &str) -> Outcome<&Bucket> {
        self.buckets.get(name).ok_or_else(Refusal::no_bucket)
    }

    pub(super) fn bucket_mut(&mut self, name: &str) -> Outcome<&mut Bucket> {
        self.buckets.get_mut(name).ok_or_else(Refusal::no_bucket)
    }

    /// An object that is read, as the conditions want it.
    pub(super) fn read(
        &self,
        bucket: &str,
        name: &str,
        generation: Option<u64>,
        conditions: &Preconditions,
        interface: Interface,
    ) -> Outcome<&Object> {
        let object = self.bucket(bucket)?.object(name, generation)?;
        conditions.check(Some(&object.found(interface)))?;
        Ok(object)
    }

    /// Makes or replaces an object.
    pub(super) fn write(
        &mut self,
        bucket: &str,
        name: &str,
        new: New,
        conditions: &Preconditions,
    ) -> Outcome<Object> {
        super::names::object(name)?;
        new.metadata.check()?;
        let old = self.bucket(bucket)?.objects.get(name).cloned();
        conditions.check(old.as_ref().map(|old| old.found(Interface::Json)).as_ref())?;
        let (generation, now) = self.tick();
        let object = Object::new(name, new, generation, now);
        self.bucket_mut(bucket)?
            .objects
            .insert(name.to_owned(), object.clone());
        let overwrote = old.as_ref().map(|old| old.generation);
        self.announce(bucket, &object, Event::Finalize(overwrote), now);
        if let Some(old) = old {
            self.bucket_mut(bucket)?.lose(old.clone(), now);
            self.announce(bucket, &old, Event::Delete(Some(generation)), now);
        }
        Ok(object)
    }

    /// Changes an object's metadata.
    pub(super) fn change(
        &mut self,
        bucket: &str,
        name: &str,
        generation: Option<u64>,
        conditions: &Preconditions,
        change: impl FnOnce(&Object, &Self) -> Outcome<Metadata>,
    ) -> Outcome<Object> {
        let object = self
            .read(bucket, name, generation, conditions, Interface::Json)?
            .clone();
        let metadata = change(&object, self)?;
        metadata.check()?;
        let (_, now) = self.tick();
        let changed = Object {
            metadata,
            metageneration: object.metageneration + 1,
            updated: now,
            ..object
        };
        self.bucket_mut(bucket)?
            .objects
            .insert(name.to_owned(), changed.clone());
        self.announce(bucket, &changed, Event::MetadataUpdate, now);
        Ok(changed)
    }

    /// Deletes an object.
    pub(super) fn delete(
        &mut self,
        bucket: &str,
        name: &str,
        generation: Option<u64>,
        conditions: &Preconditions,
    ) -> Outcome<()> {
        let object = self
            .read(bucket, name, generation, conditions, Interface::Json)?
            .clone();
        let (_, now) = self.tick();
        let found = self.bucket_mut(bucket)?;
        found.objects.remove(name);
        found.lose(object.clone(), now);
        self.announce(bucket, &object, Event::Delete(None), now);
        Ok(())
    }

    fn announce(&mut self, bucket: &str, object: &Object, event: Event, now: DateTime<Utc>) {
        let Some(found) = self.buckets.get(bucket) else {
            return;
        };
        let resource = resource::view(&self.url, bucket, object);
        let messages: Vec<Message> = found
            .notifications
            .values()
            .filter_map(|config| {
                config.message(bucket, &object.name, object.generation, event, now, &resource)
            })
            .collect();
        for message in messages {
            self.listeners
                .retain(|listener| listener.send(message.clone()).is_ok());
            self.messages.push(message);
        }
    }
}

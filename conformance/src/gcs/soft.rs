//! What was deleted and can be restored for some time: <https://cloud.google.com/storage/docs/soft-delete>.

use chrono::{DateTime, Duration, Utc};
use serde_json::Value;

use super::json::buckets;
use super::json::resource::{self, moment};
use super::object::Object;
use super::state::{Bucket, State};

/// Something that was deleted.
#[derive(Debug, Clone)]
pub(super) struct Gone<T> {
    pub(super) what: T,
    /// When it was deleted, and when it can no longer be restored.
    at: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl<T> Gone<T> {
    fn new(what: T, now: DateTime<Utc>, seconds: i64) -> Self {
        Self {
            what,
            at: now,
            until: now + Duration::seconds(seconds),
        }
    }

    fn dated(&self, mut view: Value) -> Value {
        view["softDeleteTime"] = moment(self.at).into();
        view["hardDeleteTime"] = moment(self.until).into();
        view
    }
}

impl Gone<Object> {
    pub(super) fn view(&self, url: &str, bucket: &str) -> Value {
        self.dated(resource::view(url, bucket, &self.what))
    }
}

impl Gone<Bucket> {
    pub(super) fn view(&self, url: &str, number: &str) -> Value {
        self.dated(buckets::view(url, number, &self.what))
    }
}

impl Bucket {
    /// An object is no longer there.
    pub(super) fn lose(&mut self, object: Object, now: DateTime<Utc>) {
        if self.retention > 0 {
            self.gone.push(Gone::new(object, now, self.retention));
        }
        self.gone.retain(|gone| gone.until > now);
    }
}

impl State {
    /// A bucket is no longer there.
    pub(super) fn retain(&mut self, bucket: Bucket, now: DateTime<Utc>) {
        let seconds = bucket.retention;
        if seconds > 0 {
            self.gone.push(Gone::new(bucket, now, seconds));
            // Lists are by name.
            self.gone.sort_by(|one, other| {
                (&one.what.name, one.what.generation).cmp(&(&other.what.name, other.what.generation))
            });
        }
        self.gone.retain(|gone| gone.until > now);
    }
}

//! Topic events: a notification, published once, delivered to every subscriber.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

/// One notification of a topic; `T` as in [`Message`](crate::event::Message).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification<T> {
    /// The notification's id: the same on each delivery and for each subscriber.
    pub id: String,
    /// The topic's name in the manifest.
    pub topic: String,
    /// The body.
    pub body: T,
    /// A short subject, where the publisher set one.
    pub subject: Option<String>,
    /// Attributes that the publisher set.
    pub attributes: BTreeMap<String, String>,
    /// When it was published.
    pub published_at: Option<DateTime<Utc>>,
}

impl<T> Notification<T> {
    /// The body, and the notification with another in its place.
    pub fn with_body<U>(self, body: U) -> Notification<U> {
        let Self {
            id,
            topic,
            body: _,
            subject,
            attributes,
            published_at,
        } = self;
        Notification {
            id,
            topic,
            body,
            subject,
            attributes,
            published_at,
        }
    }
}

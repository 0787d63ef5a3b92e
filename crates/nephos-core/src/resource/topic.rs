//! Topics: each notification goes to every subscriber.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::event::Payload;
use crate::resource::{Access, Grant, ResourceKind};

/// A notification on its way to a topic.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Publication {
    /// The body.
    pub body: Payload,
    /// A short subject.
    pub subject: Option<String>,
    /// Attributes, delivered as they are; subscriptions may filter on them.
    pub attributes: BTreeMap<String, String>,
}

impl Publication {
    /// A notification with this body: text, bytes, or [`Payload::json`].
    pub fn new(body: impl Into<Payload>) -> Self {
        Self {
            body: body.into(),
            ..Self::default()
        }
    }

    /// A notification whose body is `value` as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if `value` has no JSON form.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        Ok(Self {
            body: Payload::json(value)?,
            ..Self::default()
        })
    }

    /// Sets the subject.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Adds an attribute.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }
}

impl<T: Into<Payload>> From<T> for Publication {
    fn from(body: T) -> Self {
        Self::new(body)
    }
}

/// What a topic can do. A request beyond it is [`ErrorKind::Unsupported`] before any I/O.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicCapabilities {
    /// The largest body with its attributes, in bytes.
    pub max_message_bytes: usize,
    /// Whether attributes are carried.
    pub attributes: bool,
}

/// One provider's topic. Must not retry. May be called concurrently. Must not keep what it borrows.
#[async_trait]
pub trait TopicDriver: Debug + Send + Sync + 'static {
    /// What it can do; constant for the driver's life.
    fn capabilities(&self) -> TopicCapabilities;
    /// Publishes all of `batch`, in order, splitting it as the provider demands; returns the ids in the same order.
    async fn publish_batch(&self, batch: &[Publication]) -> Result<Vec<String>>;
    /// The provider's own client, for what the portable type cannot do.
    fn as_any(&self) -> &dyn Any;
}

/// A topic.
#[derive(Debug, Clone)]
pub struct Topic {
    grant: Grant,
    driver: Arc<dyn TopicDriver>,
}

impl Topic {
    /// A topic over `driver`, with every access: for hosts, tools and tests.
    #[must_use]
    pub fn new(name: &str, driver: Arc<dyn TopicDriver>) -> Self {
        Self {
            grant: Grant::full(ResourceKind::Topic, name),
            driver,
        }
    }

    /// The same with only this access.
    #[must_use]
    pub fn with_access(name: &str, driver: Arc<dyn TopicDriver>, access: BTreeSet<Access>) -> Self {
        Self {
            grant: Grant::new(ResourceKind::Topic, name, access),
            driver,
        }
    }

    pub(crate) fn granted(grant: Grant, driver: Arc<dyn TopicDriver>) -> Self {
        Self { grant, driver }
    }

    /// Its name in the manifest.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.grant.name
    }

    /// What it can do on this target.
    #[must_use]
    pub fn capabilities(&self) -> TopicCapabilities {
        self.driver.capabilities()
    }

    /// Publishes one notification; returns its id.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] without `publish`, [`ErrorKind::ResourceExhausted`] if it is too large,
    /// [`ErrorKind::Unsupported`] beyond the capabilities, or the driver's. After an error it may have been published all the same.
    pub async fn publish(&self, notification: impl Into<Publication>) -> Result<String> {
        let mut ids = self.publish_batch(vec![notification.into()]).await?;
        ids.pop().ok_or_else(|| {
            Error::new(ErrorKind::Internal, "topic.publish", "the driver returned no id")
                .with("topic", self.name())
        })
    }

    /// Publishes `value` as JSON; returns the notification's id.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub async fn publish_json<T: Serialize + ?Sized>(&self, value: &T) -> Result<String> {
        self.publish(Publication::json(value)?).await
    }

    /// Publishes several, any number; returns their ids in the same order.
    ///
    /// # Errors
    /// As [`publish`](Self::publish); nothing is published if one of them is beyond the capabilities.
    pub async fn publish_batch(&self, batch: Vec<Publication>) -> Result<Vec<String>> {
        const OPERATION: &str = "topic.publish";
        self.grant.require(Access::Publish, OPERATION)?;
        let limits = self.driver.capabilities();
        for notification in &batch {
            if !notification.attributes.is_empty() && !limits.attributes {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    OPERATION,
                    "this topic carries no attributes",
                )
                .with("topic", self.name()));
            }
            let attributes: usize = notification
                .attributes
                .iter()
                .map(|(name, value)| name.len() + value.len())
                .sum();
            let size = notification.body.bytes.len() + attributes;
            if size > limits.max_message_bytes {
                return Err(Error::new(
                    ErrorKind::ResourceExhausted,
                    OPERATION,
                    "the notification is larger than this target allows; put the content into a bucket and publish its key",
                )
                .with("topic", self.name())
                .with("bytes", size)
                .with("max_bytes", limits.max_message_bytes));
            }
        }
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.grant.retry.run(|| self.driver.publish_batch(&batch)).await
    }

    /// The driver, for what only this provider can do.
    #[must_use]
    pub fn driver(&self) -> &dyn TopicDriver {
        &*self.driver
    }
}

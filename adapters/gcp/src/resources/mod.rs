//! Drivers over Google Cloud's services: what a function's handles stand on, one file a kind.
//!
//! Each kind is behind the cargo feature of its name, because each brings code into the function's binary that other functions do not need. None retries by itself but the
//! store of buckets: the portable types retry, and two loops around one call would multiply.

#[cfg(feature = "bucket")]
pub mod bucket;
#[cfg(any(feature = "queue", feature = "topic", feature = "stream"))]
#[cfg_attr(
    not(feature = "harness"),
    allow(
        dead_code,
        reason = "of some kinds; a build with them all says what nobody uses"
    )
)]
pub(crate) mod pubsub;
#[cfg(feature = "queue")]
pub mod queue;
#[cfg(any(
    feature = "queue",
    feature = "topic",
    feature = "stream",
    feature = "table",
    feature = "secret",
    feature = "deploy"
))]
pub mod rest;
#[cfg(feature = "secret")]
pub mod secret;
#[cfg(feature = "stream")]
pub mod stream;
#[cfg(feature = "table")]
pub mod table;
#[cfg(feature = "topic")]
pub mod topic;

use std::sync::Arc;

use nephos_core::Result;
#[cfg(not(all(
    feature = "bucket",
    feature = "queue",
    feature = "topic",
    feature = "stream",
    feature = "table",
    feature = "secret"
)))]
use nephos_core::resource::NotBuilt;
use nephos_core::resource::bucket::BucketDriver;
use nephos_core::resource::queue::QueueDriver;
use nephos_core::resource::secret::SecretDriver;
use nephos_core::resource::stream::StreamDriver;
use nephos_core::resource::table::TableDriver;
use nephos_core::resource::topic::TopicDriver;
use nephos_core::resource::{Binding, Drivers};

use crate::config::Config;

/// Opens drivers over Google Cloud, all on one configuration: its HTTP connections and credentials are shared.
#[derive(Debug, Clone)]
pub struct GcpDrivers {
    #[cfg_attr(
        not(any(
            feature = "bucket",
            feature = "queue",
            feature = "topic",
            feature = "stream",
            feature = "table",
            feature = "secret"
        )),
        allow(dead_code, reason = "without a kind there is nothing to open")
    )]
    config: Config,
}

impl GcpDrivers {
    /// Drivers over this configuration.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            config: config.clone(),
        }
    }
}

/// A method of [`Drivers`], or, where the kind's feature is off, its refusal.
macro_rules! open {
    ($method:ident, $feature:literal, $trait:ident, $open:expr) => {
        #[cfg(feature = $feature)]
        fn $method(&self, binding: &Binding) -> Result<Arc<dyn $trait>> {
            Ok(Arc::new(($open)(&self.config, binding)?))
        }

        #[cfg(not(feature = $feature))]
        fn $method(&self, binding: &Binding) -> Result<Arc<dyn $trait>> {
            NotBuilt {
                provider: "Google Cloud",
            }
            .refuse(binding)
        }
    };
}

impl Drivers for GcpDrivers {
    open!(bucket, "bucket", BucketDriver, bucket::GcpBucket::open);
    open!(queue, "queue", QueueDriver, queue::GcpQueue::open);
    open!(topic, "topic", TopicDriver, topic::GcpTopic::open);
    open!(stream, "stream", StreamDriver, stream::GcpStream::open);
    open!(table, "table", TableDriver, table::GcpTable::open);
    open!(secret, "secret", SecretDriver, secret::GcpSecret::open);
}

#[cfg(all(test, not(feature = "queue")))]
mod tests {
    use super::*;

    #[test]
    fn a_kind_that_was_not_built_in_names_the_feature_to_turn_on() {
        let config = Config::load(&std::iter::empty::<(&str, &str)>().collect()).unwrap();
        let binding = Binding {
            name: "jobs".to_owned(),
            kind: nephos_core::resource::ResourceKind::Queue,
            access: std::collections::BTreeSet::new(),
            url: None,
            properties: std::collections::BTreeMap::new(),
        };
        let error = GcpDrivers::new(&config).queue(&binding).unwrap_err();
        assert_eq!(error.kind(), nephos_core::ErrorKind::Unsupported);
        assert!(error.message().contains("`queue`"), "{error}");
        assert!(error.to_string().contains("queue=jobs"), "{error}");
    }
}

//! Drivers over AWS's services: what a function's handles stand on, one file a kind.
//!
//! Each kind is behind the cargo feature of its name, because each brings a crate of the SDK into the function's binary. The SDK's own retries are off: the
//! portable types retry, and two loops around one call would multiply.

#[cfg(feature = "bucket")]
pub mod bucket;
#[cfg(feature = "queue")]
pub mod queue;
#[cfg(feature = "secret")]
pub mod secret;
#[cfg(feature = "stream")]
pub mod stream;
#[cfg(feature = "table")]
pub mod table;
#[cfg(feature = "topic")]
pub mod topic;

use std::sync::Arc;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
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

/// Opens drivers over AWS, all on one configuration: its HTTP connections and credentials are shared.
#[derive(Debug, Clone)]
pub struct AwsDrivers {
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
    config: SdkConfig,
}

impl AwsDrivers {
    /// Drivers over this configuration, as [`config::load`](crate::config::load) gives it.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let config = config
            .clone()
            .into_builder()
            .retry_config(RetryConfig::disabled())
            .build();
        Self { config }
    }
}

/// A method of [`Drivers`], or, where the kind's feature is off, its refusal.
macro_rules! open {
    ($method:ident, $feature:literal, $trait:ident, $open:expr) => {
        #[cfg(feature = $feature)]
        fn $method(&self, binding: &Binding) -> Result<Arc<dyn $trait>> {
            let open: fn(&SdkConfig, &Binding) -> _ = $open;
            Ok(Arc::new(open(&self.config, binding)?))
        }

        #[cfg(not(feature = $feature))]
        fn $method(&self, binding: &Binding) -> Result<Arc<dyn $trait>> {
            NotBuilt { provider: "AWS" }.refuse(binding)
        }
    };
}

impl Drivers for AwsDrivers {
    open!(bucket, "bucket", BucketDriver, bucket::AwsBucket::open);
    open!(queue, "queue", QueueDriver, queue::AwsQueue::open);
    open!(topic, "topic", TopicDriver, topic::AwsTopic::open);
    open!(stream, "stream", StreamDriver, stream::AwsStream::open);
    open!(table, "table", TableDriver, table::AwsTable::open);
    open!(secret, "secret", SecretDriver, secret::AwsSecret::open);
}

#[cfg(all(test, not(feature = "queue")))]
mod tests {
    use super::*;

    #[test]
    fn a_kind_that_was_not_built_in_names_the_feature_to_turn_on() {
        let config = SdkConfig::builder().build();
        let binding = Binding {
            name: "jobs".to_owned(),
            kind: nephos_core::resource::ResourceKind::Queue,
            access: std::collections::BTreeSet::new(),
            url: None,
            properties: std::collections::BTreeMap::new(),
        };
        let error = AwsDrivers::new(&config).queue(&binding).unwrap_err();
        assert_eq!(error.kind(), nephos_core::ErrorKind::Unsupported);
        assert!(error.message().contains("`queue`"), "{error}");
        assert!(error.to_string().contains("queue=jobs"), "{error}");
    }
}

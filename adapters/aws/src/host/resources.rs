//! What the host opens resources with: the drivers over AWS's SDK, or, in a function without them, a refusal that names the feature.

use std::sync::Arc;

use nephos_core::resource::Drivers;

/// The drivers of this build.
#[cfg(feature = "sdk")]
pub(super) async fn drivers() -> Arc<dyn Drivers> {
    let config = crate::config::load(None, None).await;
    Arc::new(crate::resources::AwsDrivers::new(&config))
}

/// The drivers of this build.
#[cfg(not(feature = "sdk"))]
#[expect(clippy::unused_async, reason = "with the SDK, credentials are looked for")]
pub(super) async fn drivers() -> Arc<dyn Drivers> {
    Arc::new(Refuse)
}

/// Opens nothing: for a function that uses nothing, which need not look for credentials.
#[derive(Debug)]
pub(super) struct Refuse;

macro_rules! refuse {
    ($($method:ident, $feature:literal, $driver:ident;)*) => {
        impl Drivers for Refuse {
            $(fn $method(
                &self,
                binding: &nephos_core::resource::Binding,
            ) -> nephos_core::Result<Arc<dyn nephos_core::resource::$method::$driver>> {
                Err(nephos_core::Error::new(
                    nephos_core::ErrorKind::Unsupported,
                    "context.open",
                    concat!("this function was built without ", $feature, "s on AWS; turn on the feature `", $feature,
                        "` of the crate `nephos`"),
                )
                .with(binding.kind.name(), &binding.name))
            })*
        }
    };
}

refuse! {
    bucket, "bucket", BucketDriver;
    queue, "queue", QueueDriver;
    topic, "topic", TopicDriver;
    stream, "stream", StreamDriver;
    table, "table", TableDriver;
    secret, "secret", SecretDriver;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_without_the_sdk_names_the_feature_to_turn_on() {
        let binding = nephos_core::resource::Binding {
            name: "jobs".to_owned(),
            kind: nephos_core::resource::ResourceKind::Queue,
            access: std::collections::BTreeSet::new(),
            url: None,
            properties: std::collections::BTreeMap::new(),
        };
        let error = Refuse.queue(&binding).unwrap_err();
        assert_eq!(error.kind(), nephos_core::ErrorKind::Unsupported);
        assert!(error.to_string().contains("`queue`"), "{error}");
        assert!(error.to_string().contains("queue=jobs"), "{error}");
    }
}

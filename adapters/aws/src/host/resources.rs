//! What the host opens resources with: the drivers over AWS's SDK, or, in a function without them, a refusal that names the feature.

use std::sync::Arc;

use nephos_core::resource::{Drivers, NotBuilt};

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
    Arc::new(REFUSE)
}

/// Opens nothing: for a function that uses nothing, which need not look for credentials.
pub(super) const REFUSE: NotBuilt = NotBuilt { provider: "AWS" };

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
        let error = REFUSE.queue(&binding).unwrap_err();
        assert_eq!(error.kind(), nephos_core::ErrorKind::Unsupported);
        assert!(error.to_string().contains("`queue`"), "{error}");
        assert!(error.to_string().contains("queue=jobs"), "{error}");
    }
}

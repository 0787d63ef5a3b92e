//! What a stand-in begins with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// A UUID.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// `Enabled`, `Disabled`, `Warned`
    pub state: String,
}

/// What is called with a package before a site has it (site, zip): the error becomes the deployment's.
#[derive(Clone)]
pub struct Publish(Arc<dyn Fn(String, Bytes) -> BoxFuture<'static, Result<(), String>> + Send + Sync>);

impl Publish {
    /// From a function.
    pub fn new(
        take: impl Fn(String, Bytes) -> BoxFuture<'static, Result<(), String>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(take))
    }

    pub(super) fn take(&self, site: String, zip: Bytes) -> BoxFuture<'static, Result<(), String>> {
        (self.0)(site, zip)
    }
}

impl fmt::Debug for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Publish")
    }
}

/// How the stand-in is at its beginning.
#[derive(Debug, Clone)]
pub struct Options {
    /// The subscriptions; one that is enabled, unless told otherwise.
    pub subscriptions: Vec<Subscription>,
    /// Groups that are there: subscription, name, location.
    pub groups: Vec<(String, String, String)>,
    /// The directory of the subscriptions.
    pub tenant: String,
    /// Who asks: the object id of the identity that gets tokens, and its client id.
    pub object_id: String,
    /// See `object_id`.
    pub client_id: String,
    /// What the identity endpoint expects in `X-IDENTITY-HEADER`.
    pub identity_header: String,
    /// How long a token counts, in seconds.
    pub token_lifetime: i64,
    /// All regions, as they are shown.
    pub locations: Vec<String>,
    /// Those with Flex Consumption.
    pub flexible: Vec<String>,
    /// The seconds in `Retry-After` of what goes on.
    pub retry_after: u64,
    /// How long each step of what goes on takes.
    pub step: Duration,
    /// How many operations a page of a deployment's list has.
    pub page: usize,
    /// Whether what-if says of sites that they change although they do not, as Azure does because a site's settings are not told.
    pub noise: bool,
    /// Whether a failed deployment's error leaves out the causes, which then are in the operations only.
    pub terse: bool,
    /// Called with each package before a site has it.
    pub publish: Option<Publish>,
}

impl Default for Options {
    fn default() -> Self {
        let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            subscriptions: vec![Subscription {
                id: "0b1f6471-1bf0-4dda-aec3-cb9272f09590".to_owned(),
                name: "Tests".to_owned(),
                state: "Enabled".to_owned(),
            }],
            groups: Vec::new(),
            tenant: "2f4a9838-26b7-47ee-be60-ccc1fdec5953".to_owned(),
            object_id: "5f0a1f0e-6f5d-4f0e-8a52-1f0f4b1c7d11".to_owned(),
            client_id: "7c9f6b1e-30a4-4a3c-9a57-7f0d4a1f2b22".to_owned(),
            identity_header: "853b9a84-5bfa-4b22-a3f3-0b9a43d9ad8a".to_owned(),
            token_lifetime: 86_400,
            locations: all(&[
                "West Europe",
                "North Europe",
                "Sweden Central",
                "Germany West Central",
                "France Central",
                "UK South",
                "East US",
                "East US 2",
                "West US 2",
                "West US 3",
                "South Central US",
                "Southeast Asia",
                "Australia East",
                "Japan East",
                "West India",
            ]),
            flexible: all(&[
                "West Europe",
                "North Europe",
                "Sweden Central",
                "Germany West Central",
                "UK South",
                "East US",
                "East US 2",
                "West US 2",
                "West US 3",
                "South Central US",
                "Southeast Asia",
                "Australia East",
                "Japan East",
            ]),
            retry_after: 0,
            step: Duration::from_millis(1),
            page: 100,
            noise: true,
            terse: false,
            publish: None,
        }
    }
}

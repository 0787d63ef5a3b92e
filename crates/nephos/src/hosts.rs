//! The hosts that this binary holds. A new adapter is one line here.

use nephos_core::adapter::Host;
use nephos_core::env::Environment;

/// All hosts, in the order in which they are asked.
pub(crate) const HOSTS: &[&dyn Host] = &[
    #[cfg(feature = "local")]
    &nephos_local::host::LocalHost,
    #[cfg(feature = "aws")]
    &nephos_aws::host::LambdaHost,
    #[cfg(feature = "azure")]
    &nephos_azure::host::FunctionsHost,
    #[cfg(feature = "gcp")]
    &nephos_gcp::host::CloudRunHost,
];

/// The host that started this process, if one did.
pub(crate) fn detect(
    hosts: &'static [&'static dyn Host],
    environment: &Environment,
) -> Option<&'static dyn Host> {
    hosts.iter().copied().find(|host| host.detect(environment))
}

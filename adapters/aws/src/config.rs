//! Region, credentials, endpoint and HTTPS of all clients, as the official SDK finds them: its variables and files mean here what they mean everywhere.

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::region::Region;
#[cfg(feature = "deploy")]
use nephos_core::{Error, ErrorKind};

/// Loads the configuration by the SDK's default chain: `AWS_REGION`, `AWS_PROFILE`, `AWS_ENDPOINT_URL` and the others, the shared files, the role of the
/// machine or function. `region` comes before what the chain finds. `profile` names a profile of the shared files, whose credentials come before keys in
/// the environment, as those of `aws --profile` do: whoever names one must not end up in another account.
pub async fn load(region: Option<String>, profile: Option<&str>) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(https());
    let mut region = region.map(Region::new);
    if let Some(profile) = profile {
        loader = loader.profile_name(profile);
        if region.is_none() {
            let of_profile = ProfileFileRegionProvider::builder().profile_name(profile).build();
            let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new());
            region = chain.or_else(of_profile).region().await;
        }
        let parts = ProviderConfig::without_region()
            .with_behavior_version(Some(BehaviorVersion::latest()))
            .with_http_client(https())
            .with_region(region.clone());
        let credentials = ProfileFileCredentialsProvider::builder()
            .profile_name(profile)
            .configure(&parts);
        loader = loader.credentials_provider(credentials.build());
    }
    if let Some(region) = region {
        loader = loader.region(region);
    }
    loader.load().await
}

/// Names the profile in an error about credentials, if one was chosen: whoever has to sign in must name it. `profile` is that of [`load`].
#[cfg(feature = "deploy")]
pub(crate) fn naming_profile(error: Error, profile: Option<&str>) -> Error {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    // The SDK's chain takes a key of the environment before it looks at a profile that is only named there too.
    let by_key = set("AWS_ACCESS_KEY_ID").is_some();
    let of_environment = || set("AWS_PROFILE").filter(|_| !by_key);
    match profile.map(str::to_owned).or_else(of_environment) {
        Some(profile) if error.kind() == ErrorKind::Unauthenticated => error.with("profile", profile),
        _ => error,
    }
}

/// HTTPS by rustls on ring: the SDK's own default would link a second library of cryptography, in C.
pub(crate) fn https() -> SharedHttpClient {
    Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

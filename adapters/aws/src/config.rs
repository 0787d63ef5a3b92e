//! Region, credentials, endpoint and HTTPS of all clients, as the official SDK finds them: its variables and files mean here what they mean everywhere.

use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::region::Region;
#[cfg(feature = "deploy")]
use nephos_core::{Error, ErrorKind};

/// Loads the configuration by the SDK's default chain: `AWS_REGION`, `AWS_PROFILE`, `AWS_ENDPOINT_URL` and the others, the shared files, the role of the
/// machine or function. `region` comes before what the chain finds, `profile` chooses a profile of the shared files.
pub async fn load(region: Option<String>, profile: Option<&str>) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(https());
    if let Some(region) = region {
        loader = loader.region(Region::new(region));
    }
    if let Some(profile) = profile {
        loader = loader.profile_name(profile);
    }
    loader.load().await
}

/// Names the profile in an error about credentials, if one was chosen: whoever has to sign in must name it. `profile` is that of [`load`].
#[cfg(feature = "deploy")]
pub(crate) fn naming_profile(error: Error, profile: Option<&str>) -> Error {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    // The SDK's chain takes a key of the environment before it looks at profiles.
    let by_key = set("AWS_ACCESS_KEY_ID").is_some();
    match profile.map(str::to_owned).or_else(|| set("AWS_PROFILE")) {
        Some(profile) if error.kind() == ErrorKind::Unauthenticated && !by_key => {
            error.with("profile", profile)
        }
        _ => error,
    }
}

/// HTTPS by rustls on ring: the SDK's own default would link a second library of cryptography, in C.
pub(crate) fn https() -> SharedHttpClient {
    Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

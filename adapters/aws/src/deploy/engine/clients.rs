//! The account, the region, and the clients of AWS's interfaces.

use std::fmt;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_smithy_types::retry::RetryConfig;
use nephos_core::{Error, ErrorKind, Result};

use super::failure::failed;

/// How often a request is sent at most: AWS throttles whoever asks often, and the SDK waits longer each time.
const ATTEMPTS: u32 = 10;
/// The longest wait between two tries.
const MAX_BACKOFF: Duration = Duration::from_secs(20);

/// Where an app is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) id: String,
    pub(super) region: String,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.id, self.region)
    }
}

impl Account {
    /// The domain of AWS in this region: <https://docs.aws.amazon.com/general/latest/gr/rande.html>
    pub(super) fn domain(&self) -> &'static str {
        if self.region.starts_with("cn-") {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        }
    }

    /// The bucket for artifacts and large templates. A bucket's name is one in all of AWS, so it holds the account and the region.
    pub(super) fn artifacts(&self) -> String {
        format!("nephos-artifacts-{}-{}", self.id, self.region)
    }
}

/// The clients, for one account and region.
#[derive(Debug)]
pub(super) struct Clients {
    pub(super) sdk: SdkConfig,
    pub(super) account: Account,
    pub(super) stacks: aws_sdk_cloudformation::Client,
    pub(super) functions: aws_sdk_lambda::Client,
    pub(super) logs: aws_sdk_cloudwatchlogs::Client,
}

impl Clients {
    /// Finds credentials, account and region, before anything else is asked.
    pub(super) async fn connect(sdk: SdkConfig) -> Result<Self> {
        const OPERATION: &str = "deploy.account";
        let Some(region) = sdk.region().map(ToString::to_string) else {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                OPERATION,
                "there is no region; write `region = \"eu-west-1\"` below the target in nephos.toml, or set AWS_REGION",
            ));
        };
        let sdk = sdk.clone().into_builder().retry_config(retry(&sdk)).build();
        let identity = aws_sdk_sts::Client::new(&sdk)
            .get_caller_identity()
            .send()
            .await
            .map_err(|error| {
                failed(OPERATION, "the account cannot be told", error).with("region", &region)
            })?;
        let id = identity.account.ok_or_else(|| {
            Error::new(
                ErrorKind::Internal,
                OPERATION,
                "AWS did not say which account this is",
            )
        })?;
        Ok(Self {
            stacks: aws_sdk_cloudformation::Client::new(&sdk),
            functions: aws_sdk_lambda::Client::new(&sdk),
            logs: aws_sdk_cloudwatchlogs::Client::new(&sdk),
            account: Account { id, region },
            sdk,
        })
    }
}

/// How requests are tried again: as whoever deploys has it (`AWS_MAX_ATTEMPTS`, `max_attempts` in `~/.aws/config`), else longer than the SDK would.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>
fn retry(sdk: &SdkConfig) -> RetryConfig {
    let usual = RetryConfig::standard();
    match sdk.retry_config() {
        Some(chosen) if chosen.max_attempts() != usual.max_attempts() => chosen.clone(),
        _ => usual.with_max_attempts(ATTEMPTS).with_max_backoff(MAX_BACKOFF),
    }
}

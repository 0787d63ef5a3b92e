//! Secrets in Secrets Manager, or in the parameter store of Systems Manager.

use std::any::Any;

use async_trait::async_trait;
use aws_config::SdkConfig;
use nephos_core::resource::Binding;
use nephos_core::resource::secret::{SecretCapabilities, SecretDriver, SecretValue};
use nephos_core::{Error, ErrorKind, Result, wiring};

use crate::error::failed;

const OPERATION: &str = "secret.get";

/// What the name of a parameter begins with, to tell it from a secret's.
const PARAMETER: &str = "ssm:";

/// How long a version's id is, in characters:
/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html>
const VERSION_LENGTHS: std::ops::RangeInclusive<usize> = 32..=64;

/// A secret of Secrets Manager, by its name or ARN; or a parameter of Systems Manager, by `ssm:` and its name, or by its ARN.
#[derive(Debug)]
pub struct AwsSecret {
    name: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Secret {
        client: aws_sdk_secretsmanager::Client,
        id: String,
    },
    Parameter {
        client: aws_sdk_ssm::Client,
        id: String,
    },
}

impl AwsSecret {
    /// Opens the secret or parameter that the binding names.
    ///
    /// # Errors
    /// As [`wiring::physical`].
    pub fn open(config: &SdkConfig, binding: &Binding) -> Result<Self> {
        let physical = wiring::physical(binding)?;
        Ok(Self {
            name: binding.name.clone(),
            place: match parameter(physical) {
                Some(id) => Place::Parameter {
                    client: aws_sdk_ssm::Client::new(config),
                    id: id.to_owned(),
                },
                None => Place::Secret {
                    client: aws_sdk_secretsmanager::Client::new(config),
                    id: physical.to_owned(),
                },
            },
        })
    }

    fn of(&self, error: Error) -> Error {
        error.with("secret", &self.name)
    }

    fn missing(&self, message: &'static str) -> Error {
        self.of(Error::new(ErrorKind::NotFound, OPERATION, message))
    }

    async fn secret(
        &self,
        client: &aws_sdk_secretsmanager::Client,
        id: &str,
        version: Option<&str>,
    ) -> Result<SecretValue> {
        if version.is_some_and(|version| !VERSION_LENGTHS.contains(&version.chars().count())) {
            return Err(self.missing("there is no such version of the secret"));
        }
        let found = client
            .get_secret_value()
            .secret_id(id)
            .set_version_id(version.map(str::to_owned))
            .send()
            .await
            .map_err(|error| self.of(failed(OPERATION, error)))?;
        let version = found.version_id;
        // It is one of the two: <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html>
        match (found.secret_string, found.secret_binary) {
            (Some(text), _) => Ok(SecretValue::new(text, version)),
            (None, Some(bytes)) => Ok(SecretValue::new(bytes.into_inner(), version)),
            (None, None) => Err(self.missing("the secret has no value; set one in Secrets Manager")),
        }
    }

    async fn parameter(
        &self,
        client: &aws_sdk_ssm::Client,
        id: &str,
        version: Option<&str>,
    ) -> Result<SecretValue> {
        let name = match version {
            None => id.to_owned(),
            // A number; anything else would be taken for a label.
            Some(version) if !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit()) => {
                format!("{id}:{version}")
            }
            Some(_) => return Err(self.missing("there is no such version of the parameter")),
        };
        let found = client
            .get_parameter()
            .name(name)
            .with_decryption(true)
            .send()
            .await
            .map_err(|error| self.of(failed(OPERATION, error)))?;
        let parameter = found
            .parameter
            .ok_or_else(|| self.missing("the parameter has no value; set one in Systems Manager"))?;
        let version = parameter.version().to_string();
        let value = parameter.value.unwrap_or_default();
        Ok(SecretValue::new(value, Some(version)))
    }
}

/// The name or ARN of a parameter; `None` for what is a secret of Secrets Manager.
fn parameter(physical: &str) -> Option<&str> {
    if let Some(name) = physical.strip_prefix(PARAMETER) {
        return Some(name);
    }
    // arn:aws:ssm:eu-west-1:123456789012:parameter/shop/key
    let service = physical.strip_prefix("arn:")?.split(':').nth(1)?;
    (service == "ssm").then_some(physical)
}

#[async_trait]
impl SecretDriver for AwsSecret {
    fn capabilities(&self) -> SecretCapabilities {
        SecretCapabilities { versions: true }
    }

    async fn get(&self, version: Option<&str>) -> Result<SecretValue> {
        match &self.place {
            Place::Secret { client, id } => self.secret(client, id, version).await,
            Place::Parameter { client, id } => self.parameter(client, id, version).await,
        }
    }

    fn as_any(&self) -> &dyn Any {
        match &self.place {
            Place::Secret { client, .. } => client,
            Place::Parameter { client, .. } => client,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parameter;

    #[test]
    fn a_parameter_is_told_from_a_secret_by_its_name() {
        let arn = "arn:aws:ssm:eu-west-1:123456789012:parameter/shop/key";
        assert_eq!(parameter(arn), Some(arn));
        assert_eq!(parameter("ssm:/shop/key"), Some("/shop/key"));
        for secret in [
            "shop/key",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop-AbCdEf",
            "ssmtp-password",
        ] {
            assert_eq!(parameter(secret), None, "{secret}");
        }
    }
}

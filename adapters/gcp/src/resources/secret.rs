//! Secrets in Secret Manager: <https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions/access>.

use std::any::Any;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nephos_core::resource::Binding;
use nephos_core::resource::secret::{SecretCapabilities, SecretDriver, SecretValue};
use nephos_core::wiring;
use nephos_core::{Error, ErrorKind, Result};
use serde::Deserialize;

use super::rest::Rest;
use crate::config::Config;
use crate::error::{status, unreadable};

const OPERATION: &str = "secret.get";

/// The version that is the newest one, whatever its state.
const LATEST: &str = "latest";

/// A secret of Secret Manager: its newest value, unless its name says a version.
#[derive(Debug)]
pub struct GcpSecret {
    rest: Rest,
    name: String,
    /// `projects/p/secrets/s`, or `projects/p/locations/l/secrets/s`.
    secret: String,
    /// The version that its name says.
    version: String,
}

#[derive(Deserialize)]
struct Accessed {
    /// `projects/123/secrets/s/versions/7`
    name: String,
    #[serde(default)]
    payload: Payload,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    #[serde(default)]
    data: String,
    data_crc32c: Option<String>,
}

impl GcpSecret {
    /// Opens the secret whose name the binding holds: `projects/p/secrets/s`, a name within the project, or either with `/versions/7` behind it. A secret of a region
    /// (`projects/p/locations/l/secrets/s`) is asked for there.
    ///
    /// # Errors
    /// As [`wiring::physical`], and [`ErrorKind::InvalidArgument`] if it is no such name.
    pub fn open(config: &Config, binding: &Binding) -> Result<Self> {
        let physical = wiring::physical(binding)?;
        let of = |error: Error| error.with("secret", &binding.name);
        let refused = || {
            of(Error::new(
                ErrorKind::InvalidArgument,
                "context.open",
                "it does not name a secret of Secret Manager (`projects/<project>/secrets/<name>`); check it in nephos.toml, and deploy the function again",
            )
            .with("name", physical))
        };
        let full = config.full_name("secrets", physical).map_err(of)?;
        let parts: Vec<&str> = full.split('/').collect();
        let (place, version) = match parts.as_slice() {
            [place @ .., "versions", version] => (place, *version),
            place => (place, LATEST),
        };
        let region = match place {
            ["projects", _, "secrets", _] => None,
            ["projects", _, "locations", region, "secrets", _] => Some(*region),
            _ => return Err(refused()),
        };
        if !place.iter().copied().all(is_plain) || !is_version(version) {
            return Err(refused());
        }
        let host = region.map_or_else(
            || "secretmanager.googleapis.com".to_owned(),
            |region| format!("secretmanager.{region}.rep.googleapis.com"),
        );
        Ok(Self {
            rest: Rest::new(config, &format!("https://{host}/v1")).map_err(of)?,
            name: binding.name.clone(),
            secret: place.join("/"),
            version: version.to_owned(),
        })
    }

    fn of(&self, error: Error) -> Error {
        error.with("secret", &self.name)
    }

    fn missing(&self, message: &'static str) -> Error {
        self.of(Error::new(ErrorKind::NotFound, OPERATION, message))
    }
}

/// Names are letters, digits, dashes and underscores; a project's may have a domain before it: `example.com:p`.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
        && !text.bytes().all(|byte| byte == b'.')
}

/// A number, `latest`, or an alias.
fn is_version(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// The checksum that Secret Manager has (Castagnoli).
fn crc32c(bytes: &[u8]) -> u64 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes)
}

#[async_trait]
impl SecretDriver for GcpSecret {
    fn capabilities(&self) -> SecretCapabilities {
        SecretCapabilities { versions: true }
    }

    async fn get(&self, version: Option<&str>) -> Result<SecretValue> {
        let version = version.unwrap_or(&self.version);
        // It becomes a part of a URL.
        if !is_version(version) {
            return Err(self.missing("there is no such version of the secret"));
        }
        let path = format!("/{}/versions/{version}:access", self.secret);
        let found: Accessed = match self.rest.get(OPERATION, &path).await {
            Ok(found) => found,
            Err(error) if status(&error) == Some("NOT_FOUND") && version == LATEST => {
                return Err(self
                    .missing("there is no such secret, or it has no value; set one in Secret Manager")
                    .caused_by(error));
            }
            // An alias that cannot be one is no version either.
            Err(error) if matches!(status(&error), Some("NOT_FOUND" | "INVALID_ARGUMENT")) => {
                return Err(self
                    .missing("there is no such version of the secret")
                    .caused_by(error));
            }
            Err(error) if status(&error) == Some("FAILED_PRECONDITION") => {
                return Err(self
                    .missing(
                        "the version of the secret is disabled or destroyed; enable it, or add another one",
                    )
                    .caused_by(error));
            }
            Err(error) => return Err(self.of(error)),
        };
        let damaged = |what: &'static str| self.of(unreadable(OPERATION, what));
        let value = STANDARD
            .decode(&found.payload.data)
            .map_err(|_| damaged("the value is no Base64"))?;
        // <https://cloud.google.com/secret-manager/docs/data-integrity>
        if let Some(sum) = &found.payload.data_crc32c
            && sum.parse() != Ok(crc32c(&value))
        {
            return Err(damaged("the value is not the one of its checksum"));
        }
        let version = found.name.rsplit('/').next().map(str::to_owned);
        Ok(SecretValue::new(value, version))
    }

    fn as_any(&self) -> &dyn Any {
        // There is no client of Google's underneath; this one sends what it is given.
        &self.rest
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use nephos_core::resource::ResourceKind;

    use super::*;
    use crate::config::PROJECT;

    fn open(physical: &str) -> Result<GcpSecret> {
        let binding = Binding {
            name: "api-key".to_owned(),
            kind: ResourceKind::Secret,
            access: BTreeSet::new(),
            url: None,
            properties: BTreeMap::from([(wiring::PHYSICAL.to_owned(), physical.to_owned())]),
        };
        let config = Config::load(&[(PROJECT, "shop")].into_iter().collect())?;
        GcpSecret::open(&config, &binding)
    }

    #[tokio::test]
    async fn a_secret_is_found_by_its_name() {
        for (physical, secret, version) in [
            ("api-key", "projects/shop/secrets/api-key", "latest"),
            ("projects/p/secrets/k", "projects/p/secrets/k", "latest"),
            ("projects/p/secrets/k/versions/7", "projects/p/secrets/k", "7"),
            (
                "projects/example.com:p/locations/europe-west1/secrets/k",
                "projects/example.com:p/locations/europe-west1/secrets/k",
                "latest",
            ),
        ] {
            let found = open(physical).unwrap();
            assert_eq!((found.secret.as_str(), found.version.as_str()), (secret, version));
            for version in ["../other", "", "1:access?x="] {
                let error = found.get(Some(version)).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::NotFound, "{version}");
            }
        }
        let region = open("projects/p/locations/europe-west1/secrets/k").unwrap();
        assert!(format!("{:?}", region.rest).contains("secretmanager.europe-west1.rep.googleapis.com"));
    }

    #[test]
    fn what_is_no_secret_is_refused_when_it_is_opened() {
        for physical in [
            "projects/p/topics/k",
            "projects/p/secrets/",
            "projects/p/secrets/../k",
            "projects/p/secrets/a%2Fb",
            "projects/p/secrets/k/versions/",
            "projects/p/secrets/k/versions/1/more",
        ] {
            let error = open(physical).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{physical}");
        }
    }

    #[test]
    fn the_checksum_is_the_one_of_the_standard() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }
}

//! A registry, and what is sent to it: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>.

use std::fmt;
use std::time::Duration;

use http::{HeaderValue, StatusCode};
use nephos_core::{Error, ErrorKind, Result};
use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, RegistryOperation};

use crate::image::{Image, MANIFEST_TYPE};

const OPERATION: &str = "deploy.image";
/// How long it may take to connect, and until more of an answer comes: a large layer is looked through before it is answered for.
const CONNECT: Duration = Duration::from_secs(10);
const READ: Duration = Duration::from_secs(120);
/// How often something is sent, and the pause before the second time, which doubles: registries answer 429 and 5xx at times.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(500);

/// By what who pushes proves who they are.
#[derive(Clone)]
pub enum Credentials {
    /// Nobody is asked.
    Anonymous,
    /// A name and a password, or whatever the registry wants in its place.
    Password {
        /// The name.
        user: String,
        /// The password. It is never told.
        password: String,
    },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("Anonymous"),
            Self::Password { user, .. } => f
                .debug_struct("Password")
                .field("user", user)
                .finish_non_exhaustive(),
        }
    }
}

/// By which way registries are reached, where it is not the one that the process's variables and the machine's authorities say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Way {
    /// The URL of a proxy for HTTPS.
    pub proxy: Option<String>,
    /// Authorities that are trusted besides, as PEM.
    pub authorities: Vec<String>,
}

/// A place for images in a registry.
pub struct Registry {
    client: Client,
    host: String,
    repository: String,
    credentials: RegistryAuth,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("host", &self.host)
            .field("repository", &self.repository)
            .finish_non_exhaustive()
    }
}

/// What was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The image's full reference, with its digest: `<host>/<repository>@sha256:…`.
    pub reference: String,
    /// How many bytes were sent; 0 if the registry had it all.
    pub sent: usize,
}

impl Registry {
    /// The repository (`project/images/app`) of the registry at this host. The process has chosen who does the cryptography of TLS before; a host of the loopback
    /// interface is asked without TLS. No I/O.
    #[must_use]
    pub fn new(host: &str, repository: &str, credentials: &Credentials) -> Self {
        Self::by(host, repository, credentials, &Way::default())
    }

    /// The same, reached by this way.
    #[must_use]
    pub fn by(host: &str, repository: &str, credentials: &Credentials, way: &Way) -> Self {
        let authority = |pem: &String| Certificate {
            encoding: CertificateEncoding::Pem,
            data: pem.clone().into_bytes(),
        };
        let client = Client::new(ClientConfig {
            protocol: if is_loopback(host) {
                ClientProtocol::Http
            } else {
                ClientProtocol::Https
            },
            // In one piece each: some registries take no other.
            use_monolithic_push: true,
            connect_timeout: Some(CONNECT),
            read_timeout: Some(READ),
            user_agent: concat!("nephos/", env!("CARGO_PKG_VERSION")),
            https_proxy: way.proxy.clone(),
            extra_root_certificates: way.authorities.iter().map(authority).collect(),
            ..ClientConfig::default()
        });
        let credentials = match credentials {
            Credentials::Anonymous => RegistryAuth::Anonymous,
            Credentials::Password { user, password } => RegistryAuth::Basic(user.clone(), password.clone()),
        };
        Self {
            client,
            host: host.to_owned(),
            repository: repository.to_owned(),
            credentials,
        }
    }

    /// The full reference of an image, whether it is there or not.
    #[must_use]
    pub fn reference(&self, image: &Image) -> String {
        format!("{}/{}@{}", self.host, self.repository, image.digest())
    }

    /// Sends what the registry does not have of the image, and names it by this tag. May be called again after it was cut off at any point: the image is there once its manifest is, which is sent last.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`] or [`ErrorKind::PermissionDenied`] if the registry refuses who pushes, [`ErrorKind::NotFound`] if it has no such repository,
    /// [`ErrorKind::Unavailable`] if it does not answer.
    pub async fn push(&self, image: &Image, tag: &str) -> Result<Pushed> {
        let by_tag = Reference::with_tag(self.host.clone(), self.repository.clone(), tag.to_owned());
        self.again(|| {
            self.client
                .auth(&by_tag, &self.credentials, RegistryOperation::Push)
        })
        .await?;
        self.again(|| {
            self.client
                .auth(&by_tag, &self.credentials, RegistryOperation::Pull)
        })
        .await?;
        let mut sent = 0;
        let layers = image.layers.iter().map(|layer| (&layer.digest, &layer.bytes));
        for (digest, bytes) in layers.chain([(&image.config_digest, &image.config)]) {
            if self.again(|| self.client.blob_exists(&by_tag, digest)).await? {
                continue;
            }
            let bytes = bytes::Bytes::copy_from_slice(bytes);
            self.again(|| self.client.push_blob(&by_tag, bytes.clone(), digest))
                .await?;
            sent += bytes.len();
        }
        if self.digest_of(&by_tag).await?.as_deref() != Some(image.digest()) {
            let media_type = HeaderValue::from_static(MANIFEST_TYPE);
            self.again(|| {
                self.client
                    .push_manifest_raw(&by_tag, image.manifest.clone(), media_type.clone())
            })
            .await?;
            sent += image.manifest.len();
        }
        Ok(Pushed {
            reference: self.reference(image),
            sent,
        })
    }

    /// The digest of the manifest that is there by this name.
    async fn digest_of(&self, image: &Reference) -> Result<Option<String>> {
        let found = self
            .again(|| async {
                match self.client.fetch_manifest_digest(image, &self.credentials).await {
                    Ok(digest) => Ok(Some(digest)),
                    Err(error) if is_absent(&error) => Ok(None),
                    Err(error) => Err(error),
                }
            })
            .await?;
        Ok(found)
    }

    /// Tries again where that can help.
    async fn again<T, F>(&self, request: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = std::result::Result<T, OciDistributionError>>,
    {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            match request().await {
                Err(error) if is_transient(&error) => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                other => return other.map_err(|error| self.failed(error)),
            }
        }
        request().await.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: OciDistributionError) -> Error {
        let (kind, message) = meaning(&error);
        Error::new(kind, OPERATION, message)
            .with("registry", &self.host)
            .with("repository", &self.repository)
            .caused_by(error)
    }
}

fn is_loopback(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name == "localhost"
        || name
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn status(error: &OciDistributionError) -> Option<StatusCode> {
    match error {
        OciDistributionError::ServerError { code, .. } => StatusCode::from_u16(*code).ok(),
        OciDistributionError::RequestError(error) => error.status(),
        _ => None,
    }
}

fn codes(error: &OciDistributionError) -> &[oci_client::errors::OciError] {
    match error {
        OciDistributionError::RegistryError { envelope, .. } => &envelope.errors,
        _ => &[],
    }
}

fn is_absent(error: &OciDistributionError) -> bool {
    matches!(error, OciDistributionError::ImageManifestNotFoundError(_))
        || status(error) == Some(StatusCode::NOT_FOUND)
        || codes(error)
            .iter()
            .any(|error| matches!(error.code, OciErrorCode::ManifestUnknown | OciErrorCode::NotFound))
}

fn is_transient(error: &OciDistributionError) -> bool {
    let by_status = status(error).is_some_and(|status| {
        status.is_server_error()
            || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status)
    });
    let unsent = matches!(error, OciDistributionError::RequestError(error) if error.status().is_none() && !error.is_builder());
    by_status
        || unsent
        || codes(error)
            .iter()
            .any(|error| matches!(error.code, OciErrorCode::Toomanyrequests))
}

fn meaning(error: &OciDistributionError) -> (ErrorKind, &'static str) {
    let has = |wanted: &[OciErrorCode]| codes(error).iter().any(|error| wanted.contains(&error.code));
    let status = status(error).map(|status| status.as_u16());
    match error {
        OciDistributionError::UnauthorizedError { .. } | OciDistributionError::AuthenticationFailure(_) => (
            ErrorKind::Unauthenticated,
            "the registry does not take who pushes; sign in again, and check that the account may write to the repository",
        ),
        _ if has(&[OciErrorCode::Unauthorized]) || status == Some(401) => (
            ErrorKind::Unauthenticated,
            "the registry does not take who pushes; sign in again, and check that the account may write to the repository",
        ),
        _ if has(&[OciErrorCode::Denied]) || status == Some(403) => (
            ErrorKind::PermissionDenied,
            "the registry lets this account not write to the repository; give it the right to push images",
        ),
        _ if has(&[OciErrorCode::NameUnknown]) || status == Some(404) => (
            ErrorKind::NotFound,
            "the registry has no such repository; deploy again, which makes it where it can",
        ),
        _ if is_transient(error) => (
            ErrorKind::Unavailable,
            "the registry did not answer, or has no time; try again",
        ),
        _ => (
            ErrorKind::Unavailable,
            "the registry did not take the image; its answer is the cause",
        ),
    }
}

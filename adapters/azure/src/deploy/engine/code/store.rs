//! Where a site's packages lie: in the container that One Deploy has for it, below a folder of ours.

use std::sync::Arc;
use std::time::{Duration, Instant};

use azure_core::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use chrono::Utc;
use nephos_core::deploy::Progress;
use nephos_core::resource::bucket::{Bucket, BucketDriver};
use nephos_core::resource::{Access, Binding, Drivers as _, ResourceKind};
use nephos_core::wiring::PHYSICAL;
use nephos_core::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde_json::json;

use super::Releases;
use crate::deploy::engine::arm::SCOPE;
use crate::deploy::engine::{AzureDeployer, Place};
use crate::deploy::package::Content;
use crate::resources::AzureDrivers;

const LIST: &str = "nephos/releases.json";
/// How often a list is written again that somebody else wrote meanwhile.
const ATTEMPTS: usize = 5;
/// How long a role that was just given may take to hold: <https://learn.microsoft.com/azure/role-based-access-control/troubleshooting#symptom---role-assignment-changes-are-not-being-detected>.
const PROPAGATION: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_secs(5);
/// Storage Blob Data Contributor: <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles>.
const CONTRIBUTOR: &str = "ba92f5b4-2d11-453d-a403-e96b0029c9fe";
const ROLES: &str = "2022-04-01";

/// The packages of one site.
#[derive(Debug, Clone)]
pub(in super::super) struct Store {
    bucket: Bucket,
    account: String,
}

impl AzureDeployer {
    /// The store of a site's packages.
    pub(in super::super) fn store(&self, place: &Place, content: &Content) -> Result<Store> {
        let account = self.storage(place)?;
        let physical = format!("https://{account}.blob.core.windows.net/{}", content.container);
        let binding = Binding {
            name: content.container.clone(),
            kind: ResourceKind::Bucket,
            access: ResourceKind::Bucket.access().iter().copied().collect(),
            url: None,
            properties: [(PHYSICAL.to_owned(), physical)].into(),
        };
        let driver: Arc<dyn BucketDriver> = AzureDrivers::new(&place.config).bucket(&binding)?;
        let access = [Access::Read, Access::Write, Access::Delete];
        Ok(Store {
            bucket: Bucket::with_access(&binding.name, driver, access.into()),
            account,
        })
    }

    /// Lets whoever deploys read and write packages.
    async fn grant(&self, place: &Place, account: &str, operation: &'static str) -> Result<()> {
        let principal = principal(place, operation).await?;
        let scope = format!(
            "{}/providers/Microsoft.Storage/storageAccounts/{account}",
            place.group
        );
        let digest =
            nephos_core::deploy::archive::sha256(format!("{scope} {principal} {CONTRIBUTOR}").as_bytes());
        let digest: Vec<u8> = digest.bytes().take(16).collect();
        let name = uuid::Builder::from_random_bytes(digest.try_into().unwrap_or_default()).into_uuid();
        let path =
            format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}?api-version={ROLES}");
        let body = json!({"properties": {
            "roleDefinitionId": format!("/subscriptions/{}/providers/Microsoft.Authorization/roleDefinitions/{CONTRIBUTOR}", place.subscription),
            "principalId": principal,
        }});
        match place.arm.call(operation, Method::Put, &path, Some(&body)).await {
            Ok(_) => Ok(()),
            // The same under another name.
            Err(error) if crate::error::code(&error) == Some("RoleAssignmentExists") => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Who deploys, by the id that roles are given to.
async fn principal(place: &Place, operation: &'static str) -> Result<String> {
    #[derive(Deserialize)]
    struct Claims {
        oid: String,
    }
    let token = place.config.credential().get_token(&[SCOPE], None).await;
    let token = token.map_err(|error| crate::error::failed(operation, error))?;
    // https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
    let claims: Option<Claims> = (token.token.secret().split('.').nth(1))
        .and_then(|part| URL_SAFE_NO_PAD.decode(part).ok())
        .and_then(|bytes| serde_json::from_slice(&bytes).ok());
    claims.map(|claims| claims.oid).ok_or_else(|| {
        Error::new(
            ErrorKind::PermissionDenied,
            operation,
            "whoever deploys may not write packages, and their token does not say who they are, so that no role can be given to them; give them the role Storage Blob Data Contributor on the storage account, and run the same command again",
        )
    })
}

impl Store {
    /// The list of releases; an empty one where there is none.
    pub(in super::super) async fn releases(&self, operation: &'static str) -> Result<Releases> {
        match self.bucket.get(LIST).await {
            Ok(bytes) => read(&bytes, operation),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Releases::default()),
            // Who may not read packages yet gets the role when they write.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(Releases::default()),
            Err(error) => Err(error),
        }
    }

    /// The same once whoever deploys may write; gives them the role for that if they may not.
    pub(super) async fn may_write(
        &self,
        deployer: &AzureDeployer,
        place: &Place,
        operation: &'static str,
        progress: &Progress,
    ) -> Result<Releases> {
        let until = Instant::now() + PROPAGATION;
        let mut granted = false;
        loop {
            match self.bucket.get(LIST).await {
                Ok(bytes) => return read(&bytes, operation),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Releases::default()),
                Err(error) if error.kind() != ErrorKind::PermissionDenied => return Err(error),
                Err(error) if granted && Instant::now() >= until => return Err(error),
                Err(_) if granted => tokio::time::sleep(LOOK).await,
                Err(_) => {
                    progress.phase("giving whoever deploys the role to write packages, which may take some minutes to hold");
                    deployer.grant(place, &self.account, operation).await?;
                    granted = true;
                }
            }
        }
    }

    /// Keeps a package.
    pub(super) async fn keep(&self, package: &str, bytes: Bytes) -> Result<()> {
        self.bucket.put(&key(package), bytes).await.map(drop)
    }

    /// A package that was kept.
    pub(in super::super) async fn package(&self, package: &str) -> Result<Bytes> {
        self.bucket.get(&key(package)).await
    }

    /// Writes down that the site runs a package, and removes those that are too old.
    pub(super) async fn release(&self, package: &str, operation: &'static str) -> Result<()> {
        let mut gone = Vec::new();
        self.change(operation, |releases| gone = releases.publish(package, Utc::now()))
            .await?;
        for package in gone {
            // What is left over is no harm.
            let _ = self.bucket.delete(&key(&package)).await;
        }
        Ok(())
    }

    /// Writes down that the site runs an earlier version.
    pub(in super::super) async fn went_back(&self, version: u64, operation: &'static str) -> Result<()> {
        self.change(operation, |releases| releases.go_back(version)).await
    }

    async fn change(&self, operation: &'static str, mut change: impl FnMut(&mut Releases)) -> Result<()> {
        for attempt in 1..=ATTEMPTS {
            let (mut releases, etag) = match self.bucket.open(LIST).await {
                Ok(object) => {
                    let etag = object.meta.etag.clone();
                    (read(&object.bytes().await?, operation)?, etag)
                }
                Err(error) if error.kind() == ErrorKind::NotFound => (Releases::default(), None),
                Err(error) => return Err(error),
            };
            change(&mut releases);
            let text = serde_json::to_vec_pretty(&releases).map_err(|error| {
                Error::new(
                    ErrorKind::Internal,
                    operation,
                    "the list of packages cannot be written as JSON",
                )
                .caused_by(error)
            })?;
            let written = match &etag {
                Some(etag) => self.bucket.put_if_match(LIST, text, etag).await,
                None => self.bucket.put_if_absent(LIST, text).await,
            };
            match written {
                Ok(_) => return Ok(()),
                Err(error)
                    if attempt < ATTEMPTS
                        && matches!(error.kind(), ErrorKind::Conflict | ErrorKind::AlreadyExists) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn key(package: &str) -> String {
    format!("nephos/packages/{package}.zip")
}

fn read(bytes: &[u8], operation: &'static str) -> Result<Releases> {
    serde_json::from_slice(bytes).map_err(|error| {
        Error::new(
            ErrorKind::Decode,
            operation,
            "the list of a site's packages cannot be read; remove it (`nephos/releases.json` in the site's container), and deploy again",
        )
        .caused_by(error)
    })
}

//! The functions' code: packages, the store of those that were published, and how one comes to its site.
//!
//! A site's own container of packages keeps the last ones, and a list of them, so that there is a way back. The site itself gets a package by One Deploy:
//! <https://learn.microsoft.com/azure/azure-functions/flex-consumption-how-to#deploy-your-code-project>.

mod publish;
mod releases;
mod store;

use futures::{StreamExt as _, TryStreamExt as _};
use nephos_core::deploy::archive::sha256;
use nephos_core::deploy::{Happening, Progress, StepState};
use nephos_core::plan::{Action, Data, Part, Step};
use nephos_core::{Error, ErrorKind, Result};

pub(super) use self::releases::Releases;
use super::{AzureDeployer, Place};
use crate::deploy::package::{self, Content, Handler};

/// The kind of a package in plans and progress.
pub(super) const PACKAGE: &str = "package";
/// How many sites get their package side by side.
const SIDE_BY_SIDE: usize = 4;

/// A site and what tells the package that it is to run from others. Packages themselves are made one by one: an app may have hundreds.
#[derive(Debug)]
pub(super) struct SitePackage {
    pub(super) content: Content,
    pub(super) fingerprint: String,
}

impl AzureDeployer {
    /// The functions' binary.
    pub(super) fn binary(&self) -> Result<&[u8]> {
        self.deployment.binary.as_deref().ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidArgument,
                "deploy.package",
                "this needs the functions' binary; build it first",
            )
        })
    }

    /// It as packages have it, packed once.
    fn handler(&self) -> Result<&Handler> {
        if let Some(handler) = self.handler.get() {
            return Ok(handler);
        }
        let handler = Handler::new(self.binary()?)?;
        Ok(self.handler.get_or_init(|| handler))
    }

    /// The packages of all sites.
    pub(super) fn packages(&self, place: &Place) -> Result<Vec<SitePackage>> {
        let binary = sha256(self.binary()?);
        let contents = self.contents(place)?.into_iter();
        Ok(contents
            .map(|content| SitePackage {
                fingerprint: content.fingerprint(&binary),
                content,
            })
            .collect())
    }

    /// What the sites lack of the packages.
    pub(super) async fn package_steps(
        &self,
        place: &Place,
        packages: &[SitePackage],
        deployed: bool,
    ) -> Result<Vec<Step>> {
        let mut steps = Vec::new();
        for site in packages {
            let releases = if deployed {
                self.store(place, &site.content)?
                    .releases("deploy.preview")
                    .await?
            } else {
                Releases::default()
            };
            let action = match releases.active() {
                Some(active) if active.package == site.fingerprint => continue,
                Some(_) => Action::Update,
                None => Action::Create,
            };
            steps.push(Step {
                action,
                part: part(&site.content),
                kind: PACKAGE.to_owned(),
                id: site.content.site.clone(),
                why: (action == Action::Update).then(|| "other code, triggers or bindings".to_owned()),
                data: Data::Untouched,
            });
        }
        Ok(steps)
    }

    /// Brings each site the package that it lacks.
    pub(super) async fn publish_all(
        &self,
        place: &Place,
        packages: &[SitePackage],
        progress: &Progress,
    ) -> Result<()> {
        let works = packages
            .iter()
            .map(|site| self.publish_one(place, site, progress));
        let works: Vec<_> = works.collect();
        futures::stream::iter(works)
            .buffer_unordered(SIDE_BY_SIDE)
            .try_collect::<Vec<()>>()
            .await
            .map(drop)
    }

    async fn publish_one(&self, place: &Place, site: &SitePackage, progress: &Progress) -> Result<()> {
        let operation = "deploy.apply";
        let content = &site.content;
        let store = self.store(place, content)?;
        let releases = store.may_write(self, place, operation, progress).await?;
        if releases
            .active()
            .is_some_and(|active| active.package == site.fingerprint)
        {
            return Ok(());
        }
        let tell = |state, reason: Option<String>| {
            progress.tell(Happening::Step {
                action: Action::Update,
                part: part(content),
                kind: PACKAGE.to_owned(),
                id: content.site.clone(),
                state,
                reason,
            });
        };
        tell(StepState::Started, None);
        let package = bytes::Bytes::from(package::pack(content, self.handler()?)?.bytes);
        store.keep(&site.fingerprint, package.clone()).await?;
        let published = self.publish(place, &content.site, package, operation).await;
        published
            .inspect_err(|error| tell(StepState::Failed, Some(error.to_string())))
            .map_err(|error| error.with("function", &content.function))?;
        store.release(&site.fingerprint, operation).await?;
        tell(StepState::Done, None);
        Ok(())
    }
}

/// What of the manifest a site is for.
pub(super) fn part(content: &Content) -> Part {
    Part::Function {
        name: content.function.clone(),
    }
}

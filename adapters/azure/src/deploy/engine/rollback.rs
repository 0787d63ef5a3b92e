//! The way back: to the packages that the functions' sites ran before.

use nephos_core::deploy::{Happening, Moved, Progress, StepState};
use nephos_core::plan::Action;
use nephos_core::{Error, ErrorKind, Result};

use super::AzureDeployer;
use super::code::{PACKAGE, part};

const OPERATION: &str = "deploy.rollback";

impl AzureDeployer {
    pub(super) async fn roll_back(&self, names: &[String], progress: &Progress) -> Result<Vec<Moved>> {
        let place = self.place(OPERATION).await?;
        let contents = self.chosen(&place, names, OPERATION).await?;
        // All are looked at before any is moved.
        let mut moves = Vec::new();
        for content in contents {
            let store = self.store(&place, &content)?;
            let releases = store.releases(OPERATION).await?;
            let current = releases
                .active()
                .map_or_else(|| "none".to_owned(), |active| active.version.to_string());
            match releases.before().cloned() {
                Some(to) => moves.push((content, store, current, to)),
                None if names.is_empty() => {
                    progress.note(format!(
                        "{} has no version before {current}; it stays",
                        content.folder
                    ));
                }
                None => {
                    return Err(Error::new(
                        ErrorKind::NotFound,
                        OPERATION,
                        "there is no version before the one that takes events now",
                    )
                    .with("function", content.function)
                    .with("version", current));
                }
            }
        }
        let mut moved: Vec<Moved> = Vec::new();
        for (content, store, from, to) in moves {
            let package = store.package(&to.package).await?;
            self.publish(&place, &content.site, package, OPERATION)
                .await
                .map_err(|error| error.with("function", &content.function))?;
            store.went_back(to.version, OPERATION).await?;
            progress.tell(Happening::Step {
                action: Action::Update,
                part: part(&content),
                kind: PACKAGE.to_owned(),
                id: content.site,
                state: StepState::Done,
                reason: Some(format!("version {} instead of {from}", to.version)),
            });
            // A function's second site goes along.
            if moved.last().is_none_or(|last| last.function != content.function) {
                moved.push(Moved {
                    function: content.function,
                    from,
                    to: to.version.to_string(),
                });
            }
        }
        Ok(moved)
    }
}

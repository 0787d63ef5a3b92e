//! The image of the app's binary: made here, and pushed to the app's own repository of Artifact Registry.
//!
//! <https://cloud.google.com/artifact-registry/docs/docker/authentication#token>

use std::collections::BTreeMap;

use nephos_core::deploy::Progress;
use nephos_core::{Error, ErrorKind, Result};
use nephos_oci::{Credentials, Registry};

use super::kinds::last;
use super::{GcpDeployer, Place};
use crate::config::choose_cryptography;
use crate::deploy::graph::{Graph, Kind, Node};

pub(super) use nephos_oci::Image;

/// The user whose password is a token.
const USER: &str = "oauth2accesstoken";
/// How much of the digest a tag is: enough that no two of an app are alike.
const TAG: usize = 16;

impl GcpDeployer {
    /// The image of the binary.
    pub(super) fn image(&self, operation: &'static str) -> Result<&Image> {
        if let Some(image) = self.image.get() {
            return Ok(image);
        }
        let binary = self.deployment.binary.as_deref().ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidArgument,
                operation,
                "the functions' binary is missing; build it first",
            )
        })?;
        let image = Image::of_binary(binary, &BTreeMap::new())?;
        Ok(self.image.get_or_init(|| image))
    }

    /// The graph with the image in it.
    pub(super) fn graph_of_image(&self, place: &Place) -> Result<Graph> {
        let image = self.image(place.api.operation)?;
        let names = self.graph(place, None)?;
        let reference = (repository(&names))
            .map(|repository| {
                place
                    .registry(repository, String::new())
                    .map(|registry| registry.reference(image))
            })
            .transpose()?;
        self.graph(place, reference)
    }
}

/// The repository of a graph; an app without functions has none.
pub(super) fn repository(graph: &Graph) -> Option<&Node> {
    graph.nodes.values().find(|node| node.kind == Kind::Repository)
}

impl Place {
    fn registry(&self, repository: &Node, token: String) -> Result<Registry> {
        choose_cryptography();
        let (host, path) = location(&repository.name, &self.app);
        let credentials = Credentials::Password {
            user: USER.to_owned(),
            password: token,
        };
        Ok(Registry::by(
            &host,
            &path,
            &credentials,
            self.api.config().https().registries(),
        ))
    }

    /// Sends what the repository does not have of the image.
    pub(super) async fn push(&self, repository: &Node, image: &Image, progress: &Progress) -> Result<()> {
        progress.phase(format!("pushing the image, {} at most", size(image.size())));
        let token = self.api.config().identity().token(self.api.operation).await?;
        let digest = image.digest().trim_start_matches("sha256:");
        let tag = digest.get(..TAG).unwrap_or(digest);
        self.registry(repository, token)?.push(image, tag).await.map(drop)
    }
}

/// Host and path of an app's images in a repository: <https://cloud.google.com/artifact-registry/docs/docker/names>.
fn location(repository: &str, app: &str) -> (String, String) {
    let part = |index: usize| repository.split('/').nth(index).unwrap_or_default();
    let host = format!("{}-docker.pkg.dev", part(3));
    // Of a project of an old organisation, `example.com:p` is `example.com/p`.
    let project = part(1).replace(':', "/");
    (host, format!("{project}/{}/{app}", last(repository)))
}

fn size(bytes: usize) -> String {
    let tenths = bytes * 10 / (1024 * 1024);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_apps_images_have_their_place_in_its_repository() {
        assert_eq!(
            location("projects/p/locations/europe-west1/repositories/shop-gcp", "shop"),
            (
                "europe-west1-docker.pkg.dev".to_owned(),
                "p/shop-gcp/shop".to_owned()
            )
        );
        assert_eq!(
            location("projects/example.com:p/locations/r/repositories/x", "a").1,
            "example.com/p/x/a"
        );
        assert_eq!(size(2_202_010), "2.1 MiB");
    }
}

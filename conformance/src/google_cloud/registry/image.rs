//! An image of the registry, as what runs it reads it.

use bytes::Bytes;
use serde_json::Value;

use super::manifests::{INDEXES, find};
use super::{Contents, HOSTS, Name};
use crate::google_cloud::state::{Shared, State};

/// An image, for Linux on `amd64`.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// The digest of its manifest.
    pub digest: String,
    /// Its configuration: <https://github.com/opencontainers/image-spec/blob/main/config.md>.
    pub config: Value,
    /// From the lowest.
    pub layers: Vec<Layer>,
}

/// A layer of an image: <https://github.com/opencontainers/image-spec/blob/main/layer.md>.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// How it is packed: `application/vnd.oci.image.layer.v1.tar+gzip`.
    pub media_type: String,
    /// Its bytes.
    pub content: Bytes,
}

impl State {
    /// An image by its reference (`europe-west1-docker.pkg.dev/p/r/i@sha256:…`, or with a tag); none if there is none.
    pub(in crate::google_cloud) fn image(&self, shared: &Shared, reference: &str) -> Option<Image> {
        let (host, rest) = reference.split_once('/')?;
        let region = host.strip_suffix(HOSTS)?;
        let (name, version) = match rest.split_once('@') {
            // A tag before a digest says nothing more.
            Some((name, digest)) => (name.split(':').next()?, digest),
            None => rest.rsplit_once(':').unwrap_or((rest, "latest")),
        };
        let name = Name::read(region, name).ok()?;
        let is_ours = name
            .repository
            .starts_with(&format!("projects/{}/", shared.options.project));
        let contents = self.registry.repositories.get(&name.repository)?;
        if is_ours {
            read(contents, &name.image, version)
        } else {
            None
        }
    }
}

fn read(contents: &Contents, image: &str, version: &str) -> Option<Image> {
    let (digest, manifest) = find(contents, image, version)?;
    let body: Value = serde_json::from_slice(&manifest.content).ok()?;
    if INDEXES.contains(&manifest.media_type.as_str()) {
        let fits = |entry: &&Value| {
            entry["platform"]["os"] == "linux" && entry["platform"]["architecture"] == "amd64"
        };
        let entry = body["manifests"].as_array()?.iter().find(fits)?;
        return read(contents, image, entry["digest"].as_str()?);
    }
    let blob = |descriptor: &Value| contents.blobs.get(descriptor["digest"].as_str()?);
    let layers = body["layers"].as_array()?.iter().map(|layer| {
        Some(Layer {
            media_type: layer["mediaType"].as_str()?.to_owned(),
            content: blob(layer)?.clone(),
        })
    });
    Some(Image {
        digest: digest.to_owned(),
        config: serde_json::from_slice(blob(&body["config"])?).ok()?,
        layers: layers.collect::<Option<_>>()?,
    })
}

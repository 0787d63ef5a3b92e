//! The image: its layers, its configuration and its manifest (<https://github.com/opencontainers/image-spec>).

use std::collections::BTreeMap;

use nephos_core::Result;
use nephos_core::deploy::archive::sha256;
use serde_json::{Value, json};

use crate::base;
use crate::elf::{Architecture, architecture};
use crate::layer::{Entry, Layer};

/// What a container starts.
pub const ENTRYPOINT: &str = "/nephos/function";
/// As whom it starts it, and in which group: nobody with rights of their own.
pub const USER: &str = "65532:65532";

pub(crate) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// An image of a static binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    pub(crate) layers: Vec<Layer>,
    pub(crate) config: Vec<u8>,
    pub(crate) config_digest: String,
    pub(crate) manifest: Vec<u8>,
    digest: String,
    architecture: Architecture,
}

impl Image {
    /// An image that starts this binary, as [`USER`], with nothing around it but certificates and a `/tmp`. The same binary and labels give the same image, whenever and wherever it is made.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](nephos_core::ErrorKind::InvalidArgument) if the binary is no static program of Linux.
    pub fn of_binary(binary: &[u8], labels: &BTreeMap<String, String>) -> Result<Self> {
        let architecture = architecture(binary)?;
        let program = [
            Entry::folder("nephos/", 0o755),
            Entry::file(ENTRYPOINT.trim_start_matches('/'), 0o755, binary.to_vec()),
        ];
        let layers = vec![Layer::of(&base::entries())?, Layer::of(&program)?];
        let config = config(architecture, labels, &layers).to_string().into_bytes();
        let config_digest = format!("sha256:{}", sha256(&config));
        let manifest = manifest(&config, &config_digest, &layers)
            .to_string()
            .into_bytes();
        Ok(Self {
            digest: format!("sha256:{}", sha256(&manifest)),
            layers,
            config,
            config_digest,
            manifest,
            architecture,
        })
    }

    /// The digest of its manifest, by which a registry hands out exactly this image: `sha256:…`.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The processor that it is for.
    #[must_use]
    pub const fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// How many bytes its parts are, as they are sent.
    #[must_use]
    pub fn size(&self) -> usize {
        let layers: usize = self.layers.iter().map(|layer| layer.bytes.len()).sum();
        layers + self.config.len() + self.manifest.len()
    }
}

/// <https://github.com/opencontainers/image-spec/blob/main/config.md>.
fn config(architecture: Architecture, labels: &BTreeMap<String, String>, layers: &[Layer]) -> Value {
    let contents: Vec<&str> = layers.iter().map(|layer| layer.content_digest.as_str()).collect();
    json!({
        "architecture": architecture.name(),
        "os": "linux",
        "config": {
            "Entrypoint": [ENTRYPOINT],
            "User": USER,
            "WorkingDir": "/tmp",
            "Labels": labels,
        },
        "rootfs": {"type": "layers", "diff_ids": contents},
    })
}

/// <https://github.com/opencontainers/image-spec/blob/main/manifest.md>.
fn manifest(config: &[u8], config_digest: &str, layers: &[Layer]) -> Value {
    let layer =
        |layer: &Layer| json!({"mediaType": LAYER_TYPE, "digest": layer.digest, "size": layer.bytes.len()});
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "digest": config_digest, "size": config.len()},
        "layers": layers.iter().map(layer).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::tests::program;

    fn labels(name: &str) -> BTreeMap<String, String> {
        [("org.opencontainers.image.title".to_owned(), name.to_owned())].into()
    }

    #[test]
    fn the_same_binary_gives_the_same_image_and_another_only_another_layer_of_its_own() {
        let one = Image::of_binary(&program(62, &[1]), &labels("a")).unwrap();
        assert_eq!(one, Image::of_binary(&program(62, &[1]), &labels("a")).unwrap());
        let two = Image::of_binary(&program(62, &[1, 1]), &labels("a")).unwrap();
        assert_ne!(one.digest(), two.digest());
        assert_eq!(one.layers[0], two.layers[0]);
        assert_ne!(one.layers[1].digest, two.layers[1].digest);
        assert_ne!(
            one.digest(),
            Image::of_binary(&program(62, &[1]), &labels("b"))
                .unwrap()
                .digest()
        );
        assert!(one.size() > one.layers[0].bytes.len());
    }

    #[test]
    fn manifest_and_configuration_are_what_their_specifications_say() {
        let image = Image::of_binary(&program(183, &[1]), &labels("a")).unwrap();
        assert_eq!(image.architecture(), Architecture::Arm64);
        // By the types of a crate that reads what registries hold.
        let manifest: oci_client::manifest::OciImageManifest =
            serde_json::from_slice(&image.manifest).unwrap();
        assert_eq!(manifest.config.digest, image.config_digest);
        assert_eq!(manifest.layers.len(), 2);
        for (described, layer) in manifest.layers.iter().zip(&image.layers) {
            assert_eq!(described.digest, layer.digest);
            assert_eq!(usize::try_from(described.size).unwrap(), layer.bytes.len());
        }
        let config: oci_client::config::ConfigFile = serde_json::from_slice(&image.config).unwrap();
        assert_eq!(config.architecture.to_string(), "arm64");
        let started = config.config.unwrap();
        assert_eq!(started.entrypoint.unwrap(), [ENTRYPOINT]);
        assert_eq!(started.user.unwrap(), USER);
        assert_eq!(config.rootfs.diff_ids[1], image.layers[1].content_digest);
    }
}

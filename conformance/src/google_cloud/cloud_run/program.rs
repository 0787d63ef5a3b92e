//! What a container runs: the program of its image, and the variables that it is given.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::World;
use crate::google_cloud::knobs::Unready;
use crate::google_cloud::registry::Layer;
use crate::google_cloud::secrets;
use crate::google_cloud::state::State;

/// Where programs are looked for in a container without a `PATH` of its own.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How a container is started.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) arguments: Vec<String>,
    /// Without the port.
    pub(super) environment: BTreeMap<String, String>,
}

impl Program {
    /// Of a revision's container, whose image is unpacked into this folder.
    pub(super) fn of(world: &World, revision: &str, container: &Value, root: &Path) -> Result<Self, Unready> {
        let image = container["image"].as_str().unwrap_or_default();
        let missing = |message: String| Unready {
            reason: "CONTAINER_MISSING".to_owned(),
            message,
        };
        let mut environment = BTreeMap::from([("PATH".to_owned(), PATH.to_owned())]);
        let (path, arguments) = match &world.options.binary {
            Some(binary) => (binary.clone(), texts(&container["args"])),
            None => {
                let found = world.shared.lock().image(&world.shared, image);
                let found = found.ok_or_else(|| missing(format!("Image '{image}' not found.")))?;
                for layer in &found.layers {
                    let broken = |error: std::io::Error| {
                        missing(format!("Image '{image}' cannot be unpacked: {error}."))
                    };
                    unpack(layer, root).map_err(broken)?;
                }
                let config = &found.config["config"];
                for variable in texts(&config["Env"]) {
                    if let Some((name, value)) = variable.split_once('=') {
                        environment.insert(name.to_owned(), value.to_owned());
                    }
                }
                let mut words = one_of(&container["command"], &config["Entrypoint"]);
                words.extend(one_of(&container["args"], &config["Cmd"]));
                if words.is_empty() {
                    return Err(missing(format!("Image '{image}' names no program.")));
                }
                (root.join(words.remove(0).trim_start_matches('/')), words)
            }
        };
        environment.extend(world.options.environment.iter().cloned());
        {
            let state = world.shared.lock();
            for variable in container["env"].as_array().into_iter().flatten() {
                let name = variable["name"].as_str().unwrap_or_default().to_owned();
                environment.insert(name, value(&state, &world.shared.options.project, variable));
            }
        }
        let service = revision.split("/revisions/").next().unwrap_or_default();
        let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
        for (name, value) in [
            ("K_SERVICE", last(service)),
            ("K_CONFIGURATION", last(service)),
            ("K_REVISION", last(revision)),
        ] {
            environment.insert(name.to_owned(), value);
        }
        Ok(Self {
            path,
            arguments,
            environment,
        })
    }
}

fn texts(list: &Value) -> Vec<String> {
    let all = list.as_array().into_iter().flatten();
    all.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// What the container says, or else the image: <https://cloud.google.com/run/docs/configuring/services/containers>.
fn one_of(container: &Value, image: &Value) -> Vec<String> {
    let own = texts(container);
    if own.is_empty() { texts(image) } else { own }
}

/// <https://github.com/opencontainers/image-spec/blob/main/layer.md>
fn unpack(layer: &Layer, root: &Path) -> std::io::Result<()> {
    let bytes = layer.content.as_ref();
    let open = |reader: &mut dyn Read| {
        let mut archive = tar::Archive::new(reader);
        // Who owns what is not this machine's to say.
        archive.set_preserve_ownerships(false);
        archive.unpack(root)
    };
    if layer.media_type.ends_with("gzip") {
        open(&mut flate2::read::GzDecoder::new(bytes))
    } else {
        open(&mut &*bytes)
    }
}

/// The text of a variable, or of the secret that it refers to. One that cannot be read has failed the revision before.
fn value(state: &State, project: &str, variable: &Value) -> String {
    let from = &variable["valueSource"]["secretKeyRef"];
    match from["secret"].as_str() {
        None => variable["value"].as_str().unwrap_or_default().to_owned(),
        Some(secret) => {
            let version = from["version"].as_str().filter(|text| !text.is_empty());
            let id = secret.rsplit('/').next().unwrap_or_default();
            let name = format!("projects/{project}/secrets/{id}");
            secrets::text(state, &name, version.unwrap_or("latest")).unwrap_or_default()
        }
    }
}

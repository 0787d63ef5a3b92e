//! What a container runs: the program of its image, and the variables that it is given.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::World;
use crate::google_cloud::knobs::Unready;
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
    /// Of a revision's container.
    pub(super) fn of(world: &World, revision: &str, container: &Value) -> Result<Self, Unready> {
        let texts = |field: &str| -> Vec<String> {
            let all = container[field].as_array().into_iter().flatten();
            all.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let image = container["image"].as_str().unwrap_or_default();
        let path = world.options.binary.clone().ok_or_else(|| Unready {
            reason: "CONTAINER_MISSING".to_owned(),
            message: format!("Image '{image}' not found."),
        })?;
        let mut environment = BTreeMap::from([("PATH".to_owned(), PATH.to_owned())]);
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
            arguments: texts("args"),
            environment,
        })
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

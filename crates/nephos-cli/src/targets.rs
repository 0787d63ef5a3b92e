//! The targets that this command deploys to. A new adapter is one line here.

use nephos_core::adapter::Deployer;
use nephos_core::deploy::Deployment;

use crate::fail::Fail;

/// A target, by the name that it has in the manifest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) name: &'static str,
    way: Way,
}

/// How apps get there.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// They run here, without being deployed.
    Here,
    /// By the deployer that this opens.
    Deployed(fn(Deployment) -> nephos_core::Result<Box<dyn Deployer>>),
    /// Not yet: there is no adapter. The manifest may hold its settings all the same.
    NotYet,
}

/// All targets.
const TARGETS: [Target; 5] = [
    target("local", Way::Here),
    target("aws", Way::Deployed(nephos_aws::deploy::engine::open)),
    target("azure", Way::Deployed(nephos_azure::deploy::engine::open)),
    target("gcp", Way::Deployed(nephos_gcp::deploy::engine::open)),
    target("knative", Way::NotYet),
];

const fn target(name: &'static str, way: Way) -> Target {
    Target { name, way }
}

/// Their names: the manifest may hold settings for these.
pub(crate) const NAMES: [&str; TARGETS.len()] = {
    let mut names = [""; TARGETS.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = TARGETS[index].name;
        index += 1;
    }
    names
};

/// Whether apps are deployed to it by this command.
pub(crate) fn is_deployed_to(name: &str) -> bool {
    TARGETS
        .iter()
        .any(|target| target.name == name && matches!(target.way, Way::Deployed(_)))
}

/// Opens the deployer of the deployment's target.
pub(crate) fn open(deployment: Deployment) -> Result<Box<dyn Deployer>, Fail> {
    let name = deployment.target.clone();
    let target = TARGETS.iter().find(|target| target.name == name);
    let refused = match target.map(|target| target.way) {
        Some(Way::Deployed(open)) => return Ok(open(deployment)?),
        Some(Way::NotYet) => format!("there is no adapter for the target `{name}` yet"),
        Some(Way::Here) | None => format!("nothing is deployed to the target `{name}`"),
    };
    let deployable = |target: &&Target| matches!(target.way, Way::Deployed(_));
    let names: Vec<&str> = TARGETS
        .iter()
        .filter(deployable)
        .map(|target| target.name)
        .collect();
    Err(Fail::usage(refused).help(format!(
        "apps run here with `nephos dev`; they are deployed to {}",
        names.join(", ")
    )))
}

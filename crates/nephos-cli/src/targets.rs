//! The targets that this command deploys to. A new adapter is one line here.

use nephos_core::adapter::Deployer;
use nephos_core::deploy::Deployment;

use crate::fail::Fail;

/// Opens the deployer of an app on a target, without any I/O.
type Open = fn(Deployment) -> nephos_core::Result<Box<dyn Deployer>>;

/// A target, by the name that it has in the manifest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// Opens its deployer; `None` where apps run without being deployed.
    open: Option<Open>,
}

/// All targets.
const TARGETS: [Target; 2] = [
    Target {
        name: "local",
        open: None,
    },
    Target {
        name: "aws",
        open: Some(nephos_aws::deploy::engine::open),
    },
];

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

/// Opens the deployer of the deployment's target.
pub(crate) fn open(deployment: Deployment) -> Result<Box<dyn Deployer>, Fail> {
    let name = deployment.target.clone();
    let target = TARGETS.iter().find(|target| target.name == name);
    match target.and_then(|target| target.open) {
        Some(open) => Ok(open(deployment)?),
        None => {
            let deployable = TARGETS.iter().filter(|target| target.open.is_some());
            let names: Vec<&str> = deployable.map(|target| target.name).collect();
            Err(
                Fail::usage(format!("nothing is deployed to the target `{name}`")).help(format!(
                    "apps run here with `nephos dev`; they are deployed to {}",
                    names.join(", ")
                )),
            )
        }
    }
}

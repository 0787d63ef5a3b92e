//! Plans the app of each manifest that is named, before any of it is deployed and once all of it is, against the suite's stand-in of Google Cloud's control plane. Prints two lines
//! of JSON a manifest: of what, its functions, and the median milliseconds of a plan.
//!
//! The stand-in is in this process. Who plans is a process of its own, which finds the stand-in as it would find Google Cloud: by its host names, over TLS.

mod metadata;
mod planning;

use std::process::ExitCode;
use std::sync::Arc;

use nephos_conformance::discovery::Documents;
use nephos_conformance::edge::Edge;
use nephos_conformance::google_cloud::{Control, Options};
use tokio::process::Command;

type Error = Box<dyn std::error::Error>;

/// What the process that plans is told first.
const PLANS: &str = "--plans";

#[tokio::main]
async fn main() -> Result<ExitCode, Error> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, path] = &arguments[..]
        && first == PLANS
    {
        planning::measure(path).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let documents = Arc::new(Documents::installed()?);
    for path in arguments.drain(..) {
        let control = Control::start(Options::default(), Arc::clone(&documents)).await?;
        let edge = Edge::start().await?;
        control.route(&edge);
        let home = tempfile::tempdir()?;
        let status = Command::new(std::env::current_exe()?)
            .args([PLANS, &path])
            .env_clear()
            .env("HOME", home.path())
            .env("GCE_METADATA_HOST", metadata::start(control.token()).await?)
            .envs(edge.environment())
            .status()
            .await?;
        if !status.success() {
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

//! One app, planned as the command does.

use std::collections::BTreeMap;
use std::time::Instant;

use nephos_core::adapter::Deployer;
use nephos_core::deploy::{Deployment, Progress};
use nephos_core::plan::Plan;
use nephos_gcp::deploy::engine;

use crate::Error;

const TARGET: &str = "gcp";
const RUNS: usize = 5;

/// Plans, deploys, and plans again.
///
/// # Errors
/// A manifest that is refused, an app that cannot be deployed, a plan that is not what it must be.
pub(crate) async fn measure(path: &str) -> Result<(), Error> {
    let mut manifest = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    manifest.push_str("\n[target.gcp]\nregion = \"europe-west1\"\nproject = \"nephos-tests\"\n");
    let loaded = nephos_manifest::load_str(path, &manifest, Some(TARGET), &BTreeMap::new(), &[TARGET])
        .map_err(|report| format!("{path}: {report:?}"))?;
    let functions = loaded.app.functions.len();
    let deployer = engine::open(Deployment {
        app: loaded.app,
        target: TARGET.to_owned(),
        binary: Some(program().into()),
    })?;
    let (new, ms) = planned(&*deployer).await?;
    if new.steps.len() < functions {
        return Err(format!("{path}: not every function is in the plan").into());
    }
    tell("before anything is there", functions, ms);
    deployer.apply(new, &Progress::silent()).await?;
    let (again, ms) = planned(&*deployer).await?;
    if !again.is_empty() {
        return Err(format!("{path}: what is deployed is not what was planned").into());
    }
    tell("once all is there", functions, ms);
    Ok(())
}

/// A plan, and the median of the times that it took.
async fn planned(deployer: &dyn Deployer) -> Result<(Plan, f64), Error> {
    // The first looks for credentials, and makes the image.
    let mut plan = deployer.preview(&Progress::silent()).await?;
    let mut runs = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let started = Instant::now();
        plan = deployer.preview(&Progress::silent()).await?;
        runs.push(started.elapsed().as_secs_f64() * 1e3);
    }
    runs.sort_by(f64::total_cmp);
    Ok((plan, runs[RUNS / 2]))
}

fn tell(of: &str, functions: usize, ms: f64) {
    println!(
        "{}",
        serde_json::json!({ "of": of, "functions": functions, "ms": ms })
    );
}

/// The header of a static program of Linux for x86-64, and nothing after it: a plan looks at no more.
fn program() -> Vec<u8> {
    let mut header = vec![0; 64];
    header[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    // An executable.
    header[16] = 2;
    // x86-64
    header[18] = 62;
    header
}

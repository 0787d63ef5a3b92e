//! Renders the graph of each manifest that is named, from the app to the text. Prints one line of JSON a manifest: its functions, and the median milliseconds.

use std::collections::BTreeMap;
use std::time::Instant;

use nephos_gcp::deploy::settings::Settings;
use nephos_gcp::deploy::template::{Known, render, text};

type Error = Box<dyn std::error::Error>;

const TARGET: &str = "gcp";
const RUNS: usize = 7;

fn main() -> Result<(), Error> {
    for path in std::env::args().skip(1) {
        let mut manifest = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        manifest.push_str("\n[target.gcp]\nregion = \"europe-west1\"\nproject = \"bench-project\"\n");
        let loaded = nephos_manifest::load_str(&path, &manifest, Some(TARGET), &BTreeMap::new(), &[TARGET])
            .map_err(|report| format!("{path}: {report:?}"))?;
        let settings = Settings::of(&loaded.app, TARGET)?;
        let mut runs = Vec::with_capacity(RUNS);
        for _ in 0..RUNS {
            let started = Instant::now();
            let graph = render(&loaded.app, TARGET, &settings, &Known::default())?;
            let text = text(&graph);
            runs.push(started.elapsed().as_secs_f64() * 1e3);
            if text.matches("\"service\"").count() != loaded.app.functions.len() {
                return Err(format!("{path}: not every function is in the graph").into());
            }
        }
        runs.sort_by(f64::total_cmp);
        println!(
            "{}",
            serde_json::json!({ "functions": loaded.app.functions.len(), "ms": runs[RUNS / 2] })
        );
    }
    Ok(())
}

//! Renders the template and the packages' files of each manifest that is named, from the app to the text, without the limits of one deployment. Prints one line of
//! JSON a manifest: its functions, and the median milliseconds.

use std::collections::BTreeMap;
use std::time::Instant;

use nephos_azure::deploy::package;
use nephos_azure::deploy::settings::Settings;
use nephos_azure::deploy::template::assemble;

type Error = Box<dyn std::error::Error>;

const TARGET: &str = "azure";
const RUNS: usize = 7;

fn main() -> Result<(), Error> {
    for path in std::env::args().skip(1) {
        let mut text = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        text.push_str("\n[target.azure]\nlocation = \"westeurope\"\n");
        let loaded = nephos_manifest::load_str(&path, &text, Some(TARGET), &BTreeMap::new(), &[TARGET])
            .map_err(|report| format!("{path}: {report:?}"))?;
        let settings = Settings::of(&loaded.app, TARGET)?;
        let mut runs = Vec::with_capacity(RUNS);
        for _ in 0..RUNS {
            let started = Instant::now();
            let template = assemble(&loaded.app, TARGET, &settings)?;
            let text = template.to_json();
            let packages = package::contents(&loaded.app, TARGET, &settings)?;
            runs.push(started.elapsed().as_secs_f64() * 1e3);
            if text.matches("\"Microsoft.Web/sites\"").count() != packages.len()
                || packages.len() < loaded.app.functions.len()
            {
                return Err(format!("{path}: not every function is in the template").into());
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

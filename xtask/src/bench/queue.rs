//! Queue messages delivered to a no-op function and acknowledged, durability on.
//!
//! The app is generated outside the workspace, as an author's own would be. Two functions that HTTP calls fill the
//! queue and count what is left; so the measure needs nothing but the neutral API.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use xtask::shell::{self, Error, Result};

use super::Bench;
use super::load::Load;
use super::nephos::Nephos;
use super::report::{Budget, Row, median};

/// Messages that are measured in each round.
const MESSAGES: u32 = 10_000;
/// Messages ahead of those, during which the function starts and warms up.
const AHEAD: u32 = 5_000;
/// Messages of one request to the filling function.
const FILL: u32 = 1_000;
const ROUNDS: usize = 5;
const LIMIT: Duration = Duration::from_secs(120);

/// The rate at which a full queue empties, over its last [`MESSAGES`].
///
/// # Errors
/// An app that does not build or start, or a queue that does not empty.
pub(crate) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let command = bench.nephos()?;
    let app = bench.folder("queue")?;
    generate(&app)?;
    let nephos = Nephos::start(&command, &app, &app.join("state"))?;
    let mut rates = Vec::with_capacity(ROUNDS);
    for round in 1..=ROUNDS {
        let rate = round_rate(&nephos)?;
        eprintln!("  round {round}: {rate:.0} messages/s");
        rates.push(rate);
    }
    Ok(vec![Row::alone(
        "queue, delivered and acknowledged, no-op handler",
        median(&rates),
        "/s",
        Some(Budget::AtLeast(5_000.0)),
    )])
}

fn round_rate(nephos: &Nephos) -> Result<f64> {
    for _ in 0..(AHEAD + MESSAGES) / FILL {
        ask(nephos, "fill")?;
    }
    let deadline = Instant::now() + LIMIT;
    let mut began: Option<(Instant, f64)> = None;
    while Instant::now() < deadline {
        let left = ask(nephos, "left")?;
        match began {
            // Filling and emptying overlap: measure from here on whatever is left, but not a mere remainder.
            None if left <= f64::from(MESSAGES) => began = Some((Instant::now(), left)),
            Some((since, first)) if left == 0.0 => {
                if first < f64::from(MESSAGES) / 2.0 {
                    return Err(Error::Other(format!(
                        "only {first} messages were left once all were sent: send more"
                    )));
                }
                return Ok(first / since.elapsed().as_secs_f64());
            }
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    Err(Error::Other(format!(
        "the queue did not empty within {} s",
        LIMIT.as_secs()
    )))
}

/// Calls a function over HTTP that answers with a number.
fn ask(nephos: &Nephos, function: &str) -> Result<f64> {
    let failed =
        |e: std::io::Error| Error::Other(format!("GET /{function} at http://{}: {e}", nephos.gateway));
    let answer = Load::get(nephos.gateway, &format!("/{function}"), "")
        .ask()
        .map_err(failed)?;
    String::from_utf8_lossy(&answer).trim().parse().map_err(|_| {
        Error::Other(format!(
            "GET /{function} answered {:?}, not a number",
            String::from_utf8_lossy(&answer)
        ))
    })
}

fn generate(app: &Path) -> Result<()> {
    let root = shell::root();
    let write = |name: &str, text: &str| {
        let path = app.join(name);
        fs::write(&path, text).map_err(Error::io("write", &path))
    };
    fs::create_dir_all(app.join("src")).map_err(Error::io("create", app.join("src")))?;
    write("Cargo.toml", &cargo_toml(&root))?;
    write("nephos.toml", MANIFEST)?;
    write("src/main.rs", &FUNCTIONS.replace("{FILL}", &FILL.to_string()))?;
    // The same versions as the workspace's own, which are also those that are already here.
    let lock = root.join("Cargo.lock");
    fs::copy(&lock, app.join("Cargo.lock"))
        .map(|_| ())
        .map_err(Error::io("copy", lock))
}

fn cargo_toml(root: &Path) -> String {
    format!(
        r#"[package]
name = "nephos-bench-queue"
version = "0.0.0"
edition = "2024"
publish = false

[dependencies]
nephos = {{ path = {:?} }}

[profile.function]
inherits = "release"
strip = "symbols"

[workspace]
"#,
        root.join("crates/nephos")
    )
}

const MANIFEST: &str = r#"app = "bench-queue"

[queue.work]

[function.fill]
on = [{ http = "GET /fill" }]
uses = { work = ["send"] }

[function.left]
on = [{ http = "GET /left" }]
uses = { work = ["receive"] }

[function.consume]
on = [{ queue = "work" }]
"#;

const FUNCTIONS: &str = r#"//! The functions of the queue benchmark.
use nephos::prelude::*;

#[nephos::function]
async fn fill(_: http::Request, cx: Context) -> Result<String> {
    let batch = (0..{FILL}).map(|n| Outgoing::new(n.to_string())).collect();
    Ok(cx.queue("work")?.send_batch(batch).await?.len().to_string())
}

#[nephos::function]
async fn left(_: http::Request, cx: Context) -> Result<String> {
    let depth = cx.queue("work")?.depth().await?;
    Ok(depth.total().to_string())
}

#[nephos::function]
async fn consume(_: Batch<Message<String>>) -> Result<()> {
    Ok(())
}

nephos::main!(fill, left, consume);
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generated_app_is_toml_and_names_the_workspaces_own_crate() {
        let cargo: toml::Table = toml::from_str(&cargo_toml(&shell::root())).unwrap();
        let path = cargo["dependencies"]["nephos"]["path"].as_str().unwrap();
        assert!(Path::new(path).join("Cargo.toml").exists(), "{path}");
        let manifest: toml::Table = toml::from_str(MANIFEST).unwrap();
        assert_eq!(manifest["function"].as_table().unwrap().len(), 3);
    }
}

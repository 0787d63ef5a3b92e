//! `nephos dev --demo`: runs the steps of the project's demo.toml and checks what came of them.
//!
//! A demonstration is part of a project, as its README's first command: it makes things happen (files uploaded, requests sent, clocks struck),
//! waits after each step until everything has settled, and at the end holds the resources against what the file expects.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nephos_core::app::App;
use nephos_core::resource::Resources;
use nephos_local::deploy::engine::Engine;
use serde::Deserialize;

use crate::cmd::dev::Printer;
use crate::fail::Fail;
use crate::http;
use crate::output::{Output, Paint};
use crate::resource;

/// How long one step may take to settle.
const SETTLE: Duration = Duration::from_secs(120);

/// A demonstration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Demo {
    step: Vec<Step>,
    #[serde(default)]
    expect: Expect,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    say: String,
    put: Option<Put>,
    http: Option<Request>,
    tick: Option<String>,
    send: Option<Send>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Put {
    bucket: String,
    key: String,
    file: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    method: String,
    path: String,
    json: Option<serde_json::Value>,
    status: u16,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Send {
    queue: String,
    json: serde_json::Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    /// The keys that a bucket holds in the end, all of them.
    #[serde(default)]
    bucket: BTreeMap<String, Vec<String>>,
    /// How many items a table holds.
    #[serde(default)]
    table: BTreeMap<String, usize>,
    /// How many messages a queue holds.
    #[serde(default)]
    queue: BTreeMap<String, u64>,
}

impl Demo {
    /// Reads demo.toml in the project's folder.
    pub(crate) fn load(dir: &Path) -> miette::Result<Self> {
        let path = dir.join("demo.toml");
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Fail::usage(format!("{} cannot be read: {error}", path.display())).help(
                "a demonstration is a list of steps in demo.toml beside nephos.toml; see examples/face-gate",
            )
        })?;
        toml::from_str(&text).map_err(|error| Fail::usage(format!("{}: {error}", path.display())).into())
    }

    /// Runs all steps, then checks. It waits after each step, so that the log of what it caused is printed before the next begins.
    pub(crate) async fn run(
        &self,
        dir: &Path,
        app: &App,
        engine: &Engine,
        log: &Printer,
        output: Output,
    ) -> miette::Result<()> {
        for (number, step) in self.step.iter().enumerate() {
            self.announce(number, &step.say, output);
            step.run(dir, app, engine, output).await?;
            if !engine.settled(SETTLE).await {
                return Err(Fail::new(format!(
                    "step {} did not settle within {} s",
                    number + 1,
                    SETTLE.as_secs()
                ))
                .into());
            }
            // The log is printed by another task: let it have what this step caused before the next is announced.
            log.drained().await;
        }
        let mismatches = self.expect.compare(engine.resources()).await?;
        if mismatches.is_empty() {
            self.report(engine, output).await
        } else {
            Err(Fail::new(format!(
                "the demonstration ended otherwise than demo.toml expects:\n  {}",
                mismatches.join("\n  ")
            ))
            .into())
        }
    }

    fn announce(&self, number: usize, say: &str, output: Output) {
        if output.json {
            output.line(&serde_json::json!({ "event": "step", "number": number + 1, "say": say }));
        } else {
            let title = format!("\n[{}/{}] {say}", number + 1, self.step.len());
            output.print(&output.paint(Paint::Bold, &title));
        }
    }

    async fn report(&self, engine: &Engine, output: Output) -> miette::Result<()> {
        if output.json {
            output.line(&serde_json::json!({ "event": "demo", "ok": true, "steps": self.step.len() }));
            return Ok(());
        }
        output.print(&output.paint(Paint::Bold, "\nwhat is where now"));
        for line in resource::overview(engine.resources()).await? {
            output.print(&format!("  {line}"));
        }
        output.print(&format!(
            "\n{} all {} steps went as demo.toml expects",
            output.paint(Paint::Green, "ok"),
            self.step.len()
        ));
        Ok(())
    }
}

impl Step {
    async fn run(&self, dir: &Path, app: &App, engine: &Engine, output: Output) -> miette::Result<()> {
        if let Some(Put { bucket, key, file }) = &self.put {
            let path = dir.join(file);
            let bytes = std::fs::read(&path)
                .map_err(|error| Fail::from_io(&format!("{} cannot be read", path.display()), &error))?;
            let bucket = engine.resources().bucket(bucket).map_err(Fail::from)?;
            bucket.put(key, bytes).await.map_err(Fail::from)?;
        }
        if let Some(Send { queue, json }) = &self.send {
            engine
                .resources()
                .queue(queue)
                .map_err(Fail::from)?
                .send_json(json)
                .await
                .map_err(Fail::from)?;
        }
        if let Some(function) = &self.tick {
            engine
                .emit(crate::cmd::emit::tick(function, app)?)
                .await
                .map_err(Fail::from)?;
        }
        if let Some(request) = &self.http {
            let body = request.json.as_ref().map(ToString::to_string);
            let answer = http::request(
                engine.addresses().gateway,
                &request.method,
                &request.path,
                body.as_deref(),
            )
            .await?;
            if !output.json {
                output.print(&format!(
                    "  {} {}\n  {} {}",
                    request.method,
                    request.path,
                    answer.status,
                    answer.text().trim_end()
                ));
            }
            if answer.status != request.status {
                return Err(Fail::new(format!(
                    "{} {} answered {} instead of {}: {}",
                    request.method,
                    request.path,
                    answer.status,
                    request.status,
                    answer.text()
                ))
                .into());
            }
        }
        Ok(())
    }
}

impl Expect {
    async fn compare(&self, resources: &Resources) -> miette::Result<Vec<String>> {
        let mut mismatches = Vec::new();
        for (name, keys) in &self.bucket {
            let listing = resources
                .bucket(name)
                .map_err(Fail::from)?
                .list("", None, 10_000)
                .await
                .map_err(Fail::from)?;
            let actual: Vec<_> = listing.objects.into_iter().map(|object| object.key).collect();
            if &actual != keys {
                mismatches.push(format!("bucket {name}: expected {keys:?}, found {actual:?}"));
            }
        }
        for (name, count) in &self.table {
            let page = resources
                .table(name)
                .map_err(Fail::from)?
                .scan::<serde_json::Value>(10_000, None)
                .await;
            let actual = page.map_err(Fail::from)?.items.len();
            if actual != *count {
                mismatches.push(format!("table {name}: expected {count} item(s), found {actual}"));
            }
        }
        for (name, count) in &self.queue {
            let depth = resources
                .queue(name)
                .map_err(Fail::from)?
                .depth()
                .await
                .map_err(Fail::from)?;
            let actual = depth.total();
            if actual != *count {
                mismatches.push(format!(
                    "queue {name}: expected {count} message(s), found {actual}"
                ));
            }
        }
        Ok(mismatches)
    }
}

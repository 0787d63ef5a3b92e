//! `nephos check --stateless`: calls each function in a warm and in a fresh process and reports those whose answers differ.
//!
//! Each gets the same sample event for its first trigger, or the same request. Functions hold no state between invocations: a target may end a process at any time, and run several. A function that answers the second call of a process
//! otherwise than the first call of another keeps something that it must not rely on.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use nephos_core::Outcome;
use nephos_core::app::{App, Isolation, Trigger};
use nephos_core::event::Data;
use nephos_local::deploy::engine::{Engine, Options};

use crate::fail::Fail;
use crate::http;
use crate::output::{Output, Paint};
use crate::project::Project;
use crate::sample;

/// How often each function is called in either kind of process.
const CALLS: usize = 3;

/// Runs the comparison.
pub(crate) async fn run(project: &Project, binary: &Path, output: Output) -> miette::Result<ExitCode> {
    let warm = answers(project, binary, Isolation::Process).await?;
    let fresh = answers(project, binary, Isolation::Invocation).await?;
    let mut differ = 0;
    for (function, warm) in &warm {
        let fresh = fresh.get(function);
        let same = fresh == Some(warm);
        differ += usize::from(!same);
        if output.json {
            output.line(
                &serde_json::json!({ "function": function, "stateless": same, "warm": warm, "fresh": fresh }),
            );
        } else if same {
            output.print(&format!(
                "{} {function}: {CALLS} calls answered alike, warm and fresh",
                output.paint(Paint::Green, "ok")
            ));
        } else {
            output.print(&format!(
                "{} {function}: a warm process answers otherwise than fresh ones\n  warm:  {}\n  fresh: {}",
                output.paint(Paint::Red, "keeps state"),
                warm.join(" | "),
                fresh.map_or_else(String::new, |fresh| fresh.join(" | ")),
            ));
        }
    }
    if differ > 0 {
        return Err(
            Fail::new(format!("{differ} function(s) keep state between invocations"))
                .help("keep it in a table, bucket or queue; a target may end any process, and run several")
                .into(),
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// What each function answers to the same calls, one after the other, on a state of its own.
async fn answers(
    project: &Project,
    binary: &Path,
    isolation: Isolation,
) -> miette::Result<BTreeMap<String, Vec<String>>> {
    let state = project.state().join("stateless");
    let clear = || match std::fs::remove_dir_all(&state) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Fail::from_io(
            &format!("{} cannot be removed", state.display()),
            &error,
        )),
        _ => Ok(()),
    };
    clear()?;
    let mut app = project.app().clone();
    for function in app.functions.values_mut() {
        function.isolation = isolation;
        function.concurrency = 1;
        function.max_instances = 1;
    }
    let mut options = Options::new(&state, binary);
    options.secrets = Some(project.secrets());
    let engine = Engine::start(app.clone(), options).await.map_err(Fail::from)?;
    let mut answers = BTreeMap::new();
    for name in app.functions.keys() {
        let mut given = Vec::new();
        for _ in 0..CALLS {
            given.push(call(&app, &engine, name).await);
        }
        answers.insert(name.clone(), given);
    }
    engine.stop().await;
    clear()?;
    Ok(answers)
}

async fn call(app: &App, engine: &Engine, function: &str) -> String {
    let route = app
        .functions
        .get(function)
        .into_iter()
        .flat_map(|spec| &spec.on)
        .find_map(|trigger| match trigger {
            Trigger::Http { method, path } => {
                Some((method.clone().unwrap_or_else(|| "GET".to_owned()), path.clone()))
            }
            _ => None,
        });
    if let Some((method, path)) = route {
        let path = path.replace("{*", "{").replace(['{', '}'], "");
        let body = (method != "GET").then_some("{}");
        return match http::request(engine.addresses().gateway, &method, &path, body).await {
            Ok(answer) => format!("{} {}", answer.status, answer.text().trim()),
            Err(error) => error.to_string(),
        };
    }
    let Some(event) = sample::event(app, function) else {
        return "nothing calls it".to_owned();
    };
    if let Data::Bucket(happened) = &event.data {
        let object = happened.object();
        let stored = async {
            engine
                .resources()
                .bucket(&object.bucket)?
                .put(&object.key, "sample")
                .await
        };
        if let Err(error) = stored.await {
            return error.chain();
        }
    }
    match engine.invoke(function, event).await {
        Ok(Outcome::Failed(error)) => error.chain(),
        Ok(Outcome::Data(payload)) => String::from_utf8_lossy(&payload.bytes).into_owned(),
        Ok(outcome) => format!("{outcome:?}"),
        Err(error) => error.chain(),
    }
}

//! `nephos check --stateless`: calls each function in a warm and in a fresh process and reports those whose answers differ.
//!
//! Each gets the same sample event for its first trigger, or the same request. Functions hold no state between invocations: a target may end a process at any time, and run several. A function that answers the second call of a process
//! otherwise than the first call of another keeps something that it must not rely on. Where fresh processes differ among themselves, as with a time or a
//! random id in the answer, and where the sample does not reach the handler, nothing can be told, and that is said.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use nephos::S3Buckets;
use nephos_core::app::{App, Isolation, Trigger};
use nephos_core::event::Data;
use nephos_core::{ErrorKind, Outcome};
use nephos_local::deploy::engine::{Engine, Feeding, Options};

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
        let fresh = fresh.get(function).map_or(&[][..], Vec::as_slice);
        let verdict = Verdict::of(warm, fresh);
        differ += usize::from(verdict == Verdict::KeepsState);
        if output.json {
            let texts = |answers: &[Answer]| -> Vec<String> {
                answers.iter().map(|answer| answer.text().to_owned()).collect()
            };
            output.line(&serde_json::json!({
                "function": function, "stateless": verdict.stateless(), "warm": texts(warm), "fresh": texts(fresh),
            }));
        } else {
            output.print(&verdict.line(function, warm, fresh, output));
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

/// What a call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    /// The handler's own.
    Handled(String),
    /// The sample was refused before the handler saw it.
    NotReached(String),
}

impl Answer {
    fn text(&self) -> &str {
        match self {
            Self::Handled(text) | Self::NotReached(text) => text,
        }
    }
}

/// What the answers say of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Alike,
    KeepsState,
    /// Fresh processes differ too.
    Varies,
    NotReached,
}

impl Verdict {
    fn of(warm: &[Answer], fresh: &[Answer]) -> Self {
        let reached = |answer: &Answer| matches!(answer, Answer::Handled(_));
        if !warm.iter().chain(fresh).any(reached) {
            Self::NotReached
        } else if fresh.windows(2).any(|pair| pair[0] != pair[1]) {
            Self::Varies
        } else if warm == fresh {
            Self::Alike
        } else {
            Self::KeepsState
        }
    }

    fn stateless(self) -> Option<bool> {
        match self {
            Self::Alike => Some(true),
            Self::KeepsState => Some(false),
            Self::Varies | Self::NotReached => None,
        }
    }

    fn line(self, function: &str, warm: &[Answer], fresh: &[Answer], output: Output) -> String {
        let join = |answers: &[Answer]| answers.iter().map(Answer::text).collect::<Vec<_>>().join(" | ");
        let untold = output.paint(Paint::Yellow, "not told");
        match self {
            Self::Alike => format!(
                "{} {function}: {CALLS} calls answered alike, warm and fresh",
                output.paint(Paint::Green, "ok")
            ),
            Self::KeepsState => format!(
                "{} {function}: a warm process answers otherwise than fresh ones\n  warm:  {}\n  fresh: {}",
                output.paint(Paint::Red, "keeps state"),
                join(warm),
                join(fresh),
            ),
            Self::Varies => format!(
                "{untold} {function}: its answers differ even between fresh processes, so nothing follows from them: {}",
                join(fresh)
            ),
            Self::NotReached => format!(
                "{untold} {function}: the sample event does not reach its handler: {}",
                warm.first().map_or("nothing calls it", Answer::text)
            ),
        }
    }
}

/// What each function answers to the same calls, one after the other, on a state of its own.
async fn answers(
    project: &Project,
    binary: &Path,
    isolation: Isolation,
) -> miette::Result<BTreeMap<String, Vec<Answer>>> {
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
    options.external = Arc::new(S3Buckets);
    // What a call leaves in a bucket or queue must not call the function once more.
    options.feeding = Feeding::CallsOnly;
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

async fn call(app: &App, engine: &Engine, function: &str) -> Answer {
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
            Ok(answer) => {
                let text = format!("{} {}", answer.status, answer.text().trim());
                match answer.status {
                    // Unreadable, of another type, or not what it should be: the sample's fault.
                    400 | 415 | 422 => Answer::NotReached(text),
                    _ => Answer::Handled(text),
                }
            }
            Err(error) => Answer::NotReached(error.to_string()),
        };
    }
    let Some(event) = sample::event(app, function) else {
        return Answer::NotReached("nothing calls it".to_owned());
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
            return Answer::NotReached(error.chain());
        }
    }
    match engine.invoke(function, event).await {
        Ok(Outcome::Failed(error)) if error.kind() == ErrorKind::Decode => Answer::NotReached(error.chain()),
        Ok(Outcome::Failed(error)) => Answer::Handled(error.chain()),
        Ok(Outcome::Batch(batch)) => {
            let undecoded = batch
                .failures()
                .iter()
                .find(|failure| failure.error.kind() == ErrorKind::Decode);
            match undecoded {
                Some(failure) => Answer::NotReached(failure.error.chain()),
                None => Answer::Handled(format!("{batch:?}")),
            }
        }
        Ok(Outcome::Data(payload)) => Answer::Handled(String::from_utf8_lossy(&payload.bytes).into_owned()),
        Ok(outcome) => Answer::Handled(format!("{outcome:?}")),
        Err(error) => Answer::NotReached(error.chain()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_warm_process_that_differs_from_steady_fresh_ones_keeps_state() {
        let given = |texts: [&str; 3]| texts.map(|text| Answer::Handled(text.to_owned()));
        let refused = [(); 3].map(|()| Answer::NotReached("no".to_owned()));
        for (warm, fresh, verdict) in [
            (given(["1", "1", "1"]), given(["1", "1", "1"]), Verdict::Alike),
            (
                given(["1", "2", "3"]),
                given(["1", "1", "1"]),
                Verdict::KeepsState,
            ),
            (given(["1", "2", "3"]), given(["4", "5", "6"]), Verdict::Varies),
            (refused.clone(), refused, Verdict::NotReached),
        ] {
            assert_eq!(Verdict::of(&warm, &fresh), verdict, "{warm:?} {fresh:?}");
        }
    }
}

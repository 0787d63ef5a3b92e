//! `nephos invoke`: calls a function once and prints its answer.

use std::process::ExitCode;
use std::sync::Arc;

use nephos::S3Buckets;
use nephos_core::app::{App, Trigger};
use nephos_core::deploy::InvokedResult;
use nephos_core::event::{Attributes, Data, Raw, cloudevents as wire};
use nephos_core::{Event, Outcome};
use nephos_local::deploy::engine::{Engine, Feeding, Options};

use crate::build::{self, BuildArgs};
use crate::cmd::dev::Printer;
use crate::connect::Running;
use crate::deployment::TargetArgs;
use crate::fail::Fail;
use crate::http;
use crate::input;
use crate::output::{Output, Paint};
use crate::project::{Place, Project};
use crate::resource;

/// Arguments of `nephos invoke`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The function.
    function: String,

    /// What it is called with: text or JSON, `@file`, or `-`. A CloudEvent in JSON becomes that event; anything else is a raw event.
    data: Option<String>,

    /// Calls a function with an HTTP trigger: method and path (`"GET /hello/you"`); the data is the body.
    #[arg(long, value_name = "REQUEST", conflicts_with = "target")]
    http: Option<String>,

    /// Calls the function that is deployed there, instead of running it here: the data goes as it is, in the target's own form.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["profile", "release", "binary"])]
    target: Option<String>,

    #[command(flatten)]
    build: BuildArgs,
}

pub(crate) async fn run(args: &Args, place: &Place, output: &Output) -> miette::Result<ExitCode> {
    let target = args.target.as_deref().filter(|target| *target != "local");
    let project = Project::load(place, Some(target.unwrap_or("local")), *output)?;
    if !project.app().functions.contains_key(&args.function) {
        return Err(resource::no_function(project.app(), &args.function).into());
    }
    if let Some(target) = target {
        return deployed(&project, target, args, *output).await;
    }
    if let Some(request) = &args.http {
        leads_to(project.app(), &args.function, request)?;
    }
    if let Some(running) = Running::look(&project.state())? {
        return match &args.http {
            Some(request) => over_http(running.file.addresses.gateway, request, args, *output).await,
            None => print(
                running.invoke(&args.function, &event(args).await?).await?,
                *output,
            ),
        };
    }
    let binary = build::build(&project.dir, &args.build, *output).await?;
    let mut options = Options::new(project.state(), binary);
    options.secrets = Some(project.secrets());
    options.external = Arc::new(S3Buckets);
    // What else waits in the state is left alone: one call was asked for.
    options.feeding = Feeding::CallsOnly;
    let engine = Engine::start(project.app().clone(), options)
        .await
        .map_err(Fail::from)?;
    let printer = Printer::start(engine.activity(), output.on_stderr());
    let done = match &args.http {
        Some(request) => over_http(engine.addresses().gateway, request, args, *output).await,
        None => match engine.invoke(&args.function, event(args).await?).await {
            Ok(outcome) => print(outcome, *output),
            Err(error) => Err(Fail::from(error).into()),
        },
    };
    engine.stop().await;
    drop(engine);
    printer.finish().await;
    done
}

/// Calls a function where it is deployed.
async fn deployed(project: &Project, target: &str, args: &Args, output: Output) -> miette::Result<ExitCode> {
    let target = TargetArgs {
        target: target.to_owned(),
    };
    let payload = input::payload(args.data.as_deref().unwrap_or("")).await?;
    let deployer = target.deployer(project, None)?;
    let invoked = deployer
        .invoke(&args.function, payload)
        .await
        .map_err(Fail::from)?;
    let text = String::from_utf8_lossy(&invoked.payload);
    let answer: serde_json::Value = serde_json::from_slice(&invoked.payload).unwrap_or_else(|_| text.into());
    let (result, how, code) = match invoked.result {
        InvokedResult::Ok => ("ok", None, ExitCode::SUCCESS),
        InvokedResult::Failed(how) => ("failed", Some(how), ExitCode::FAILURE),
    };
    if output.json {
        output.line(&serde_json::json!({
            "result": result, "how": how, "answer": answer, "version": invoked.version, "log": invoked.log,
        }));
        return Ok(code);
    }
    let beside = output.on_stderr();
    for line in &invoked.log {
        beside.print(&beside.paint(Paint::Dim, line));
    }
    let mut value = serde_json::json!({ "result": result, "answer": answer });
    if let (Some(how), serde_json::Value::Object(value)) = (how, &mut value) {
        value.insert("how".to_owned(), how.into());
    }
    output.print(&format!("{value:#}"));
    Ok(code)
}

/// Refuses a request that would come to another function.
fn leads_to(app: &App, function: &str, request: &str) -> miette::Result<()> {
    let routes: Vec<String> = app.functions[function]
        .on
        .iter()
        .filter_map(|trigger| match trigger {
            Trigger::Http { method, path } => Some(format!("{} {path}", method.as_deref().unwrap_or("ANY"))),
            _ => None,
        })
        .collect();
    let path = request.split_once(' ').map_or(request, |(_, path)| path);
    let path = path.split(['?', '#']).next().unwrap_or(path);
    let fits = |route: &String| {
        let (_, pattern) = route.split_once(' ').unwrap_or(("", route));
        route_fits(pattern, path)
    };
    if routes.iter().any(fits) {
        return Ok(());
    }
    let fail = Fail::usage(format!("`{request}` does not lead to function `{function}`"));
    Err(match routes.is_empty() {
        true => fail.help("it has no HTTP trigger; call it without --http"),
        false => fail.help(format!("its routes: {}", routes.join(", "))),
    }
    .into())
}

/// Whether a path fits a route's pattern, segment by segment: `{name}` is any segment, `{*rest}` all that are left.
fn route_fits(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    for part in pattern.split('/') {
        if part.starts_with("{*") {
            return segments.next().is_some();
        }
        let parameter = part.contains('{') && !part.starts_with("{{");
        match segments.next() {
            Some(segment) if parameter && !segment.is_empty() => {}
            Some(segment) if segment == part.replace("{{", "{").replace("}}", "}") => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

async fn event(args: &Args) -> miette::Result<Event> {
    let payload = input::payload(args.data.as_deref().unwrap_or("")).await?;
    if payload.is_json()
        && let Ok(event) = serde_json::from_slice::<cloudevents::Event>(&payload.bytes)
    {
        let event = wire::from_cloudevents(vec![event]).map_err(Fail::from)?;
        return Ok(event.with_raw(Raw::json(payload.bytes)));
    }
    let attributes = Attributes::new("command", "dev.nephos.invoke").subject(&args.function);
    Ok(Event::new(attributes, Data::Raw(payload.into())))
}

async fn over_http(
    gateway: std::net::SocketAddr,
    request: &str,
    args: &Args,
    output: Output,
) -> miette::Result<ExitCode> {
    let (method, path) = request.split_once(' ').unwrap_or(("GET", request));
    let body = match &args.data {
        Some(data) => Some(String::from_utf8_lossy(&input::payload(data).await?.bytes).into_owned()),
        None => None,
    };
    let answer = http::request(gateway, method, path, body.as_deref()).await?;
    if output.json {
        output.line(&serde_json::json!({ "status": answer.status, "body": answer.text() }));
    } else {
        eprintln!(
            "{}",
            output.paint(
                Paint::Dim,
                &format!("{} {path} answered {}", method, answer.status)
            )
        );
        output.print(answer.text().trim_end());
    }
    Ok(if answer.status < 400 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn print(outcome: Outcome, output: Output) -> miette::Result<ExitCode> {
    let (value, code) = match outcome {
        Outcome::Ack => (serde_json::json!({ "result": "ok" }), ExitCode::SUCCESS),
        Outcome::Data(payload) => {
            let text = String::from_utf8_lossy(&payload.bytes).into_owned();
            let answer = serde_json::from_slice(&payload.bytes).unwrap_or(serde_json::Value::String(text));
            (
                serde_json::json!({ "result": "ok", "answer": answer }),
                ExitCode::SUCCESS,
            )
        }
        Outcome::Auth(decision) => (
            serde_json::json!({ "result": "ok", "answer": decision }),
            ExitCode::SUCCESS,
        ),
        Outcome::Voice(answer) => (
            serde_json::json!({ "result": "ok", "answer": answer }),
            ExitCode::SUCCESS,
        ),
        Outcome::Failed(error) => {
            let disposition = error.disposition();
            let value = serde_json::json!({
                "result": "failed", "kind": error.kind(), "reason": error.chain(), "then": disposition,
            });
            (value, ExitCode::FAILURE)
        }
        Outcome::Batch(batch) => {
            let failures: Vec<_> = batch
                .failures()
                .iter()
                .map(|failure| serde_json::json!({ "id": failure.id, "kind": failure.error.kind(), "reason": failure.error.chain() }))
                .collect();
            (
                serde_json::json!({ "result": "partial", "failures": failures }),
                ExitCode::FAILURE,
            )
        }
        Outcome::Http(response) => (
            serde_json::json!({ "result": "ok", "status": response.status().as_u16() }),
            ExitCode::SUCCESS,
        ),
        other => return Err(Fail::new(format!("the function's answer cannot be shown: {other:?}")).into()),
    };
    if output.json {
        output.line(&value);
    } else {
        output.print(&format!("{value:#}"));
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::route_fits;

    #[test]
    fn a_path_fits_its_own_route_and_no_other() {
        for (pattern, path) in [
            ("/a/{id}", "/a/7"),
            ("/{*rest}", "/x/y/z"),
            ("/a", "/a"),
            ("/{{a}}", "/{a}"),
        ] {
            assert!(route_fits(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("/a/{id}", "/b/7"),
            ("/a/{id}", "/a"),
            ("/a/{id}", "/a/"),
            ("/a", "/a/b"),
        ] {
            assert!(!route_fits(pattern, path), "{pattern} {path}");
        }
    }
}

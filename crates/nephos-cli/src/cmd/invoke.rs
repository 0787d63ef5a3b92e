//! `nephos invoke`: calls a function once and prints its answer.

use std::path::Path;
use std::process::ExitCode;

use nephos_core::event::{Attributes, Data, Raw, cloudevents as wire};
use nephos_core::{Event, Outcome};
use nephos_local::deploy::engine::{Engine, Options};

use crate::build::{self, BuildArgs};
use crate::connect::Running;
use crate::fail::Fail;
use crate::http;
use crate::input;
use crate::output::{Output, Paint};
use crate::project::Project;

/// Arguments of `nephos invoke`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The function.
    function: String,

    /// What it is called with: text or JSON, `@file`, or `-`. A CloudEvent in JSON becomes that event; anything else is a raw event.
    data: Option<String>,

    /// Calls a function with an HTTP trigger: method and path (`"GET /hello/you"`); the data is the body.
    #[arg(long, value_name = "REQUEST")]
    http: Option<String>,

    #[command(flatten)]
    build: BuildArgs,
}

pub(crate) async fn run(args: &Args, dir: &Path, output: &Output) -> miette::Result<ExitCode> {
    let project = Project::load(dir, Some("local"), *output)?;
    if !project.app().functions.contains_key(&args.function) {
        let names: Vec<_> = project.app().functions.keys().map(String::as_str).collect();
        return Err(
            Fail::usage(format!("the app has no function `{}`", args.function))
                .help(format!("it has {}", names.join(", ")))
                .into(),
        );
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
    let engine = Engine::start(project.app().clone(), options)
        .await
        .map_err(Fail::from)?;
    let done = match &args.http {
        Some(request) => over_http(engine.addresses().gateway, request, args, *output).await,
        None => match engine.invoke(&args.function, event(args).await?).await {
            Ok(outcome) => print(outcome, *output),
            Err(error) => Err(Fail::from(error).into()),
        },
    };
    engine.stop().await;
    done
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

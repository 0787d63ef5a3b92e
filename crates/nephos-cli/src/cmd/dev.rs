//! `nephos dev`: builds the functions and runs them here, with all their triggers and resources.

mod log;
mod watch;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use nephos::S3Buckets;
use nephos_core::app::{App, ObjectEventKind, Resource, Trigger};
use nephos_core::resource::table::TableSchema;
use nephos_local::deploy::engine::{Engine, Exposure, Options};

pub(crate) use self::log::Printer;
use self::watch::{Changed, Watcher};
use crate::binary;
use crate::build::{self, BuildArgs};
use crate::demo::Demo;
use crate::fail::Fail;
use crate::output::{Output, Paint};
use crate::project::{Place, Project};

/// Arguments of `nephos dev`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The project; the same as `--dir`.
    folder: Option<PathBuf>,

    /// The gateway's port; 0 takes any that is free.
    #[arg(long, short, default_value_t = 3000)]
    port: u16,

    /// The address to listen on.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), value_name = "ADDRESS")]
    host: IpAddr,

    /// Lets other machines reach it, if `--host` is such an address. There is no sign-in.
    #[arg(long)]
    allow_remote: bool,

    /// The resource API's port.
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    api_port: u16,

    /// The SMTP listener's port.
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    smtp_port: u16,

    /// The S3-compatible store's port.
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    s3_port: u16,

    /// How many seconds a process may be idle before it is stopped.
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    idle: u64,

    /// Does not rebuild when a file changes.
    #[arg(long)]
    no_watch: bool,

    /// Runs the steps of demo.toml on a fresh state, checks what came of them, and ends.
    #[arg(long)]
    demo: bool,

    #[command(flatten)]
    build: BuildArgs,
}

/// A project that runs.
struct Session {
    project: Project,
    engine: Engine,
    printer: Printer,
}

impl Session {
    async fn start(args: &Args, place: &Place, output: Output) -> miette::Result<Self> {
        let (project, binary) = ready(args, place, output).await?;
        let state = project.state();
        let binary = binary::keep(&state, &binary)?;
        let mut options = Options::new(&state, &binary);
        let at = |port| SocketAddr::new(args.host, port);
        options.gateway = at(args.port);
        options.api = at(args.api_port);
        // Mail and the S3 store are served where the app needs them, or where they are asked for.
        let asked = |port: u16| (port != 0).then(|| at(port));
        options.others = args.host;
        options.smtp = asked(args.smtp_port);
        options.s3 = asked(args.s3_port);
        options.external = Arc::new(S3Buckets);
        options.secrets = Some(project.secrets());
        options.idle_timeout = Duration::from_secs(args.idle);
        if args.allow_remote {
            options.exposure = Exposure::Network;
        }
        let engine = Engine::start(project.app().clone(), options)
            .await
            .map_err(Fail::from)?;
        binary::forget_others(&state, &binary);
        let printer = Printer::start(engine.activity(), output);
        Ok(Self {
            project,
            engine,
            printer,
        })
    }

    async fn stop(self) {
        self.engine.stop().await;
        self.printer.finish().await;
    }
}

pub(crate) async fn run(args: &Args, place: &Place, output: &Output) -> miette::Result<ExitCode> {
    let place = &place.in_folder(args.folder.as_deref());
    if args.demo {
        return demo(args, place, *output).await;
    }
    let mut session = Session::start(args, place, *output).await?;
    let mut watcher = if args.no_watch {
        None
    } else {
        Some(Watcher::start(&session.project.dir)?)
    };
    // Only now: whoever reads it may change a file at once.
    announce(&session, *output);
    let mut stop = std::pin::pin!(stop_signal());
    loop {
        let changed = tokio::select! {
            () = &mut stop => break,
            changed = watch::changed(watcher.as_mut()) => changed,
        };
        match changed {
            Changed::Source => rebuild(&session, args, *output).await,
            Changed::Manifest => {
                // What is written in the manifest is wrong more often than not while it is being written: what runs goes on until it is right.
                if let Err(report) = ready(args, place, *output).await {
                    complain(&report, *output);
                    continue;
                }
                session.stop().await;
                session = loop {
                    match Session::start(args, place, *output).await {
                        Ok(session) => break session,
                        Err(report) => complain(&report, *output),
                    }
                    tokio::select! {
                        () = &mut stop => return Ok(ExitCode::SUCCESS),
                        _ = watch::changed(watcher.as_mut()) => {}
                    }
                };
                announce(&session, *output);
            }
        }
    }
    // What is in flight may take as long as its function's time-out; whoever does not want to wait asks once more.
    tokio::select! {
        () = session.stop() => Ok(ExitCode::SUCCESS),
        () = stop_signal() => Ok(ExitCode::FAILURE),
    }
}

/// A right manifest, and the binary of functions that fit it.
async fn ready(args: &Args, place: &Place, output: Output) -> miette::Result<(Project, PathBuf)> {
    let project = Project::load(place, Some("local"), output)?;
    let binary = build::build(&project.dir, &args.build, output).await?;
    project.manifest.functions_fit(&build::describe(&binary).await?)?;
    Ok((project, binary))
}

async fn rebuild(session: &Session, args: &Args, output: Output) {
    let rebuilt = async {
        let binary = build::build(&session.project.dir, &args.build, output).await?;
        session
            .project
            .manifest
            .functions_fit(&build::describe(&binary).await?)?;
        let state = session.project.state();
        let binary = binary::keep(&state, &binary)?;
        session.engine.replace_binary(&binary);
        binary::forget_others(&state, &binary);
        Ok::<_, miette::Report>(())
    };
    match rebuilt.await {
        Ok(()) if output.json => output.line(&serde_json::json!({ "event": "rebuilt" })),
        Ok(()) => output.print(&output.paint(Paint::Dim, "rebuilt: new invocations use the new code")),
        Err(report) => complain(&report, output),
    }
}

fn complain(report: &miette::Report, output: Output) {
    // The exit code is for later: for now what ran before goes on.
    let _ = output.fail(report);
}

async fn demo(args: &Args, place: &Place, output: Output) -> miette::Result<ExitCode> {
    let demo = Demo::load(&place.dir)?;
    // A state of its own, so that what the project has is left alone and each run begins alike.
    let state = match &place.state {
        Some(state) => state.clone(),
        None => {
            let state = place.dir.join(".nephos").join("demo");
            match std::fs::remove_dir_all(&state) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    let what = format!(
                        "the last demonstration's state in {} cannot be removed",
                        state.display()
                    );
                    return Err(Fail::from_io(&what, &error)
                        .help("is another demonstration running?")
                        .into());
                }
            }
            state
        }
    };
    // Any port will do: nobody types it.
    let args = Args {
        port: 0,
        folder: None,
        build: args.build.clone(),
        ..*args
    };
    let place = Place {
        dir: place.dir.clone(),
        state: Some(state),
    };
    let session = Session::start(&args, &place, output).await?;
    let played = demo
        .run(
            &session.project.dir,
            session.project.app(),
            &session.engine,
            &session.printer,
            output,
        )
        .await;
    session.stop().await;
    played.map(|()| ExitCode::SUCCESS)
}

/// Says where everything is, and how to set off each trigger.
fn announce(session: &Session, output: Output) {
    let addresses = session.engine.addresses();
    if output.json {
        let url = |address: SocketAddr| format!("http://{address}");
        output.line(&serde_json::json!({
            "event": "ready",
            "app": session.project.app().name,
            "gateway": url(addresses.gateway),
            "api": url(addresses.api),
            "smtp": addresses.smtp,
            "s3": addresses.s3.map(url),
        }));
        return;
    }
    let app = session.project.app();
    output.print(&format!(
        "{} http://{}",
        output.paint(Paint::Bold, &app.name),
        addresses.gateway
    ));
    if let Some(smtp) = addresses.smtp {
        output.print(&format!("  mail   smtp://{smtp}"));
    }
    if let Some(s3) = addresses.s3 {
        output.print(&format!("  s3     http://{s3}"));
    }
    let mut here = String::new();
    if session.project.dir != Path::new(".") {
        here.push_str(&format!(" -C {}", session.project.dir.display()));
    }
    if let Some(state) = session.project.other_state() {
        here.push_str(&format!(" --state {}", state.display()));
    }
    for (function, spec) in &app.functions {
        for trigger in &spec.on {
            let command = try_it(app, function, trigger, addresses.gateway, &here);
            output.print(&format!(
                "  {:<14} {}",
                output.paint(Paint::Blue, function),
                output.paint(Paint::Dim, &command)
            ));
        }
    }
    output.print("");
}

/// A command that sets off the trigger, ready to paste.
fn try_it(app: &App, function: &str, trigger: &Trigger, gateway: SocketAddr, here: &str) -> String {
    match trigger {
        Trigger::Http { method, path } => {
            let path = path.replace("{*", "{").replace(['{', '}'], "");
            match method.as_deref() {
                None | Some("GET") => format!("curl http://{gateway}{path}"),
                Some(method) => format!("curl -X {method} -d '{{}}' http://{gateway}{path}"),
            }
        }
        Trigger::Bucket {
            bucket,
            event,
            prefix,
            suffix,
        } => {
            let key = match prefix.as_str() {
                "" => String::new(),
                prefix => format!(" --key {prefix}some-file{suffix}"),
            };
            let deleted = if *event == ObjectEventKind::Deleted {
                " --deleted"
            } else {
                ""
            };
            format!("nephos{here} emit bucket {bucket} ./some-file{suffix}{key}{deleted}")
        }
        Trigger::Queue { queue, .. } => format!("nephos{here} emit queue {queue} '{{}}'"),
        Trigger::Topic { topic, filter } => {
            let attributes: String = filter
                .iter()
                .map(|(name, value)| format!(" --attribute '{name}={value}'"))
                .collect();
            format!("nephos{here} emit topic {topic} '{{}}'{attributes}")
        }
        Trigger::Stream { stream, .. } => format!("nephos{here} emit stream {stream} '{{}}'"),
        Trigger::Table { table, .. } => {
            let item = match app.resources.get(table) {
                Some(Resource::Table(spec)) => sample_item(&spec.schema),
                _ => "{}".to_owned(),
            };
            format!("nephos{here} put {table} '{item}'")
        }
        Trigger::Schedule { .. } => format!("nephos{here} emit schedule {function}"),
        Trigger::Email { address } => {
            let to = address.replace('*', "someone");
            let to = if to.contains('@') {
                to
            } else {
                format!("{to}@example.net")
            };
            format!("nephos{here} emit email ./message.eml --to {to}")
        }
        Trigger::Auth { stage } => format!("nephos{here} emit auth {}", stage.name()),
        Trigger::Voice { skill } => format!("nephos{here} emit voice {skill}"),
    }
}

/// An item with the table's keys and nothing else.
fn sample_item(schema: &TableSchema) -> String {
    let keys = std::iter::once(&schema.key).chain(&schema.sort);
    let item: serde_json::Map<String, serde_json::Value> =
        keys.map(|key| (key.clone(), "one".into())).collect();
    serde_json::Value::Object(item).to_string()
}

/// Ends when the command is told to stop.
async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // Without it there is no other way to be told than by force.
    let _ = interrupt.await;
}

//! `nephos dev`: builds the functions and runs them here, with all their triggers and resources.

mod log;
mod watch;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use nephos_core::app::Trigger;
use nephos_local::deploy::engine::{Engine, Exposure, Options};

pub(crate) use self::log::Printer;
use self::watch::{Changed, Watcher};
use crate::build::{self, BuildArgs};
use crate::demo::Demo;
use crate::fail::Fail;
use crate::output::{Output, Paint};
use crate::project::Project;

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

    /// The folder of all state; `.nephos` in the project by default.
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,

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
    async fn start(args: &Args, dir: &Path, state: Option<&Path>, output: Output) -> miette::Result<Self> {
        let project = Project::load(dir, Some("local"), output)?;
        let binary = build::build(&project.dir, &args.build, output).await?;
        project.manifest.functions_fit(&build::describe(&binary).await?)?;
        let state = state.map_or_else(|| project.state(), Path::to_owned);
        let mut options = Options::new(state, binary);
        let at = |port| SocketAddr::new(args.host, port);
        options.gateway = at(args.port);
        options.api = at(args.api_port);
        options.smtp = (args.smtp_port != 0).then(|| at(args.smtp_port));
        options.s3 = (args.s3_port != 0).then(|| at(args.s3_port));
        options.secrets = Some(project.secrets());
        options.idle_timeout = Duration::from_secs(args.idle);
        if args.allow_remote {
            options.exposure = Exposure::Network;
        }
        let engine = Engine::start(project.app().clone(), options)
            .await
            .map_err(Fail::from)?;
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

pub(crate) async fn run(args: &Args, dir: &Path, output: &Output) -> miette::Result<ExitCode> {
    let dir = args.folder.as_deref().unwrap_or(dir);
    if args.demo {
        return demo(args, dir, *output).await;
    }
    let mut session = Session::start(args, dir, args.state.as_deref(), *output).await?;
    announce(&session, *output);
    let mut watcher = if args.no_watch {
        None
    } else {
        Some(Watcher::start(&session.project.dir)?)
    };
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
                if let Err(report) = Project::load(dir, Some("local"), *output) {
                    complain(&report, *output);
                    continue;
                }
                session.stop().await;
                session = loop {
                    match Session::start(args, dir, args.state.as_deref(), *output).await {
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
    session.stop().await;
    Ok(ExitCode::SUCCESS)
}

async fn rebuild(session: &Session, args: &Args, output: Output) {
    let rebuilt = async {
        let binary = build::build(&session.project.dir, &args.build, output).await?;
        session
            .project
            .manifest
            .functions_fit(&build::describe(&binary).await?)?;
        session.engine.replace_binary(&binary);
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

async fn demo(args: &Args, dir: &Path, output: Output) -> miette::Result<ExitCode> {
    let demo = Demo::load(dir)?;
    // A state of its own, so that what the project has is left alone and each run begins alike.
    let state = match &args.state {
        Some(state) => state.clone(),
        None => {
            let state = dir.join(".nephos").join("demo");
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
        state: None,
        build: args.build.clone(),
        ..*args
    };
    let session = Session::start(&args, dir, Some(&state), output).await?;
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
    let here = if session.project.dir == Path::new(".") {
        String::new()
    } else {
        format!(" -C {}", session.project.dir.display())
    };
    for (function, spec) in &app.functions {
        for trigger in &spec.on {
            let command = try_it(function, trigger, addresses.gateway, &here);
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
fn try_it(function: &str, trigger: &Trigger, gateway: SocketAddr, here: &str) -> String {
    match trigger {
        Trigger::Http { method, path } => {
            let path = path.replace("{*", "{").replace(['{', '}'], "");
            match method.as_deref() {
                None | Some("GET") => format!("curl http://{gateway}{path}"),
                Some(method) => format!("curl -X {method} -d '{{}}' http://{gateway}{path}"),
            }
        }
        Trigger::Bucket { bucket, suffix, .. } => {
            format!("nephos{here} emit bucket {bucket} ./some-file{suffix}")
        }
        Trigger::Queue { queue, .. } => format!("nephos{here} emit queue {queue} '{{}}'"),
        Trigger::Topic { topic, .. } => format!("nephos{here} emit topic {topic} '{{}}'"),
        Trigger::Stream { stream, .. } => format!("nephos{here} emit stream {stream} '{{}}'"),
        Trigger::Table { table, .. } => format!("nephos{here} put {table} '{{…}}'"),
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

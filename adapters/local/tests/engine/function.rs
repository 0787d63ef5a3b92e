//! The functions, chosen by name.

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixListener;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use http_body_util::BodyExt as _;
use nephos_core::adapter::{Host as _, Launch};
use nephos_core::env::{Environment, FUNCTION};
use nephos_core::event::{
    AuthDecision, AuthEvent, Batch, Email, Message, ObjectCreated, Record, Request, Tick, VoiceRequest,
    VoiceResponse,
};
use nephos_core::handler::PathParams;
use nephos_core::resource::NoExternalBuckets;
use nephos_core::{Context, Error, Function, Result};
use nephos_local::host::LocalHost;
use nephos_local::wire::pipes;

/// The variable with the file that functions append what they are given to.
pub(crate) const OUT: &str = "TEST_OUT";

/// Appends a line: short ones are whole whoever else writes.
fn note(line: &str) {
    let path = std::env::var(OUT).unwrap();
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}

pub(crate) fn run(environment: Environment) -> ExitCode {
    let name = environment.get(FUNCTION).unwrap().to_owned();
    let function = match name.as_str() {
        "crash" => {
            eprintln!("the config is missing");
            return ExitCode::from(3);
        }
        "garbage" => return garbage(),
        "hello" => Function::new(&name, hello),
        "hang" => Function::new(&name, hang),
        "flood" => Function::new(&name, flood),
        "abort" => Function::new(&name, abort),
        "pid" => Function::new(&name, pid),
        "work" => Function::new(&name, work),
        "bulk" => Function::new(&name, bulk),
        "photo" => Function::new(&name, photo),
        "tick" => Function::new(&name, tick),
        "mail" => Function::new(&name, mail),
        "gate" => Function::new(&name, gate),
        "speak" => Function::new(&name, speak),
        "follow" => Function::new(&name, follow),
        other => panic!("there is no function {other}"),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let launch = Launch {
        function,
        environment,
        external: Arc::new(NoExternalBuckets),
    };
    match runtime.block_on(LocalHost.serve(launch)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", error.chain());
            ExitCode::FAILURE
        }
    }
}

/// Tells what it was asked, and how long the body was.
async fn hello(request: Request) -> String {
    let (parts, mut body) = request.into_parts();
    let params = parts.extensions.get::<PathParams>().cloned().unwrap_or_default();
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        bytes += frame.unwrap().data_ref().map_or(0, bytes::Bytes::len);
    }
    let reserved = parts
        .headers
        .keys()
        .any(|name| name.as_str().starts_with("nephos-"));
    let trace = parts.headers.contains_key("traceparent");
    format!(
        "{} {} {:?} {bytes} reserved={reserved} trace={trace}",
        parts.method, parts.uri, params.0
    )
}

/// Blocks its thread, as no deadline can end.
async fn hang(_request: Request) -> &'static str {
    std::thread::sleep(Duration::from_secs(3600));
    "never"
}

async fn flood(_request: Request) -> &'static str {
    let line = [b'x'; 1 << 16];
    let mut out = std::io::stdout().lock();
    for _ in 0..(1 << 30) / line.len() {
        out.write_all(&line).unwrap();
    }
    out.flush().unwrap();
    "printed"
}

/// Dies on its first delivery, and does its work on the second.
async fn abort(message: Message<String>, cx: Context) -> Result<()> {
    note(&format!("{} attempt {}", message.body, cx.attempt()));
    if cx.attempt() == 1 {
        std::process::abort();
    }
    Ok(())
}

async fn pid(_request: Request) -> String {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let temporary = std::env::var("TMPDIR").unwrap();
    let empty = std::fs::read_dir(&temporary).unwrap().next().is_none();
    std::fs::write(format!("{temporary}/left"), "x").unwrap();
    let calls = CALLS.fetch_add(1, Ordering::SeqCst) + 1;
    format!("{} calls={calls} empty={empty}", std::process::id())
}

async fn work(message: Message<String>, cx: Context) -> Result<()> {
    note(&format!("{} attempt {}", message.body, cx.attempt()));
    match message.body.as_str() {
        "bad" => Err(Error::reject("no such article")),
        "flaky" if cx.attempt() < 2 => Err(Error::retry("not now")),
        _ => Ok(()),
    }
}

async fn bulk(batch: Batch<Message<String>>) -> Result<()> {
    let lines: Vec<_> = batch.iter().map(|message| message.body.clone()).collect();
    note(&lines.join("\n"));
    Ok(())
}

async fn photo(photo: ObjectCreated) -> Result<()> {
    note(&photo.key);
    Ok(())
}

async fn tick(tick: Tick) -> Result<()> {
    note(&format!("{} past_due={}", tick.schedule, tick.past_due));
    Ok(())
}

async fn mail(email: Email) -> Result<()> {
    note(&format!("{} to {}", email.subject, email.envelope.to.join(",")));
    Ok(())
}

async fn gate(event: AuthEvent) -> Result<AuthDecision> {
    Ok(match event.user.as_deref() {
        Some("mallory") => AuthDecision::deny("not you"),
        _ => AuthDecision::allow(),
    })
}

async fn speak(request: VoiceRequest) -> VoiceResponse {
    VoiceResponse::tell(format!("hello {}", request.user.unwrap_or_default()))
}

async fn follow(record: Record<String>, cx: Context) -> Result<()> {
    note(&format!("{} attempt {}", record.body, cx.attempt()));
    if record.body == "bad" {
        return Err(Error::retry("cannot"));
    }
    Ok(())
}

/// Answers what is no HTTP.
fn garbage() -> ExitCode {
    let stdin: OwnedFd = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    let listener = UnixListener::from(stdin);
    listener.set_nonblocking(false).unwrap();
    while let Ok((socket, _)) = listener.accept() {
        let (mut reader, mut writer) = pipes::take_over(&socket).unwrap();
        let mut some = [0; 1024];
        let read = reader.read(&mut some).unwrap_or_default();
        assert!(read > 0);
        let _ = writer.write_all(b"what a lovely day\r\n\r\n");
    }
    ExitCode::SUCCESS
}

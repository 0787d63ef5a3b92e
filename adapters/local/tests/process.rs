//! A function's real process: how it starts, drains on SIGTERM, and ends with its parent. This binary is the function itself when the
//! embedded host's variables are set.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

use std::io::{PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use nephos_core::adapter::{Host as _, Launch};
use nephos_core::env::Environment;
use nephos_core::event::Request;
use nephos_core::resource::NoExternalBuckets;
use nephos_core::{Context, Function};
use nephos_local::host::LocalHost;
use nephos_local::wire::{ENV_API, ENV_PARENT, ENV_TOKEN, pipes};

fn main() -> ExitCode {
    let environment = Environment::of_process();
    if LocalHost.detect(&environment) {
        return function(environment);
    }
    let trials = vec![
        Trial::test("sigterm_lets_the_delivery_in_flight_finish", sigterm_drains),
        Trial::test(
            "the_function_ends_when_its_parent_is_another_process",
            ends_without_parent,
        ),
        Trial::test("the_function_ends_when_its_parent_is_killed", ends_with_parent),
        Trial::test(
            "standard_input_that_is_no_socket_is_refused_with_a_hint",
            refuses_other_stdin,
        ),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// What the function's process does: waits as long as the path says, and answers.
fn function(environment: Environment) -> ExitCode {
    async fn wait(request: Request, cx: Context) -> String {
        let millis = request.uri().path().trim_start_matches('/').parse().unwrap_or(0);
        println!("started");
        tokio::time::sleep(Duration::from_millis(millis)).await;
        format!("done {}", cx.invocation_id())
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let launch = Launch {
        function: Function::new("wait", wait),
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

fn command(stdin: impl Into<Stdio>) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .env(ENV_API, "http://127.0.0.1:9")
        .env(ENV_TOKEN, "token")
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Starts the function with a bound socket, as the embedded host does.
fn start(folder: &Path) -> Child {
    let listener = UnixListener::bind(folder.join("s")).unwrap();
    command(OwnedFd::from(listener))
        .env(ENV_PARENT, std::process::id().to_string())
        .spawn()
        .unwrap()
}

/// Connecting works at once: the socket is there before the process is.
fn request(folder: &Path, millis: u32) -> (PipeReader, PipeWriter) {
    let socket = UnixStream::connect(folder.join("s")).unwrap();
    let (reader, mut writer) = pipes::hand_over(&socket).unwrap();
    write!(
        writer,
        "GET /{millis} HTTP/1.1\r\nhost: x\r\nnephos-delivery: http;attempt=1;timeout-ms=20000;id=i-1\r\n\r\n"
    )
    .unwrap();
    (reader, writer)
}

/// All that comes until the process hangs up.
fn read_to_end(mut reader: PipeReader) -> Result<String, Failed> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = reader.read_to_string(&mut text).map(|_| text);
        // A test that has given up listens no more.
        let _ = tell.send(read);
    });
    Ok(told.recv_timeout(Duration::from_secs(20))??)
}

fn exit_code(child: &mut Child) -> Result<Option<i32>, Failed> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(status.code());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill()?;
    Err("the process did not end within 20 seconds".into())
}

fn terminate(child: &Child) -> Result<(), Failed> {
    let status = Command::new("kill")
        .arg("-TERM")
        .arg(child.id().to_string())
        .status()?;
    assert!(status.success());
    Ok(())
}

fn wait_for_start(child: &mut Child) -> Result<(), Failed> {
    let mut line = [0; 8];
    child.stdout.as_mut().unwrap().read_exact(&mut line)?;
    assert_eq!(&line, b"started\n");
    Ok(())
}

fn sigterm_drains() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let mut child = start(folder.path());
    let (reader, _writer) = request(folder.path(), 500);
    wait_for_start(&mut child)?;
    terminate(&child)?;
    let answer = read_to_end(reader)?;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("nephos-outcome: http\r\n"), "{answer}");
    assert!(answer.ends_with("done i-1"), "{answer}");
    assert_eq!(exit_code(&mut child)?, Some(0));
    Ok(())
}

fn ends_without_parent() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let listener = UnixListener::bind(folder.path().join("s"))?;
    // Process 1 is not this test: as if the embedded host had ended before the function looked.
    let mut child = command(OwnedFd::from(listener)).env(ENV_PARENT, "1").spawn()?;
    assert_eq!(exit_code(&mut child)?, Some(3));
    Ok(())
}

fn ends_with_parent() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let listener = UnixListener::bind(folder.path().join("s"))?;
    // A shell in between is the parent; its end is the function's, even with a delivery in flight.
    let mut shell = Command::new("sh")
        .arg("-c")
        .arg("exec 3<&0; \"$0\" <&3 & exec sleep 60")
        .arg(std::env::current_exe()?)
        .env(ENV_API, "http://127.0.0.1:9")
        .env(ENV_TOKEN, "token")
        .stdin(OwnedFd::from(listener))
        .stdout(Stdio::piped())
        .spawn()?;
    let mut output = shell.stdout.take().unwrap();
    let (reader, _writer) = request(folder.path(), 60_000);
    let mut seen = String::new();
    while !seen.contains("started\n") {
        let mut byte = [0];
        output.read_exact(&mut byte)?;
        seen.push(char::from(byte[0]));
    }
    shell.kill()?;
    shell.wait()?;
    // The connection breaks when the process is gone.
    assert_eq!(read_to_end(reader)?, "");
    Ok(())
}

fn refuses_other_stdin() -> Result<(), Failed> {
    let mut child = command(Stdio::null()).spawn()?;
    let code = exit_code(&mut child)?;
    let mut message = String::new();
    child.stderr.take().unwrap().read_to_string(&mut message)?;
    assert_eq!(code, Some(1), "{message}");
    assert!(
        message.contains("start the function with `nephos dev`"),
        "{message}"
    );
    Ok(())
}

//! The proxy: `microburst`, which takes its errors from AWS's own service models, with rules that a test sets while it runs.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Aws, Project};

/// How long it may take to answer.
const READY: Duration = Duration::from_secs(120);
/// Runs the proxy, and kills it when the standard input ends: when the test does, in whatever way.
const WATCH: &str = r#"{ "$0" "$@" </dev/null; kill -KILL 0; } & read -r _; kill -KILL 0"#;

/// A running proxy before an emulator.
pub(super) struct Proxy {
    child: Child,
    port: u16,
    log: tempfile::NamedTempFile,
}

impl Proxy {
    pub(super) fn before(aws: &Aws) -> Self {
        let tools = std::env::var("NEPHOS_TOOLS").unwrap_or_else(|_| {
            panic!("NEPHOS_TOOLS names the folder of the tools that tests need; run `cargo xtask setup`, then `cargo xtask test`, which sets it")
        });
        let program = Path::new(&tools).join("python/bin/microburst");
        assert!(
            program.exists(),
            "{} is not there; run `cargo xtask setup`",
            program.display()
        );
        let program = std::path::absolute(program).unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let log = tempfile::NamedTempFile::new().unwrap();
        let child = Command::new("sh")
            .args(["-c", WATCH])
            .arg(program)
            .args(["--no-resign", "--upstream", aws.emulator.endpoint(), "--port"])
            .arg(port.to_string())
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::piped())
            .stdout(log.reopen().unwrap())
            .stderr(log.reopen().unwrap())
            .process_group(0)
            .spawn()
            .unwrap();
        let proxy = Self { child, port, log };
        let deadline = Instant::now() + READY;
        while proxy.try_ask("GET", "health", "").is_none() {
            assert!(
                Instant::now() < deadline,
                "the proxy does not answer: {}",
                proxy.said()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        proxy
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap_or_default()
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn try_ask(&self, method: &str, what: &str, body: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let length = body.len();
        write!(
            stream,
            "{method} /_microburst/{what} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
        .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        assert!(head.starts_with("HTTP/1.1 2"), "{answer}\n{}", self.said());
        serde_json::from_str(body).ok()
    }

    fn ask(&self, method: &str, what: &str, body: &str) -> Value {
        self.try_ask(method, what, body)
            .unwrap_or_else(|| panic!("{method} {what} has no answer: {}", self.said()))
    }

    /// Adds a rule: what is to go wrong.
    pub(super) fn rule(&self, rule: Value) {
        self.ask("PATCH", "rules", &json!([rule]).to_string());
    }

    /// Nothing goes wrong any more; what did so far is forgotten.
    pub(super) fn heal(&self) {
        self.ask("POST", "rules", "[]");
        self.ask("DELETE", "fired", "");
    }

    /// How often something went wrong with an operation.
    pub(super) fn fired(&self, operation: &str) -> usize {
        self.faults(&format!("fired?operation={operation}"))
    }

    /// How often anything went wrong.
    pub(super) fn fired_at_all(&self) -> usize {
        self.faults("fired")
    }

    fn faults(&self, what: &str) -> usize {
        let fired = self.ask("GET", what, "");
        let list = fired.as_array().or_else(|| fired["fired"].as_array());
        list.unwrap_or_else(|| panic!("no list of faults: {fired:#}"))
            .len()
    }

    /// Waits until something went wrong with an operation.
    pub(super) fn wait_for(&self, operation: &str) {
        let deadline = Instant::now() + READY;
        while self.fired(operation) == 0 {
            assert!(Instant::now() < deadline, "nobody asks for {operation}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The command, with the proxy for AWS, and few tries, so that a test of what never ends does.
    pub(super) fn command(&self, aws: &Aws, project: &Project, args: &[&str]) -> Command {
        let mut command = aws.command(project, args);
        command
            .args(["--target", "aws"])
            .env("AWS_ENDPOINT_URL", self.endpoint())
            .env("AWS_MAX_ATTEMPTS", "2");
        command
    }

    pub(super) fn deploying(&self, aws: &Aws, project: &Project) -> Command {
        self.command(aws, project, &["deploy", "--yes", "--binary", project.binary()])
    }

    pub(super) fn deploy(&self, aws: &Aws, project: &Project) -> Output {
        self.deploying(aws, project).output().unwrap()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It has been told by the end of its input.
        let _ = self.child.wait();
    }
}

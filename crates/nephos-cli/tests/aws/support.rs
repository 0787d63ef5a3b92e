//! The emulator, the command told where it is, and projects to deploy.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use nephos_aws::harness::emulator::Emulator;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::sdk::Sdk;

/// The folder of an example.
pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(name)
}

/// An example's own manifest, and what a test adds.
pub(crate) fn manifest(example: &str, more: &str) -> String {
    let own = std::fs::read_to_string(self::example(example).join("nephos.toml")).unwrap();
    format!("{own}\n{more}")
}

/// The functions of `every-trigger` that a manifest does not speak of: an app has all that are in its binary.
pub(crate) fn uncalled(spoken_of: &[&str]) -> String {
    let own: toml::Table = toml::from_str(&manifest("every-trigger", "")).unwrap();
    let functions = own["function"].as_table().unwrap().keys();
    functions
        .filter(|name| !spoken_of.contains(&name.as_str()))
        .map(|name| format!("[function.{name}]\nuses = {{ seen = [\"write\"] }}\n"))
        .collect()
}

/// An example's binary for the target, built once for all tests by the command itself, as an author would: with the features that it chooses.
pub(crate) fn binary(example: &str) -> PathBuf {
    static BINARIES: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut binaries = BINARIES.lock().unwrap_or_else(PoisonError::into_inner);
    let build = || {
        let output = command()
            // Nothing that a debugger wants: it is packed by a program that was not optimised.
            .env("CARGO_PROFILE_DEV_STRIP", "symbols")
            .args(["--json", "build", "--target", "aws", "--profile", "dev", "-C"])
            .arg(self::example(example))
            .output()
            .unwrap();
        let line: Value = serde_json::from_str(done(&output).lines().last().unwrap()).unwrap();
        PathBuf::from(line["binary"].as_str().unwrap())
    };
    binaries.entry(example.to_owned()).or_insert_with(build).clone()
}

/// The command, without what this machine says of AWS.
fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nephos"));
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    command.env("CARGO_TARGET_DIR", built).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("AWS_")) {
            command.env_remove(name);
        }
    }
    command
}

/// What a command that succeeded printed.
pub(crate) fn done(output: &Output) -> String {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    out
}

/// Holds that a command failed with this exit code and said all of this.
pub(crate) fn refused(output: &Output, code: i32, said: &[&str]) {
    // Lines are broken where a terminal would end.
    let error = text(&output.stderr).replace('|', " ");
    let error = error.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(
        output.status.code(),
        Some(code),
        "{}{error}",
        text(&output.stdout)
    );
    for part in said {
        assert!(error.contains(part), "{part} is missing:\n{error}");
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A project with a manifest, and a binary that is deployed for it.
pub(crate) struct Project {
    pub(crate) dir: TempDir,
    binary: PathBuf,
}

pub(crate) const HELLO: &str = "app = \"hello-http\"\n[function.hello]\non = [{ http = \"GET /hello/{name}\" }, { http = \"POST /hello\" }]\n";

impl Project {
    pub(crate) fn new(manifest: &str) -> Self {
        let mut project = Self::of("hello-http", manifest);
        let own = project.dir.path().join("functions");
        std::fs::copy(&project.binary, &own).unwrap();
        project.binary = own;
        project
    }

    /// With an example's functions.
    pub(crate) fn of(example: &str, manifest: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("nephos.toml"), manifest).unwrap();
        let binary = self::binary(example);
        Self { dir, binary }
    }

    pub(crate) fn write(&self, manifest: &str) {
        std::fs::write(self.dir.path().join("nephos.toml"), manifest).unwrap();
    }

    /// Other code: it greets otherwise, in as many letters.
    pub(crate) fn change_code(&self) {
        self.greet("Howdy, ");
    }

    /// Code that greets with these seven bytes.
    pub(crate) fn greet(&self, greeting: &str) {
        assert_eq!(greeting.len(), 7, "{greeting}");
        let mut bytes = std::fs::read(binary("hello-http")).unwrap();
        let mut changed = 0;
        let mut at = 0;
        while let Some(found) = bytes[at..].windows(7).position(|window| window == b"Hello, ") {
            at += found;
            bytes[at..at + 7].copy_from_slice(greeting.as_bytes());
            changed += 1;
        }
        assert!(changed > 0, "the greeting is not in the binary");
        std::fs::write(&self.binary, bytes).unwrap();
    }

    pub(crate) fn binary(&self) -> &str {
        self.binary.to_str().unwrap()
    }
}

/// An account at the emulator.
pub(crate) struct Aws {
    pub(crate) emulator: Emulator,
    pub(crate) runtime: tokio::runtime::Runtime,
    sdk: OnceLock<Sdk>,
}

impl Aws {
    pub(crate) fn start() -> Self {
        Self::on(Emulator::start())
    }

    /// An account where nobody but its root may do what no policy allows.
    pub(crate) fn start_enforcing() -> Self {
        Self::on(Emulator::start_enforcing())
    }

    fn on(emulator: impl Future<Output = nephos_core::Result<Emulator>>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        let emulator = runtime.block_on(emulator).unwrap();
        Self {
            emulator,
            runtime,
            sdk: OnceLock::new(),
        }
    }

    /// AWS's SDK, for this account.
    pub(crate) fn sdk(&self) -> &Sdk {
        self.sdk.get_or_init(|| Sdk::start(self.emulator.environment()))
    }

    /// What a stack says of itself: physical names by logical ids.
    pub(crate) fn outputs(&self, stack: &str) -> BTreeMap<String, String> {
        let stacks = self
            .sdk()
            .call("cloudformation", "describe_stacks", json!({"StackName": stack}));
        let outputs = stacks["Stacks"][0]["Outputs"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        outputs
            .map(|output| (text(&output["OutputKey"]), text(&output["OutputValue"])))
            .collect()
    }

    /// How the app stands, as the command tells it.
    pub(crate) fn status(&self, project: &Project) -> Value {
        serde_json::from_str(&done(&self.run(project, &["status", "--json"]))).unwrap()
    }

    /// The host of a function's URL, which the emulator knows it by.
    pub(crate) fn host(&self, project: &Project, function: &str) -> String {
        let status = self.status(project);
        let url = status["functions"][function]["url"]
            .as_str()
            .unwrap_or_else(|| panic!("no URL in {status:#}"));
        url.trim_start_matches("https://")
            .trim_end_matches('/')
            .to_owned()
    }

    pub(crate) fn command(&self, project: &Project, args: &[&str]) -> Command {
        let mut command = command();
        command
            .envs(self.emulator.environment())
            .arg("-C")
            .arg(project.dir.path())
            .args(args);
        command
    }

    /// Runs a subcommand that asks AWS nothing.
    pub(crate) fn offline(project: &Project, args: &[&str]) -> Output {
        command()
            .env("AWS_REGION", "eu-west-1")
            .arg("-C")
            .arg(project.dir.path())
            .args(args)
            .args(["--target", "aws"])
            .output()
            .unwrap()
    }

    /// Runs a subcommand on the project, for the target.
    pub(crate) fn run(&self, project: &Project, args: &[&str]) -> Output {
        self.command(project, args)
            .args(["--target", "aws"])
            .output()
            .unwrap()
    }

    pub(crate) fn deploy(&self, project: &Project, more: &[&str]) -> Output {
        self.command(
            project,
            &["deploy", "--target", "aws", "--binary", project.binary()],
        )
        .args(more)
        .output()
        .unwrap()
    }

    /// Deploys, and holds that it went well.
    pub(crate) fn deployed(&self, project: &Project) -> String {
        done(&self.deploy(project, &["--yes"]))
    }

    /// What the function `hello` answers at its URL, which the emulator knows by its host.
    pub(crate) fn get(&self, project: &Project, path: &str) -> String {
        let host = self.host(project, "hello");
        self.request(&format!("GET {path}"), &host, "")
    }

    /// What the emulator answers to a request for this host.
    pub(crate) fn request(&self, line: &str, host: &str, body: &str) -> String {
        let address = self.emulator.endpoint().trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).unwrap();
        let length = body.len();
        write!(
            stream,
            "{line} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

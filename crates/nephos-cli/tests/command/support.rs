//! The command, its host while it runs, and apps to run in it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take on a busy machine; a first build of the functions takes the longest.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nephos"));
    // Generated apps are built beside the workspace, so that they find what it has built already.
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    command.env("CARGO_TARGET_DIR", built).stdin(Stdio::null());
    command
}

pub(crate) fn nephos(args: &[&str]) -> Output {
    command().args(args).output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a command that succeeded printed.
pub(crate) fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}{}", stdout(output), stderr(output));
    stdout(output)
}

/// Holds that a command failed with this exit code and said all of this.
pub(crate) fn refused(output: &Output, code: i32, said: &[&str]) {
    let error = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{error}");
    for part in said {
        assert!(error.contains(part), "{part} is missing:\n{error}");
    }
}

pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(name)
}

pub(crate) fn manifest(text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("nephos.toml"), text).unwrap();
    dir
}

/// Builds an example as `nephos dev` does, and returns its binary.
pub(crate) fn built(name: &str) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--message-format=json", "-p", name])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let artifact = stdout(&output)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .next_back();
    artifact.unwrap()
}

/// Generates an app without state. It lies at the same place each time, so that cargo has only the app itself to build again.
pub(crate) fn app(name: &str, features: &[&str], manifest: &str, main: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("apps").join(name);
    let _ = fs::remove_dir_all(dir.join(".nephos"));
    fs::create_dir_all(dir.join("src")).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let nephos = root.join("crates/nephos").canonicalize().unwrap();
    let cargo_toml = format!(
        "[package]\nname = \"nephos-test-{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
         [dependencies]\nnephos = {{ path = {nephos:?}, features = {features:?} }}\n\n\
         # As in the Nephos workspace, or its libraries would be built once more.\n\
         [profile.dev]\ndebug = \"line-tables-only\"\n\n[workspace]\n"
    );
    fs::write(dir.join("Cargo.toml"), cargo_toml).unwrap();
    // The versions that are here already.
    fs::copy(root.join("Cargo.lock"), dir.join("Cargo.lock")).unwrap();
    fs::write(dir.join("nephos.toml"), manifest).unwrap();
    fs::write(dir.join("src/main.rs"), main).unwrap();
    dir
}

/// `nephos dev` at work; killed when it is dropped.
pub(crate) struct Dev {
    pub(crate) child: Child,
    pub(crate) project: PathBuf,
    lines: Receiver<String>,
    heard: Vec<String>,
    gateway: String,
}

/// Passes lines on. They must be read, or the command waits for its reader.
fn read(from: impl Read + Send + 'static, to: Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let _ = to.send(line);
        }
    });
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Dev {
    /// Runs this binary's functions, whatever changes.
    pub(crate) fn of_binary(project: &Path, binary: &Path) -> Self {
        Self::start(project, &["--no-watch", "--binary", binary.to_str().unwrap()])
    }

    /// Starts it, and waits until it is ready.
    pub(crate) fn start(project: &Path, args: &[&str]) -> Self {
        let mut child = command()
            .args(["dev", "--json", "--port", "0"])
            .args(args)
            .arg(project)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        read(child.stdout.take().unwrap(), sender.clone());
        read(child.stderr.take().unwrap(), sender);
        let mut dev = Self {
            child,
            project: project.to_owned(),
            lines,
            heard: Vec::new(),
            gateway: String::new(),
        };
        dev.ready();
        dev
    }

    /// Waits until it says that it is ready, at first or again.
    pub(crate) fn ready(&mut self) {
        let gateway = self.hear(|line| {
            let gateway = line["gateway"].as_str().map(str::to_owned);
            gateway.filter(|_| line["event"] == "ready")
        });
        gateway
            .trim_start_matches("http://")
            .clone_into(&mut self.gateway);
    }

    /// Waits for a line, among those not heard yet, that `pick` takes something from.
    pub(crate) fn hear<T>(&mut self, pick: impl Fn(&Value) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self
                .lines
                .recv_timeout(left)
                .unwrap_or_else(|error| panic!("{error}; heard so far: {:#?}", self.heard));
            let picked = serde_json::from_str(&line).ok().and_then(|line| pick(&line));
            self.heard.push(line);
            if let Some(picked) = picked {
                return picked;
            }
        }
    }

    /// Waits for a line that the function prints.
    pub(crate) fn printed(&mut self, function: &str) -> String {
        self.hear(|line| {
            let own = line["event"] == "log" && line["function"] == function;
            own.then(|| line["line"].as_str().unwrap().to_owned())
        })
    }

    /// Writes one of the project's files.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.project.join(name), text).unwrap();
    }

    pub(crate) fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.gateway).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Runs another command on the same project.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        let mut all = vec!["-C", self.project.to_str().unwrap()];
        all.extend(args);
        nephos(&all)
    }
}

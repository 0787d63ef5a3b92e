//! A project on this machine: the stand-in of Google's interfaces under their own host names, and the command told of it by variables alone.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, OnceLock};

use nephos_conformance::discovery::{Documents, Level};
use nephos_conformance::edge::Edge;
use nephos_conformance::google_cloud::{Control, Options};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// An app of everything that deployment makes.
pub(crate) const SHOP: &str = r#"app = "shop"
[bucket.pictures]
[queue.jobs]
[table.orders]
key = "id"
ttl = "until"
[secret.token]
[function.hello]
on = [{ http = "GET /hello/{name}" }]
uses = { jobs = ["send"], orders = ["read", "write"], token = ["read"], pictures = ["read"] }
timeout = "10 s"
[function.work]
on = [{ queue = "jobs" }]
timeout = "10 s"
[function.look]
on = [{ bucket = "pictures" }]
timeout = "10 s"
[function.watch]
on = [{ table = "orders" }]
timeout = "10 s"
[function.tick]
on = [{ schedule = "0 5 * * *" }]
timeout = "10 s"
[target.gcp]
region = "europe-west1"
project = "nephos-tests"
"#;

/// One function of requests, and nothing else.
pub(crate) const SMALL: &str = r#"app = "small"
[function.hello]
on = [{ http = "GET /hello" }]
timeout = "10 s"
[target.gcp]
region = "europe-west1"
project = "nephos-tests"
"#;

/// The program that is deployed, made once.
fn program() -> &'static [u8] {
    static PROGRAM: OnceLock<Vec<u8>> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gcp/functions.rs");
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("functions");
        let made = Command::new("rustc")
            .args([
                "--edition",
                "2024",
                "-C",
                "opt-level=s",
                "-C",
                "strip=symbols",
                "-C",
                "target-feature=+crt-static",
            ])
            .arg("-o")
            .arg(&binary)
            .arg(source)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", text(&made.stderr));
        std::fs::read(binary).unwrap()
    })
}

/// A project with a manifest, and a program that is deployed for it.
pub(crate) struct Project {
    dir: TempDir,
}

impl Project {
    pub(crate) fn new(manifest: &str) -> Self {
        let project = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        project.write(manifest);
        project.code(1);
        project
    }

    /// With the functions of an example.
    pub(crate) fn built(manifest: &str, binary: &Path) -> Self {
        let project = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        project.write(manifest);
        std::fs::copy(binary, project.binary()).unwrap();
        project
    }

    pub(crate) fn write(&self, manifest: &str) {
        std::fs::write(self.manifest(), manifest).unwrap();
    }

    fn manifest(&self) -> PathBuf {
        self.dir.path().join("nephos.toml")
    }

    /// Another program, with the functions of the manifest.
    pub(crate) fn code(&self, version: u8) {
        let manifest = std::fs::read_to_string(self.manifest()).unwrap();
        let names: Vec<&str> = manifest
            .lines()
            .filter_map(|line| line.strip_prefix("[function.")?.strip_suffix(']'))
            .collect();
        let mut bytes = program().to_vec();
        bytes.extend(format!("\n{version} {}", names.join(" ")).bytes());
        // The former may be asked for its functions just now.
        let _ = std::fs::remove_file(self.binary());
        std::fs::write(self.binary(), bytes).unwrap();
        std::fs::set_permissions(self.binary(), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn binary(&self) -> PathBuf {
        self.dir.path().join("functions")
    }
}

/// The project at Google.
pub(crate) struct Account {
    pub(crate) control: Control,
    pub(crate) edge: Edge,
    metadata: String,
}

impl Account {
    pub(crate) async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let documents = Arc::new(Documents::installed().unwrap());
        let control = Control::start(options, documents).await.unwrap();
        let edge = Edge::start().await.unwrap();
        control.route(&edge);
        let metadata = metadata(control.token()).await;
        Self {
            control,
            edge,
            metadata,
        }
    }

    /// The command, which knows of nothing but this project.
    pub(crate) fn command(&self, project: &Project, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nephos"));
        for (name, _) in std::env::vars_os() {
            if name
                .to_str()
                .is_some_and(|name| name.starts_with("GOOGLE_") || name.starts_with("NEPHOS_GCP"))
            {
                command.env_remove(name);
            }
        }
        command
            .stdin(Stdio::null())
            .env_remove("NO_PROXY")
            .env_remove("no_proxy")
            .env("HOME", project.dir.path())
            .env("GCE_METADATA_HOST", &self.metadata)
            .envs(self.edge.environment())
            .arg("-C")
            .arg(project.dir.path())
            .args(arguments);
        command
    }

    /// Runs a subcommand for the target.
    pub(crate) async fn run(&self, project: &Project, arguments: &[&str]) -> Output {
        let mut command = self.command(project, arguments);
        command.args(["--target", "gcp"]);
        output(command).await
    }

    pub(crate) fn deploying(&self, project: &Project, more: &[&str]) -> Command {
        let mut command = self.command(project, &["deploy", "--target", "gcp", "--binary"]);
        command.arg(project.binary()).args(more);
        command
    }

    pub(crate) async fn deploy(&self, project: &Project, more: &[&str]) -> Output {
        output(self.deploying(project, more)).await
    }

    /// Deploys, and holds that it went well.
    pub(crate) async fn deployed(&self, project: &Project) -> String {
        done(&self.deploy(project, &["--yes"]).await)
    }

    /// How the app stands, as the command tells it.
    pub(crate) async fn status(&self, project: &Project) -> Value {
        serde_json::from_str(&done(&self.run(project, &["status", "--json"]).await)).unwrap()
    }

    /// What there is of a kind (`run.services`), by the last parts of names.
    pub(crate) fn names(&self, kind: &str) -> Vec<String> {
        let all = self
            .control
            .resources()
            .into_iter()
            .filter(|one| one.kind == kind);
        all.map(|one| one.name.rsplit('/').next().unwrap().to_owned())
            .collect()
    }

    /// The body of a resource by the end of its name.
    pub(crate) fn body(&self, end: &str) -> Value {
        let all = self.control.resources().into_iter();
        let mut found = all.filter(|one| format!("/{}", one.name).ends_with(end));
        found.next().unwrap_or_else(|| panic!("there is no {end}")).body
    }

    /// All that there is, as one list.
    pub(crate) fn inventory(&self) -> Vec<String> {
        self.control.resources().into_iter().map(|one| one.name).collect()
    }

    /// How many requests changed something.
    pub(crate) fn changes(&self) -> usize {
        let is_change = |path: &str, method: &str| {
            method != "GET"
                && !path.contains("getIamPolicy")
                && !path.contains(":list")
                && !path.contains("/token")
        };
        let all = self.control.requests();
        all.iter().filter(|one| is_change(&one.path, &one.method)).count()
    }

    /// Holds that Google's documents allow every request.
    pub(crate) fn was_understood(&self) {
        let found = self.control.findings();
        let wrong: Vec<_> = found
            .iter()
            .filter(|finding| finding.level == Level::Error)
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert!(self.edge.refused().is_empty(), "{:?}", self.edge.refused());
    }
}

/// A metadata server that gives this token: <https://cloud.google.com/compute/docs/metadata/overview>
async fn metadata(token: String) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let token = token.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    match stream.read_u8().await {
                        Ok(byte) => head.push(byte),
                        Err(_) => return,
                    }
                }
                let body =
                    json!({"access_token": token, "expires_in": 3599, "token_type": "Bearer"}).to_string();
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nmetadata-flavor: Google\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                // A client that went away is its own matter.
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    address
}

/// Runs a command beside what answers it.
pub(crate) async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a command that succeeded printed, on both its outputs.
#[track_caller]
pub(crate) fn done(output: &Output) -> String {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    if out.trim_start().starts_with('{') {
        out
    } else {
        format!("{out}{err}")
    }
}

/// Holds that a command failed and said all of this.
#[track_caller]
pub(crate) fn refused(output: &Output, said: &[&str]) {
    // Lines are broken where a terminal would end.
    let told = format!("{}{}", text(&output.stdout), text(&output.stderr))
        .replace('│', " ")
        .replace('|', " ");
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(output.status.code(), Some(1), "{told}");
    for part in said {
        assert!(told.contains(part), "{part} is missing:\n{told}");
    }
}

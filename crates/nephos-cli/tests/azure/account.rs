//! A subscription on this machine: the stand-in of Azure Resource Manager under Azure's own host names, with Azurite for what deployment keeps in the app's storage account, and the command
//! told of both by variables alone.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use nephos_conformance::azure_functions::azurite::Azurite;
use nephos_conformance::azure_manager::{Manager, Options};
use nephos_conformance::edge::Edge;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::examples::binary;

/// An app with a queue, a table, a secret and a function.
pub(crate) const SHOP: &str = r#"app = "shop"
[queue.jobs]
[table.orders]
key = "id"
[secret.token]
[function.hello]
on = [{ http = "GET /hello/{name}" }, { http = "POST /hello" }]
uses = { jobs = ["send"], orders = ["read", "write"], token = ["read"] }
timeout = "10 s"
[target.azure]
location = "westeurope"
"#;

/// A project with a manifest, and a program that is deployed for it.
pub(crate) struct Project {
    dir: TempDir,
    program: Vec<u8>,
}

impl Project {
    /// With the function of `hello-http`.
    pub(crate) fn new(manifest: &str) -> Self {
        Self::of("hello-http", manifest)
    }

    /// With an example's functions. A deployment asks the program which it has, and knows it by its bytes.
    pub(crate) fn of(example: &str, manifest: &str) -> Self {
        let project = Self {
            dir: tempfile::tempdir().unwrap(),
            program: std::fs::read(binary(example, "aws")).unwrap(),
        };
        project.write(manifest);
        project.code(1);
        project
    }

    pub(crate) fn write(&self, manifest: &str) {
        std::fs::write(self.dir.path().join("nephos.toml"), manifest).unwrap();
    }

    /// Other code: the same with something behind its end.
    pub(crate) fn code(&self, version: u8) {
        let mut bytes = self.program.clone();
        bytes.push(version);
        std::fs::write(self.binary(), bytes).unwrap();
        std::fs::set_permissions(self.binary(), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn binary(&self) -> PathBuf {
        self.dir.path().join("functions")
    }
}

/// The subscription.
pub(crate) struct Account {
    pub(crate) manager: Manager,
    pub(crate) azurite: Azurite,
    pub(crate) edge: Edge,
}

impl Account {
    pub(crate) async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let (manager, azurite, edge) = tokio::join!(Manager::start(options), Azurite::start(), Edge::start());
        let (manager, azurite, edge) = (manager.unwrap(), azurite.unwrap(), edge.unwrap());
        for (beginning, base) in manager.endpoints() {
            edge.route(beginning.trim_start_matches("https://"), &base);
        }
        Self {
            manager,
            azurite,
            edge,
        }
    }

    fn subscription(&self) -> &str {
        &self.manager.options().subscriptions[0].id
    }

    /// The id of the app's stack.
    pub(crate) fn stack(&self) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/shop/providers/Microsoft.Resources/deploymentStacks/shop-azure",
            self.subscription()
        )
    }

    /// The command, which knows of nothing but this subscription.
    pub(crate) async fn command(&self, project: &Project, arguments: &[&str]) -> Command {
        let mut command = offline(project.dir.path(), arguments);
        let account = self.azurite.account();
        let storage = self.storage(project).await;
        let endpoints = json!({format!("https://{storage}.blob.core.windows.net"): account.blobs});
        command
            .envs(self.manager.environment())
            .envs(self.edge.environment())
            .env("NEPHOS_AZURE_ENDPOINTS", endpoints.to_string())
            .env("NEPHOS_AZURE_STORAGE_KEY", &account.key);
        command
    }

    /// The name of the app's storage account. Its containers, which Azure makes, are made here.
    pub(crate) async fn storage(&self, project: &Project) -> String {
        let manifest = project.dir.path().join("nephos.toml");
        let text = std::fs::read_to_string(manifest).unwrap();
        let template = template_of(&text, self.subscription());
        let resources = template["resources"].as_object().unwrap().values();
        let mut storage = String::new();
        for resource in resources {
            let name = resource["name"].as_str().unwrap();
            match resource["type"].as_str().unwrap() {
                "Microsoft.Storage/storageAccounts" => name.clone_into(&mut storage),
                "Microsoft.Storage/storageAccounts/blobServices/containers" => {
                    // It may be there from an earlier command.
                    let container = name.rsplit('/').next().unwrap();
                    let _ = self.azurite.account().create_container(container).await;
                }
                _ => {}
            }
        }
        storage
    }

    /// Runs a subcommand for the target.
    pub(crate) async fn run(&self, project: &Project, arguments: &[&str]) -> Output {
        let mut command = self.command(project, arguments).await;
        command.args(["--target", "azure"]);
        output(command).await
    }

    pub(crate) async fn deploy(&self, project: &Project, more: &[&str]) -> Output {
        let mut command = self
            .command(project, &["deploy", "--target", "azure", "--binary"])
            .await;
        command.arg(project.binary()).args(more);
        output(command).await
    }

    /// Deploys, and holds that it went well.
    pub(crate) async fn deployed(&self, project: &Project) -> String {
        done(&self.deploy(project, &["--yes"]).await)
    }

    /// How the app stands, as the command tells it.
    pub(crate) async fn status(&self, project: &Project) -> Value {
        serde_json::from_str(&done(&self.run(project, &["status", "--json"]).await)).unwrap()
    }

    /// What there is of a type, by name, in the app's group.
    pub(crate) fn names(&self, group: &str, kind: &str) -> Vec<String> {
        let all = self.manager.resources(group);
        let of_kind = all.values().filter(|one| one.kind == kind);
        of_kind
            .map(|one| {
                one.body["name"]
                    .as_str()
                    .map_or_else(|| one.id.rsplit('/').next().unwrap().to_owned(), str::to_owned)
            })
            .collect()
    }

    /// How many requests of this method and path there were.
    pub(crate) fn requests(&self, method: &str, part: &str) -> usize {
        let requests = self.manager.requests();
        requests
            .iter()
            .filter(|one| one.method == method && one.path.contains(part))
            .count()
    }
}

/// The template that a manifest becomes in a subscription.
fn template_of(manifest: &str, subscription: &str) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let told = manifest.replace(
        "[target.azure]\n",
        &format!("[target.azure]\nsubscription = \"{subscription}\"\n"),
    );
    std::fs::write(dir.path().join("nephos.toml"), told).unwrap();
    let out = dir.path().join("out");
    let mut render = offline(dir.path(), &["render", "--target", "azure", "--out"]);
    render.arg(&out);
    done(&render.output().unwrap());
    serde_json::from_slice(&std::fs::read(out.join("template.json")).unwrap()).unwrap()
}

fn offline(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nephos"));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("AZURE_")) {
            command.env_remove(name);
        }
    }
    command
        .stdin(Stdio::null())
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .arg("-C")
        .arg(folder)
        .args(arguments);
    command
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

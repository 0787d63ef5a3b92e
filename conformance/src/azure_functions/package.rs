//! A function app's package, as the host reads it at its start: what it would not start with, or would not load, is refused in a sentence.

mod function;
mod host;
mod retry;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nephos_core::{Error, ErrorKind, Result};
use serde_json::Value;

use super::settings::Settings;
use super::{START, refused};

pub use self::function::{
    AuthLevel, Binding, BindingKind, CosmosTrigger, EventHubTrigger, Function, HttpTrigger, QueueTrigger,
    ServiceBusTrigger, TimerTrigger,
};
pub use self::host::{Encoding, EventHubs, HostJson, Queues, ServiceBus, duration};
pub use self::retry::{Retry, Strategy};

/// A package that the host starts with.
#[derive(Debug, Clone)]
pub struct Package {
    /// Where it is unpacked.
    pub root: PathBuf,
    /// What `host.json` says.
    pub host: HostJson,
    /// The functions, by their folders' names.
    pub functions: Vec<Function>,
    // What a zip was unpacked into; it goes with the last that knows it.
    #[allow(dead_code, reason = "it is kept, not read")]
    unpacked: Option<Arc<tempfile::TempDir>>,
}

impl Package {
    /// Reads a folder, or a zip, with the app settings that its bindings refer to.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for what the host refuses; [`ErrorKind::NotFound`] if there is nothing at `path`.
    pub fn read(path: &Path, settings: &Settings) -> Result<Self> {
        if path.is_dir() {
            return Self::read_folder(path, settings, None);
        }
        let folder = tempfile::tempdir().map_err(|error| unreadable(path).caused_by(error))?;
        let file = File::open(path).map_err(|error| unreadable(path).caused_by(error))?;
        zip::ZipArchive::new(file)
            .and_then(|mut archive| archive.extract(folder.path()))
            .map_err(|error| {
                refused(format!(
                    "{} is no zip that can be unpacked: {error}",
                    path.display()
                ))
            })?;
        let root = folder.path().to_owned();
        Self::read_folder(&root, settings, Some(Arc::new(folder)))
    }

    fn read_folder(
        root: &Path,
        settings: &Settings,
        unpacked: Option<Arc<tempfile::TempDir>>,
    ) -> Result<Self> {
        check_settings(settings)?;
        let host = HostJson::read(&json(&root.join("host.json"), "host.json")?)?;
        check_executable(&host, root)?;
        let mut functions = Vec::new();
        let entries = std::fs::read_dir(root).map_err(|error| unreadable(root).caused_by(error))?;
        for entry in entries {
            let folder = entry.map_err(|error| unreadable(root).caused_by(error))?.path();
            let file = folder.join("function.json");
            let Some(name) = folder.file_name().and_then(OsStr::to_str) else {
                continue;
            };
            if file.is_file() {
                let document = json(&file, &format!("{name}/function.json"))?;
                functions.push(Function::read(name, &document, settings, &host)?);
            }
        }
        if functions.is_empty() {
            return Err(refused(
                "no function was found: the package has no folder with a function.json".to_owned(),
            ));
        }
        functions.sort_by(|a, b| a.name.cmp(&b.name));
        check_routes(&functions)?;
        Ok(Self {
            root: root.to_owned(),
            host,
            functions,
            unpacked,
        })
    }

    /// Whether HTTP requests reach the process as the client sent them.
    #[must_use]
    pub fn is_forwarding(&self) -> bool {
        self.host.forwarding
    }
}

fn unreadable(path: &Path) -> Error {
    Error::new(ErrorKind::NotFound, START, "the package cannot be read").with("path", path.display())
}

/// A JSON file that must be an object.
fn json(file: &Path, name: &str) -> Result<Value> {
    let text =
        std::fs::read_to_string(file).map_err(|error| refused(format!("{name} cannot be read: {error}")))?;
    let value: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| refused(format!("{name} is no JSON: {error}")))?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(refused(format!("{name} is no JSON object")))
    }
}

/// The runtime of the app, without which the host does not know whom to start.
fn check_settings(settings: &Settings) -> Result<()> {
    match settings.get("FUNCTIONS_WORKER_RUNTIME") {
        None => Ok(()),
        Some(runtime) if runtime.eq_ignore_ascii_case("custom") => Ok(()),
        Some(other) => Err(refused(format!(
            "app setting `FUNCTIONS_WORKER_RUNTIME` is `{other}`; a custom handler needs `custom`"
        ))),
    }
}

fn check_executable(host: &HostJson, root: &Path) -> Result<()> {
    let path = host.executable_in(root);
    let shown = &host.executable;
    let Ok(metadata) = std::fs::metadata(&path) else {
        return Err(refused(format!(
            "customHandler.description.defaultExecutablePath is `{shown}`, and there is no such file in the package"
        )));
    };
    if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
        return Err(refused(format!(
            "`{shown}` of the package is not executable; its mode must be 0755"
        )));
    }
    Ok(())
}

/// Two functions may not have the same route and a method in common.
fn check_routes(functions: &[Function]) -> Result<()> {
    let mut seen: BTreeMap<String, Vec<(&str, &HttpTrigger)>> = BTreeMap::new();
    for function in functions {
        let BindingKind::Http(http) = &function.trigger.kind else {
            continue;
        };
        let route = http.route.trim_matches('/').to_lowercase();
        if route.starts_with("admin") || route.starts_with("runtime") {
            return Err(refused(format!(
                "function `{}`: the route `{}` conflicts with the host's own routes below `admin` and `runtime`",
                function.name, http.route
            )));
        }
        let others = seen.entry(route).or_default();
        if let Some((other, _)) = others.iter().find(|(_, other)| http.has_method_of(other)) {
            return Err(refused(format!(
                "function `{}`: the route `{}` conflicts with that of function `{other}`",
                function.name, http.route
            )));
        }
        others.push((&function.name, http));
    }
    Ok(())
}

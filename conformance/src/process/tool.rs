//! Programs that `cargo xtask setup` installs: where they are, and of which version.

use std::path::{Path, PathBuf};

use nephos_core::{Error, ErrorKind, Result};

use super::OPERATION;

/// Names the folder of the tools that tests need.
pub const TOOLS: &str = "NEPHOS_TOOLS";

/// A program that `cargo xtask setup` installs.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// What it is, for messages (`the emulator of AWS`).
    pub what: &'static str,
    /// Where it is below the folder of tools (`python/bin/ministack`).
    pub path: &'static str,
}

impl Tool {
    /// What it is, with its version where that is known: for a report.
    #[must_use]
    pub fn told(&self) -> String {
        match self.find().ok().and_then(|program| version(&program)) {
            Some(version) => format!("{} ({version})", self.what),
            None => self.what.to_owned(),
        }
    }

    /// The program's absolute path.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the folder of tools is not named, or the program is not there.
    pub fn find(&self) -> Result<PathBuf> {
        let missing = |message: String| Error::new(ErrorKind::NotFound, OPERATION, message);
        let program = tools()?.join(self.path);
        if !program.exists() {
            return Err(
                missing(format!("{} is not there; run `cargo xtask setup`", self.what))
                    .with("program", program.display()),
            );
        }
        // It is started in a folder of its own.
        std::path::absolute(&program)
            .map_err(|error| missing("the tools' folder cannot be named".to_owned()).caused_by(error))
    }
}

/// The name and version of the package that a program came with, as pip or npm left them beside it.
fn version(program: &Path) -> Option<String> {
    let name = program.file_name()?.to_str()?;
    if program
        .components()
        .any(|part| part.as_os_str() == "node_modules")
    {
        // npm's is a link into the package.
        let linked = program.canonicalize().ok()?;
        let mut files = linked.ancestors().map(|folder| folder.join("package.json"));
        let manifest = files.find_map(|file| std::fs::read(file).ok())?;
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).ok()?;
        return Some(format!(
            "{} {}",
            manifest["name"].as_str()?,
            manifest["version"].as_str()?
        ));
    }
    let libraries = program.parent()?.parent()?.join("lib");
    let packages = std::fs::read_dir(libraries)
        .ok()?
        .flatten()
        .map(|python| python.path().join("site-packages"));
    packages
        .filter_map(|packages| std::fs::read_dir(packages).ok())
        .flat_map(Iterator::flatten)
        .find_map(|entry| {
            let folder = entry.file_name().into_string().ok()?;
            let version = folder
                .strip_prefix(name)?
                .strip_prefix('-')?
                .strip_suffix(".dist-info")?;
            Some(format!("{name} {version}"))
        })
}

/// The folder of the tools that tests need: the one that [`TOOLS`] names, or the one that `cargo xtask setup` made in the workspace around the current folder.
///
/// # Errors
/// [`ErrorKind::NotFound`] if there is none.
pub fn tools() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os(TOOLS) {
        return Ok(named.into());
    }
    let missing = || {
        let what = format!(
            "the tools that emulators need are not here; run `cargo xtask setup` in a clone of Nephos and go on from there, or name their folder in {TOOLS}"
        );
        Error::new(ErrorKind::NotFound, OPERATION, what)
    };
    let here = std::env::current_dir().map_err(|error| missing().caused_by(error))?;
    let targets = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    tools_in(
        targets
            .into_iter()
            .chain(here.ancestors().map(|folder| folder.join("target"))),
    )
    .ok_or_else(missing)
}

/// The tools in the first of cargo's folders that has any.
fn tools_in(targets: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    targets
        .map(|target| target.join("tools"))
        .find(|tools| tools.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_that_is_not_there_is_named_with_the_command_that_brings_it() {
        let error = Tool {
            what: "the emulator of nothing",
            path: "no/such/tool",
        }
        .find()
        .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.message().contains("cargo xtask setup"), "{error}");
    }

    #[test]
    fn tools_are_those_of_the_nearest_target_folder_that_has_any() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("clone/crates/one");
        std::fs::create_dir_all(root.path().join("clone/target/tools")).unwrap();
        std::fs::create_dir_all(inner.join("target")).unwrap();
        let targets = || inner.ancestors().take(4).map(|folder| folder.join("target"));
        assert_eq!(tools_in(targets()), Some(root.path().join("clone/target/tools")));
        std::fs::remove_dir_all(root.path().join("clone/target")).unwrap();
        assert_eq!(tools_in(targets()), None);
    }

    #[test]
    fn a_tools_version_is_what_pip_or_npm_left_beside_it() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            path
        };
        let python = write("python/bin/stack", "");
        assert_eq!(version(&python), None);
        write(
            "python/lib/python3.13/site-packages/stack-1.5.33.dist-info/METADATA",
            "",
        );
        assert_eq!(version(&python).as_deref(), Some("stack 1.5.33"));
        let cli = write("npm/node_modules/@who/server/lib/cli.js", "");
        write(
            "npm/node_modules/@who/server/package.json",
            r#"{"name": "@who/server", "version": "0.19.4"}"#,
        );
        std::fs::create_dir_all(root.path().join("npm/node_modules/.bin")).unwrap();
        let link = root.path().join("npm/node_modules/.bin/server");
        std::os::unix::fs::symlink(cli, &link).unwrap();
        assert_eq!(version(&link).as_deref(), Some("@who/server 0.19.4"));
    }
}

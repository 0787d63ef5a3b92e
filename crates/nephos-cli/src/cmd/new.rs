//! `nephos new`: a project from a template, or an adapter's crate.

mod adapter;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;

use crate::fail::Fail;
use crate::output::Output;

/// Arguments of `nephos new`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder to create; its name is the app's, or the adapter's.
    folder: PathBuf,

    /// Make an adapter's crate instead of an app: it passes the conformance suite with secrets in memory, to go on from.
    #[arg(long, conflicts_with_all = ["template", "nephos_path"])]
    adapter: bool,

    /// What calls the first function.
    #[arg(long, short, value_enum, default_value_t = Template::Http)]
    template: Template,

    /// The `nephos` crate to depend on, as a folder, instead of the published one.
    #[arg(long, value_name = "FOLDER")]
    nephos_path: Option<PathBuf>,
}

/// What calls the first function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Template {
    Http,
    Router,
    Bucket,
    Queue,
    Topic,
    Stream,
    Table,
    Schedule,
    Email,
    Auth,
    Voice,
}

/// What differs between the templates.
struct Parts {
    manifest: &'static str,
    main: &'static str,
    features: &'static str,
    dependencies: &'static str,
}

macro_rules! template {
    ($name:literal) => {
        template!($name, "", "")
    };
    ($name:literal, $features:literal, $dependencies:literal) => {
        Parts {
            manifest: include_str!(concat!("../templates/", $name, ".toml")),
            main: include_str!(concat!("../templates/", $name, ".rs")),
            features: $features,
            dependencies: $dependencies,
        }
    };
}

impl Template {
    fn parts(self) -> Parts {
        match self {
            Self::Http => template!("http"),
            Self::Router => template!(
                "router",
                "",
                "axum = { version = \"0.8\", default-features = false, features = [\"json\"] }\nserde = { version = \"1\", features = [\"derive\"] }\n"
            ),
            Self::Bucket => template!("bucket"),
            Self::Queue => template!(
                "queue",
                "",
                "serde = { version = \"1\", features = [\"derive\"] }\n"
            ),
            Self::Topic => template!(
                "topic",
                "",
                "serde = { version = \"1\", features = [\"derive\"] }\n"
            ),
            Self::Stream => template!(
                "stream",
                "",
                "serde = { version = \"1\", features = [\"derive\"] }\n"
            ),
            Self::Table => template!(
                "table",
                "",
                "serde = { version = \"1\", features = [\"derive\"] }\n"
            ),
            Self::Schedule => template!("schedule"),
            Self::Email => template!("email", "email", ""),
            Self::Auth => template!("auth"),
            Self::Voice => template!("voice"),
        }
    }
}

pub(crate) fn run(args: &Args, output: &Output) -> miette::Result<ExitCode> {
    let what = if args.adapter { "adapter" } else { "app" };
    let name = name_of(&args.folder, what)?;
    if args.folder.exists()
        && std::fs::read_dir(&args.folder).is_ok_and(|mut entries| entries.next().is_some())
    {
        return Err(Fail::usage(format!(
            "{} is there already and not empty",
            args.folder.display()
        ))
        .help("choose another folder; nothing was changed")
        .into());
    }
    let files = if args.adapter {
        adapter::files(&name)
    } else {
        app_files(&name, args)?
    };
    // Written beside its place and moved there whole, so that a failure leaves no half project.
    let parent = args
        .folder
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let staging = parent.join(format!(".{name}.nephos-new-{}", std::process::id()));
    let written = write(&staging, &files).and_then(|()| {
        if args.folder.exists() {
            std::fs::remove_dir(&args.folder)?;
        }
        std::fs::rename(&staging, &args.folder)
    });
    if let Err(error) = written {
        // The staging folder is ours alone; if it cannot be removed there is nothing more to do about it.
        let _ = std::fs::remove_dir_all(&staging);
        return Err(Fail::from_io(&format!("{} could not be created", args.folder.display()), &error).into());
    }
    if output.json {
        output.line(&serde_json::json!({ "created": args.folder, (what): name }));
    } else {
        let next = if args.adapter { "cargo test" } else { "nephos dev" };
        output.print(&format!(
            "created {}\n\nnext:\n  cd {} && {next}",
            args.folder.display(),
            args.folder.display()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn app_files(name: &str, args: &Args) -> miette::Result<Vec<(&'static str, String)>> {
    let parts = args.template.parts();
    Ok(vec![
        (
            "Cargo.toml",
            cargo_toml(name, args.nephos_path.as_deref(), &parts)?,
        ),
        ("nephos.toml", parts.manifest.replace("{{app}}", name)),
        ("src/main.rs", parts.main.replace("{{app}}", name)),
        (".gitignore", "/target\n.nephos/\n".to_owned()),
    ])
}

fn write(folder: &Path, files: &[(&str, String)]) -> std::io::Result<()> {
    files.iter().try_for_each(|(name, text)| {
        let file = folder.join(name);
        std::fs::create_dir_all(file.parent().unwrap_or(folder))?;
        std::fs::write(file, text)
    })
}

/// The name of the app or the adapter, which is its folder's.
fn name_of(folder: &Path, what: &str) -> miette::Result<String> {
    let name = folder
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let fits = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !name.ends_with('-')
        && name.len() <= 63;
    if fits {
        return Ok(name.to_owned());
    }
    Err(Fail::usage(format!("`{name}` cannot be an {what}'s name"))
        .help("lower-case letters, digits and hyphens, beginning with a letter, at most 63")
        .into())
}

fn cargo_toml(name: &str, path: Option<&Path>, parts: &Parts) -> miette::Result<String> {
    let source = match path {
        Some(path) => {
            let path = path.canonicalize().map_err(|error| {
                Fail::usage(format!(
                    "there is no `nephos` crate in {}: {error}",
                    path.display()
                ))
            })?;
            Some(path)
        }
        // A command that was built from a checkout uses the crate of that checkout, as long as it is there.
        None => Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../nephos")
            .canonicalize()
            .ok(),
    };
    let mut nephos = format!("version = \"{}\"", env!("CARGO_PKG_VERSION"));
    if let Some(path) = source {
        nephos.push_str(&format!(", path = {:?}", path.display().to_string()));
    }
    if !parts.features.is_empty() {
        nephos.push_str(&format!(", features = [{:?}]", parts.features));
    }
    Ok(format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\npublish = false\n\n\
         [dependencies]\nnephos = {{ {nephos} }}\n{}\n\
         # A workspace of its own, wherever the folder lies.\n[workspace]\n",
        parts.dependencies
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_templates_manifest_is_right() {
        for template in Template::value_variants() {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(
                dir.path().join("nephos.toml"),
                template.parts().manifest.replace("{{app}}", "hello"),
            )
            .unwrap();
            let loaded = nephos_manifest::load(
                dir.path(),
                Some("local"),
                &std::collections::BTreeMap::new(),
                &crate::targets::NAMES,
            );
            assert!(loaded.is_ok(), "{template:?}: {:?}", loaded.err());
        }
    }

    #[test]
    fn a_name_that_no_cloud_would_take_is_refused() {
        for name in ["Hello", "9lives", "a_b", "", "x-"] {
            assert!(name_of(Path::new(name), "app").is_err(), "{name}");
        }
        assert_eq!(
            name_of(Path::new("/some/where/face-gate"), "app").unwrap(),
            "face-gate"
        );
    }
}

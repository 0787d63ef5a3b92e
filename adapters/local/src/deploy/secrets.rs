//! Secrets from the environment or a file beside the app, read anew each time so that a rotated one is seen.
//!
//! The file is TOML: `name = "value"`, or `name = { … }` for a secret that is JSON. No value ever reaches a log, an error or `Debug`.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::ErrorKind as IoKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use nephos_core::app::{App, Resource};
use nephos_core::resource::secret::{SecretCapabilities, SecretDriver, SecretValue};
use nephos_core::{Error, ErrorKind, Result};

use crate::resources::capabilities;

/// Where the secrets file is, below the app's folder.
pub const SECRETS_FILE: &str = ".nephos/secrets.toml";

/// The secrets of an app. Cheap to clone.
#[derive(Clone)]
pub struct SecretStore {
    inner: Arc<Inner>,
}

struct Inner {
    file: Option<PathBuf>,
    /// By secret: the environment variable that holds it, and what it held at the start. A process's environment does not change.
    variables: BTreeMap<String, (String, Option<String>)>,
}

impl fmt::Debug for SecretStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretStore")
            .field("file", &self.inner.file)
            .field("secrets", &self.inner.variables.keys())
            .finish_non_exhaustive()
    }
}

/// The variable of a secret that declares none: `archive-keys` is `NEPHOS_SECRET_ARCHIVE_KEYS`.
#[must_use]
pub fn default_variable(name: &str) -> String {
    let upper = name.chars().map(|character| match character {
        'a'..='z' => character.to_ascii_uppercase(),
        'A'..='Z' | '0'..='9' => character,
        _ => '_',
    });
    "NEPHOS_SECRET_".chars().chain(upper).collect()
}

impl SecretStore {
    /// The secrets that `app` declares, from `file` and from `environment` (usually the process's own). A variable goes before the file.
    /// Neither has to hold them yet, but a file that is there must be TOML. Warns of a file that others can read.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if the file is not TOML, [`ErrorKind::PermissionDenied`] if it cannot be read.
    pub fn load(
        file: Option<&Path>,
        app: &App,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self> {
        let mut variables: BTreeMap<_, _> = app
            .resources
            .iter()
            .filter_map(|(name, resource)| match resource {
                Resource::Secret(spec) => {
                    let variable = spec.env.clone().unwrap_or_else(|| default_variable(name));
                    Some((name.clone(), (variable, None)))
                }
                _ => None,
            })
            .collect();
        for (variable, value) in environment {
            for (wanted, slot) in variables.values_mut() {
                if *wanted == variable {
                    *slot = Some(value.clone());
                }
            }
        }
        if let Some(file) = file
            && let Some(table) = read(file)?
        {
            warn_if_readable(file);
            for name in table.keys().filter(|name| !variables.contains_key(*name)) {
                tracing::warn!(secret = %name, file = %file.display(), "the secrets file sets a secret that nephos.toml does not declare");
            }
        }
        Ok(Self {
            inner: Arc::new(Inner {
                file: file.map(Path::to_owned),
                variables,
            }),
        })
    }

    /// As [`load`](Self::load), from this process's environment. A variable that is not UTF-8 counts as not set.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_process(file: Option<&Path>, app: &App) -> Result<Self> {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self::load(file, app, environment)
    }

    /// The secret of this name.
    #[must_use]
    pub fn secret(&self, name: &str) -> EmbeddedSecret {
        EmbeddedSecret {
            store: self.clone(),
            name: name.into(),
        }
    }

    fn get(&self, name: &str) -> Result<SecretValue> {
        let variable = self.inner.variables.get(name);
        if let Some((_, Some(value))) = variable {
            return Ok(SecretValue::new(value.clone(), None));
        }
        let table = match &self.inner.file {
            Some(file) => read(file)?,
            None => None,
        };
        if let Some(value) = table.as_ref().and_then(|table| table.get(name)) {
            return Ok(SecretValue::new(text(value), None));
        }
        let error = Error::new(
            ErrorKind::NotFound,
            "secret.get",
            "the secret is not set; put it into the secrets file or into the environment variable, and restart for the latter",
        )
        .with("secret", name);
        let file = self.inner.file.as_deref().unwrap_or(Path::new(SECRETS_FILE));
        Err(error.with("file", file.display()).with(
            "variable",
            variable.map_or_else(|| default_variable(name), |(variable, _)| variable.clone()),
        ))
    }
}

/// A secret of the app.
#[derive(Debug, Clone)]
pub struct EmbeddedSecret {
    store: SecretStore,
    name: Arc<str>,
}

#[async_trait]
impl SecretDriver for EmbeddedSecret {
    fn capabilities(&self) -> SecretCapabilities {
        capabilities::SECRET
    }

    async fn get(&self, version: Option<&str>) -> Result<SecretValue> {
        if version.is_some() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "secret.get",
                "this target keeps no versions of a secret",
            )
            .with("secret", &self.name));
        }
        let (store, name) = (self.store.clone(), Arc::clone(&self.name));
        tokio::task::spawn_blocking(move || store.get(&name))
            .await
            .map_err(|_| Error::new(ErrorKind::Cancelled, "secret.get", "the host is stopping"))?
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The file's content; `None` if there is no file.
fn read(file: &Path) -> Result<Option<toml::Table>> {
    let failed =
        |kind, message: &'static str| Error::new(kind, "secret.get", message).with("file", file.display());
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == IoKind::NotFound => return Ok(None),
        Err(error) if error.kind() == IoKind::InvalidData => {
            return Err(failed(
                ErrorKind::InvalidArgument,
                "the secrets file is not UTF-8 text",
            ));
        }
        Err(error) => {
            return Err(
                failed(ErrorKind::PermissionDenied, "the secrets file cannot be read").caused_by(error),
            );
        }
    };
    text.parse().map(Some).map_err(|error: toml::de::Error| {
        // Never the parser's own text: it shows the line, and with it the secret.
        let before = error
            .span()
            .and_then(|span| text.get(..span.start))
            .unwrap_or_default();
        let failed = failed(
            ErrorKind::InvalidArgument,
            "the secrets file is not TOML; write `name = \"value\"`",
        );
        failed.with("line", before.matches('\n').count() + 1)
    })
}

fn text(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => json(other).to_string(),
    }
}

fn json(value: &toml::Value) -> serde_json::Value {
    match value {
        toml::Value::String(text) => text.clone().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => (*number).into(),
        toml::Value::Boolean(truth) => (*truth).into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(values) => values.iter().map(json).collect(),
        toml::Value::Table(table) => table
            .iter()
            .map(|(name, value)| (name.clone(), json(value)))
            .collect(),
    }
}

#[cfg(unix)]
fn readable_by_others(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(file).is_ok_and(|file| file.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn readable_by_others(_file: &Path) -> bool {
    false
}

fn warn_if_readable(file: &Path) {
    if readable_by_others(file) {
        tracing::warn!(file = %file.display(), "others on this machine can read the secrets file; `chmod 600` it");
    }
}

#[cfg(test)]
mod tests {
    use nephos_core::app::SecretSpec;
    use nephos_core::resource::secret::Secret;

    use super::*;

    fn app(env: Option<&str>) -> App {
        let spec = SecretSpec {
            env: env.map(str::to_owned),
        };
        App {
            name: "test".into(),
            resources: BTreeMap::from([("archive-keys".to_owned(), Resource::Secret(spec))]),
            functions: BTreeMap::new(),
            targets: BTreeMap::new(),
        }
    }

    fn secret(store: &SecretStore) -> Secret {
        Secret::new("archive-keys", Arc::new(store.secret("archive-keys")))
    }

    #[tokio::test]
    async fn a_secret_comes_from_the_file_and_a_rotated_one_is_seen() -> Result<()> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secrets.toml");
        let store = SecretStore::load(Some(&file), &app(None), [])?;
        fs::write(&file, "archive-keys = \"one\"\n").unwrap();
        assert_eq!(secret(&store).get().await?.expose_text()?, "one");
        fs::write(&file, "[archive-keys]\naccess_key_id = \"k\"\nuses = 2\n").unwrap();
        let value = secret(&store).get().await?;
        let json: serde_json::Value = serde_json::from_str(value.expose_text()?).unwrap();
        assert_eq!(json, serde_json::json!({"access_key_id": "k", "uses": 2}));
        Ok(())
    }

    #[tokio::test]
    async fn a_variable_goes_before_the_file() -> Result<()> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secrets.toml");
        fs::write(&file, "archive-keys = \"file\"\n").unwrap();
        for (env, variable) in [(Some("KEYS"), "KEYS"), (None, "NEPHOS_SECRET_ARCHIVE_KEYS")] {
            let environment = [(variable.to_owned(), "variable".to_owned())];
            let store = SecretStore::load(Some(&file), &app(env), environment)?;
            assert_eq!(secret(&store).get().await?.expose_text()?, "variable");
        }
        Ok(())
    }

    #[tokio::test]
    async fn a_missing_secret_says_both_places_where_to_set_it() {
        let store =
            SecretStore::load(Some(Path::new("/nowhere/secrets.toml")), &app(Some("KEYS")), []).unwrap();
        let error = secret(&store).get().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let line = error.to_string();
        assert!(
            line.contains("file=/nowhere/secrets.toml") && line.contains("variable=KEYS"),
            "{line}"
        );
    }

    #[tokio::test]
    async fn a_broken_file_names_the_line_and_shows_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secrets.toml");
        fs::write(&file, "other = 1\narchive-keys = hunter2\n").unwrap();
        let error = SecretStore::load(Some(&file), &app(None), []).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        let shown = format!("{error:?} {}", error.chain());
        assert!(shown.contains("line=2") && !shown.contains("hunter2"), "{shown}");
    }

    #[tokio::test]
    async fn debug_shows_names_only() {
        let environment = [("KEYS".to_owned(), "hunter2".to_owned())];
        let store = SecretStore::load(None, &app(Some("KEYS")), environment).unwrap();
        let shown = format!("{store:?} {:?}", secret(&store).get().await.unwrap());
        assert!(
            shown.contains("archive-keys") && !shown.contains("hunter2"),
            "{shown}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_noticed() {
        use std::os::unix::fs::PermissionsExt as _;
        let file = tempfile::NamedTempFile::new().unwrap();
        for (mode, readable) in [(0o600, false), (0o644, true), (0o640, true)] {
            fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(readable_by_others(file.path()), readable, "{mode:o}");
        }
    }
}

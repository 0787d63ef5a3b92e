//! App settings as the host reads them: the environment of the process, `%NAME%` in bindings, and connections by prefix.

use std::collections::BTreeMap;

use nephos_core::{Error, ErrorKind, Result};

use super::refused;

/// The prefix that the host tries first for a connection's setting.
const PREFIX: &str = "AzureWebJobs";

/// What a function app is told by its settings. Names are looked up without regard to case, as the host's configuration does.
#[derive(Debug, Clone, Default)]
pub struct Settings(BTreeMap<String, String>);

/// How a binding reaches its service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// By a text with a key in it.
    Text(String),
    /// By an identity: the fields below the connection's name, by their names in lower case (`queueserviceuri`, `credential`, `clientid`).
    Identity(BTreeMap<String, String>),
}

impl Settings {
    /// From pairs of names and values.
    pub fn new<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }

    /// A setting's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(other, _)| canonical(other) == canonical(name))
            .map(|(_, value)| value.as_str())
    }

    /// All of them, as the process gets them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Replaces each `%NAME%` by that setting's value.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a name without a setting, or a `%` without its partner.
    pub fn resolve(&self, text: &str) -> Result<String> {
        let mut resolved = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            let (name, after) = after
                .split_once('%')
                .ok_or_else(|| refused(format!("`{text}` has a `%` without a second one after the name")))?;
            let value = self.get(name).ok_or_else(|| {
                refused(format!(
                    "`%{name}%` does not resolve to a value: there is no app setting `{name}`"
                ))
            })?;
            resolved.push_str(before);
            resolved.push_str(value);
            rest = after;
        }
        resolved.push_str(rest);
        Ok(resolved)
    }

    /// The connection of this name: a setting with a connection string, or settings below the name.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if there is neither.
    pub fn connection(&self, name: &str) -> Result<Connection> {
        for name in [format!("{PREFIX}{name}"), name.to_owned()] {
            if let Some(text) = self.get(&name).filter(|text| !text.is_empty()) {
                return Ok(Connection::Text(text.to_owned()));
            }
            let below = canonical(&format!("{name}__"));
            let fields: BTreeMap<String, String> = self
                .0
                .iter()
                .filter_map(|(setting, value)| {
                    let field = canonical(setting).strip_prefix(&below)?.to_owned();
                    Some((field, value.clone()))
                })
                .collect();
            if !fields.is_empty() {
                return Ok(Connection::Identity(fields));
            }
        }
        Err(Error::new(
            ErrorKind::InvalidArgument,
            super::START,
            format!(
                "connection `{name}` does not exist: there is no app setting `{name}`, and none that begins with `{name}__`"
            ),
        ))
    }
}

impl Connection {
    /// The fields, by their names in lower case, whichever form it has.
    #[must_use]
    pub fn fields(&self) -> BTreeMap<String, String> {
        match self {
            Self::Identity(fields) => fields.clone(),
            // A key in Base64 may end with `=`.
            Self::Text(text) => text
                .split(';')
                .filter_map(|field| field.split_once('='))
                .map(|(name, value)| (name.trim().to_lowercase(), value.trim().to_owned()))
                .collect(),
        }
    }

    /// Refuses an identity that is none: only a managed one can be had in a function app, and a user-assigned one needs its client id.
    pub(crate) fn check_identity(&self, name: &str) -> Result<()> {
        let Self::Identity(fields) = self else {
            return Ok(());
        };
        match fields
            .get("credential")
            .map(|kind| kind.to_lowercase())
            .as_deref()
        {
            None => Ok(()),
            Some("managedidentity") if fields.get("clientid").is_some_and(|id| !id.is_empty()) => Ok(()),
            Some("managedidentity") => Err(refused(format!(
                "`{name}__credential` is `managedidentity`, which needs `{name}__clientId`"
            ))),
            Some(other) => Err(refused(format!(
                "`{name}__credential` is `{other}`; only `managedidentity` is known"
            ))),
        }
    }
}

/// `__` and `:` part a name in the same way; case is none of it.
fn canonical(name: &str) -> String {
    name.replace(':', "__").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_percent_signs_are_settings() {
        let settings = Settings::new([("QUEUE", "jobs"), ("Stage", "test")]);
        assert_eq!(settings.resolve("%queue%-%STAGE%").unwrap(), "jobs-test");
        assert_eq!(settings.resolve("plain").unwrap(), "plain");
        let error = settings.resolve("%NOTHING%").unwrap_err().to_string();
        assert!(error.contains("`%NOTHING%` does not resolve"), "{error}");
        assert!(settings.resolve("50%").is_err());
    }

    #[test]
    fn a_connection_is_a_text_or_fields_below_its_name() {
        let settings = Settings::new([
            ("JOBS", "AccountName=a;AccountKey=bWV=="),
            ("MAIN__queueServiceUri", "http://127.0.0.1/a"),
            ("MAIN__credential", "managedidentity"),
            ("MAIN__clientId", "1"),
            ("AzureWebJobsOTHER", "x=y"),
        ]);
        let text = settings.connection("JOBS").unwrap();
        assert_eq!(text.fields()["accountkey"], "bWV==");
        let identity = settings.connection("MAIN").unwrap();
        assert_eq!(identity.fields()["queueserviceuri"], "http://127.0.0.1/a");
        identity.check_identity("MAIN").unwrap();
        assert_eq!(
            settings.connection("OTHER").unwrap(),
            Connection::Text("x=y".to_owned())
        );
        let error = settings.connection("MISSING").unwrap_err().to_string();
        assert!(error.contains("no app setting `MISSING`"), "{error}");
    }

    #[test]
    fn an_identity_without_a_client_id_is_refused() {
        let settings = Settings::new([("MAIN__credential", "managedidentity")]);
        let error = settings
            .connection("MAIN")
            .unwrap()
            .check_identity("MAIN")
            .unwrap_err();
        assert!(error.to_string().contains("needs `MAIN__clientId`"), "{error}");
    }
}

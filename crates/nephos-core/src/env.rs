//! The environment of a function's process, read once at its start.

use std::collections::BTreeMap;

use crate::error::{Error, ErrorKind, Result};
use crate::wiring::Wiring;

/// Which function of the app this process runs.
pub const FUNCTION: &str = "NEPHOS_FUNCTION";
/// The app's name.
pub const APP: &str = "NEPHOS_APP";
/// The target's name.
pub const TARGET: &str = "NEPHOS_TARGET";
/// What deployment tells of the function's resources and triggers: a JSON object, see [`Wiring`].
pub const WIRING: &str = "NEPHOS_WIRING";
/// When set to 1, the process prints its functions as a JSON list of [`FunctionInfo`](crate::FunctionInfo) and ends.
pub const DESCRIBE: &str = "NEPHOS_DESCRIBE";

/// A copy of the environment's variables.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl std::fmt::Debug for Environment {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Environment {
    /// The process's own. Variables that are not UTF-8 are left out.
    #[must_use]
    pub fn of_process() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
        )
    }

    /// The value, unless it is unset or empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The value.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if it is unset or empty.
    pub fn require(&self, name: &'static str) -> Result<&str> {
        self.get(name).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidArgument,
                "host.start",
                "the environment lacks a variable that the host sets",
            )
            .with("variable", name)
        })
    }

    /// What deployment tells of the function, nothing if the variable is unset.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if [`WIRING`] is not the JSON object that it should be.
    pub fn wiring(&self) -> Result<Wiring> {
        let Some(text) = self.get(WIRING) else {
            return Ok(Wiring::default());
        };
        serde_json::from_str(text).map_err(|error| {
            Error::new(
                ErrorKind::Decode,
                "host.start",
                "what deployment wrote of the function's resources and triggers cannot be read; deploy it again",
            )
            .with("variable", WIRING)
            .caused_by(error)
        })
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Self(
            variables
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}

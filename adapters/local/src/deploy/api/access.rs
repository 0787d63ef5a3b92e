//! Who may do what: each function's token gives what its `uses` declares and nothing else; the admin token gives everything.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use nephos_core::app::App;
use nephos_core::resource::{Access, ResourceKind};
use nephos_core::{Error, ErrorKind, Result};

use crate::deploy::bucket::Authorize;

/// The tokens that the API takes.
pub struct Tokens(Vec<(String, Caller)>);

impl fmt::Debug for Tokens {
    /// Without the tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(_, caller)| caller))
            .finish()
    }
}

/// Whom a token stands for.
#[derive(Debug, Clone)]
pub struct Caller {
    name: String,
    /// `None` may do everything.
    access: Option<BTreeMap<(ResourceKind, String), BTreeSet<Access>>>,
}

impl Tokens {
    /// Only the admin's.
    #[must_use]
    pub fn new(admin: impl Into<String>) -> Self {
        let caller = Caller {
            name: "admin".to_owned(),
            access: None,
        };
        Self(vec![(admin.into(), caller)])
    }

    /// Adds a function's: it gives what the app's `uses` declares for it, and reading the credentials of the outside buckets among that.
    #[must_use]
    pub fn function(mut self, app: &App, function: &str, token: impl Into<String>) -> Self {
        let mut access: BTreeMap<_, BTreeSet<Access>> = BTreeMap::new();
        for binding in app.bindings(function) {
            if let Some(secret) = binding.properties.get("credentials") {
                access
                    .entry((ResourceKind::Secret, secret.clone()))
                    .or_default()
                    .insert(Access::Read);
            }
            access
                .entry((binding.kind, binding.name))
                .or_default()
                .extend(binding.access);
        }
        let caller = Caller {
            name: function.to_owned(),
            access: Some(access),
        };
        self.0.push((token.into(), caller));
        self
    }

    /// Whose token the request carries.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`] if it carries none that is known.
    pub fn caller(&self, headers: &HeaderMap) -> Result<&Caller> {
        let token = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "))
            .unwrap_or_default();
        self.holder(token)
    }

    fn holder(&self, token: &[u8]) -> Result<&Caller> {
        // All are compared, so that the time tells nothing of which one comes close.
        let mut found = None;
        for (known, caller) in &self.0 {
            if same(known.as_bytes(), token) && !known.is_empty() {
                found = Some(caller);
            }
        }
        found.ok_or_else(|| {
            Error::new(
                ErrorKind::Unauthenticated,
                "api.authorize",
                "the request carries no token that this host knows; send it as `Authorization: Bearer …`",
            )
        })
    }
}

impl Authorize for Tokens {
    fn authorize(&self, token: &str, kind: ResourceKind, name: &str, access: Access) -> Result<()> {
        self.holder(token.as_bytes())?.require(kind, name, access)
    }
}

/// Compares in a time that depends on the lengths alone.
fn same(known: &[u8], given: &[u8]) -> bool {
    if known.len() != given.len() {
        return false;
    }
    let difference = known
        .iter()
        .zip(given)
        .fold(0, |difference, (a, b)| std::hint::black_box(difference | (a ^ b)));
    difference == 0
}

impl Caller {
    /// Refuses what the function's `uses` does not declare.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`].
    pub fn require(&self, kind: ResourceKind, name: &str, access: Access) -> Result<()> {
        let Some(granted) = &self.access else {
            return Ok(());
        };
        let key = (kind, name.to_owned());
        if granted.get(&key).is_some_and(|granted| granted.contains(&access)) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::PermissionDenied,
            "api.authorize",
            "the function may not do this; add it to the function's `uses` in nephos.toml",
        )
        .with("function", &self.name)
        .with(kind.name(), name)
        .with("missing", access))
    }

    /// Refuses all but the admin.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`].
    pub fn require_admin(&self) -> Result<()> {
        if self.access.is_none() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::PermissionDenied,
            "api.authorize",
            "only the command may do this, with the token in the state folder",
        )
        .with("function", &self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn only_the_same_bytes_are_the_same() {
        assert!(same(b"secret", b"secret"));
        assert!(!same(b"secret", b"secreT"));
        assert!(!same(b"secret", b"secre"));
        assert!(!same(b"secret", b""));
    }
}

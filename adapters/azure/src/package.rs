//! `nephos.json` in a site's package: what our host has to know of its function. Deployment writes it, the host reads it. It travels with the code, so that going
//! back to an earlier package takes it along.

use std::collections::BTreeMap;
use std::path::Path;

use nephos_core::app::Trigger;
use nephos_core::wiring::Wiring;
use nephos_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// The file's name.
pub const FILE: &str = "nephos.json";
/// The binary's name in the package, and what `host.json` starts.
pub const HANDLER: &str = "handler";
/// The name of the site's one HTTP trigger.
pub const HTTP: &str = "http";
/// Where a mail service posts what came in.
pub const MAIL_PATH: &str = "/.nephos/mail";
/// Where Entra calls for a step of sign-in, whose name follows.
pub const AUTH_PATH: &str = "/.nephos/auth/";
/// Where a voice service calls for a skill, whose name follows.
pub const VOICE_PATH: &str = "/.nephos/voice/";

/// The application by which Entra calls authentication extensions, in every tenant:
/// <https://learn.microsoft.com/entra/identity-platform/custom-extension-overview#protect-your-rest-api>.
pub const ENTRA: &str = "99045fe1-7639-4a75-9d4a-577b6ca3810f";

/// What the file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// What every target tells of a function, with Azure's names.
    pub wiring: Wiring,
    /// The site's triggers, by the names under which the Functions host calls them.
    pub triggers: BTreeMap<String, Trigger>,
    /// Whether the Functions host forwards requests as they are: then every request to the process is a client's.
    pub forwarding: bool,
    /// By what those who call over HTTP, and are no clients, prove who they are.
    #[serde(default, skip_serializing_if = "Callers::is_empty")]
    pub callers: Callers,
}

/// See [`Package::callers`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callers {
    /// The mail service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<MailCaller>,
    /// Entra.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<AuthCaller>,
}

impl Callers {
    /// Whether nobody does.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.mail.is_none() && self.auth.is_none()
    }
}

/// The mail service proves itself by a secret: the password of HTTP's basic authentication, or `key` in the query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailCaller {
    /// The address of the secret in the vault.
    pub secret: String,
}

/// Entra proves itself by a token, which the site's authentication has checked before the request comes here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthCaller {
    /// The tenant.
    pub tenant: String,
    /// The app registration that the token is for.
    pub app: String,
}

impl Package {
    /// The package beside the program, which is how the Functions host starts it, or else in the working folder.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none, [`ErrorKind::Decode`] if it is not what deployment writes.
    pub fn find() -> Result<Self> {
        let program = std::env::current_exe().ok();
        let beside = program
            .as_deref()
            .and_then(Path::parent)
            .map(|folder| folder.join(FILE));
        let places = beside.into_iter().chain([FILE.into()]);
        for place in places {
            match std::fs::read(&place) {
                Ok(bytes) => return Self::read(&bytes),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(Error::new(
                        ErrorKind::Unavailable,
                        "host.start",
                        "the package cannot be read",
                    )
                    .with("file", place.display())
                    .caused_by(error));
                }
            }
        }
        Err(Error::new(
            ErrorKind::NotFound,
            "host.start",
            "the function's package has no nephos.json beside the program; deploy it with `nephos deploy`",
        ))
    }

    /// Reads the file's bytes.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn read(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map_err(|error| {
            Error::new(
                ErrorKind::Decode,
                "host.start",
                "the package's nephos.json is not what deployment writes; deploy the function again",
            )
            .caused_by(error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_what_is_not_says_what_to_do() {
        let package = Package {
            triggers: [(
                "queue-jobs-0a1b2c3d".to_owned(),
                Trigger::Queue {
                    queue: "jobs".to_owned(),
                    batch: 1,
                },
            )]
            .into(),
            forwarding: true,
            callers: Callers {
                mail: Some(MailCaller {
                    secret: "https://v.vault.azure.net/secrets/s".to_owned(),
                }),
                auth: None,
            },
            ..Package::default()
        };
        let text = serde_json::to_vec(&package).unwrap();
        assert_eq!(Package::read(&text).unwrap(), package);
        let error = Package::read(b"{}").unwrap_err();
        assert!(error.to_string().contains("deploy the function again"), "{error}");
    }

    #[test]
    fn a_program_without_its_package_says_how_to_get_one() {
        let error = Package::find().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("nephos deploy"), "{error}");
    }
}

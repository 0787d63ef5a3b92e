//! The project that buckets are in, where the stand-in is joined with one: who may ask, and what else there is in it.

use std::fmt;

use http::Method;
use serde_json::Value;

use super::error::{Interface, Refusal};
use super::request::Asked;
use crate::server;

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asker<'a> {
    /// Whoever has this token.
    Token(&'a str),
    /// A service account, by a signature.
    Account(&'a str),
    /// Nobody who is known.
    Nobody,
}

/// What is asked, before it is done.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) asker: Asker<'a>,
    /// The policy of the bucket, if there is one.
    pub(crate) policy: Option<Value>,
    pub(crate) is_json: bool,
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    /// Empty for a body that is no JSON.
    pub(crate) body: Option<&'a Value>,
}

/// What a project does not let be done.
#[derive(Debug, Clone)]
pub(crate) struct Denied {
    /// The status of HTTP.
    pub(crate) status: u16,
    pub(crate) message: String,
    /// Google's details, if the interface as a whole refuses.
    pub(crate) details: Value,
}

/// A project, as buckets see it.
pub(crate) trait Project: fmt::Debug + Send + Sync {
    /// Its number.
    fn number(&self) -> String;
    /// Whether a bucket can be there.
    fn has_location(&self, location: &str) -> bool;
    /// Whether a token counts.
    fn counts(&self, token: &str) -> bool;
    /// The key that verifies what a service account signs, if there is such an account.
    fn public_key(&self, email: &str) -> Option<Vec<u8>>;
    /// Whether the interface is enabled, its document allows the request, and whoever asks may.
    fn admit(&self, request: &Request<'_>) -> Result<(), Denied>;
    /// Whether something may be made, changed or deleted (`storage.buckets`, its name), of which there are so many.
    fn permit(&self, kind: &str, name: &str, method: &Method, count: usize) -> Result<(), Denied>;
    /// Whether nobody has a permission on a resource.
    fn is_denied(&self, permission: &str, resource: &str) -> bool;
    /// Whether the service agent of Cloud Storage may publish to a topic that is there.
    fn publishes(&self, topic: &str) -> bool;
    /// What is wrong with a policy.
    fn policy(&self, policy: &Value) -> Result<(), Denied>;
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Self::status(denied.status, denied.message).with_details(denied.details)
    }
}

/// The service account by which Cloud Storage publishes: <https://cloud.google.com/storage/docs/projects#service-agents>.
pub(crate) fn agent(number: &str) -> String {
    format!("service-{number}@gs-project-accounts.iam.gserviceaccount.com")
}

/// Who asks, by what was verified already.
pub(super) fn asker<'a>(asked: &'a Asked) -> Asker<'a> {
    let token = server::header(&asked.headers, "authorization").and_then(|value| value.split_once(' '));
    let signer = asked
        .query
        .get("X-Goog-Credential")
        .and_then(|text| text.split_once('/'));
    match (token, signer) {
        (Some((_, token)), _) => Asker::Token(token),
        (None, Some((email, _))) => Asker::Account(email),
        (None, None) => Asker::Nobody,
    }
}

impl Interface {
    pub(super) fn is_json(self) -> bool {
        self == Self::Json
    }
}

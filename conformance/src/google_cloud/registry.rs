//! The registry of images that Artifact Registry's repositories are: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>,
//! at `<region>-docker.pkg.dev/<project>/<repository>/<image>` (<https://cloud.google.com/artifact-registry/docs/docker/names>).

mod auth;
mod blobs;
mod image;
mod manifests;
mod problem;

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode};

use self::auth::{Action, Grant};
pub use self::image::{Image, Layer};
use self::problem::{Attempt, Problem};
use super::error::Refusal;
use super::kinds::REPOSITORY;
use super::rights;
use super::state::{Shared, State};
use crate::server::{self, Answer};

/// How the hosts of repositories of images end.
pub(super) const HOSTS: &str = "-docker.pkg.dev";
/// Where uploads and downloads of blobs are, as Artifact Registry has them.
const UPLOADS: &str = "artifacts-uploads";
const DOWNLOADS: &str = "artifacts-downloads";

/// What all repositories have.
#[derive(Debug, Default)]
pub(super) struct Registry {
    /// By the repository's name.
    repositories: BTreeMap<String, Contents>,
    uploads: BTreeMap<String, Upload>,
    /// Addresses of blobs that were asked for: repository and digest.
    downloads: BTreeMap<String, (String, String)>,
    grants: BTreeMap<String, Grant>,
}

/// What one repository has.
#[derive(Debug, Default)]
struct Contents {
    /// By digest.
    blobs: BTreeMap<String, Bytes>,
    /// By the name of the image.
    packages: BTreeMap<String, Package>,
}

/// The versions of one image.
#[derive(Debug, Default)]
struct Package {
    /// By digest.
    manifests: BTreeMap<String, Manifest>,
    tags: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
struct Manifest {
    media_type: String,
    content: Bytes,
    uploaded: DateTime<Utc>,
}

/// A blob on its way.
#[derive(Debug)]
struct Upload {
    of: Name,
    content: BytesMut,
}

impl Registry {
    /// A repository is no longer there.
    pub(super) fn forget(&mut self, repository: &str) {
        self.repositories.remove(repository);
        self.uploads
            .retain(|_, upload| upload.of.repository != repository);
        self.downloads.retain(|_, (of, _)| of != repository);
    }

    fn contents(&mut self, repository: &str) -> &mut Contents {
        self.repositories.entry(repository.to_owned()).or_default()
    }
}

/// The name of an image, read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Name {
    /// `project/repository/image`
    whole: String,
    /// The resource of its repository: `projects/p/locations/l/repositories/r`.
    repository: String,
    image: String,
}

impl Name {
    /// Reads one below a region's host.
    fn read(region: &str, whole: &str) -> Attempt<Self> {
        let is_part = |part: &str| {
            let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
            let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            part.bytes().all(known) && part.starts_with(ends) && part.ends_with(ends)
        };
        let mut parts = whole.splitn(3, '/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(project), Some(repository), Some(image)) if whole.split('/').all(is_part) => Ok(Self {
                whole: whole.to_owned(),
                repository: format!("projects/{project}/locations/{region}/repositories/{repository}"),
                image: image.to_owned(),
            }),
            _ => {
                let what = format!("`{whole}` is not project/repository/image in lower-case letters");
                Err(Problem::new(400, "NAME_INVALID", what))
            }
        }
    }
}

/// A request, read.
struct Asked<'a> {
    method: &'a Method,
    parts: &'a Parts,
    host: &'a str,
    region: &'a str,
    query: Vec<(String, String)>,
    body: Bytes,
}

impl Asked<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        server::header(&self.parts.headers, name)
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        let mut all = self.query.iter();
        all.find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether this may be done with an image whose repository is there.
    fn may(&self, shared: &Shared, state: &State, name: &Name, action: Action) -> Attempt<()> {
        auth::check(state, self, Some((name, action)))?;
        if !state.enabled.contains(REPOSITORY.host) {
            let refusal = super::route::disabled(shared, REPOSITORY.host, "Artifact Registry API");
            return Err(Problem::of(&refusal));
        }
        let permission = action.permission();
        let denied = || {
            let what = format!(
                "Permission \"{permission}\" denied on resource \"{}\" (or it may not exist)",
                name.repository
            );
            Problem::new(403, "DENIED", what)
        };
        let is_ours = name
            .repository
            .starts_with(&format!("projects/{}/", shared.options.project));
        let headers = &self.parts.headers;
        let may = rights::check(state, shared, headers, permission, &name.repository).is_ok();
        if !is_ours || !may || state.knobs.is_denied(permission, &name.repository) {
            return Err(denied());
        }
        let id = name.repository.rsplit('/').next().unwrap_or_default();
        let missing = || Problem::new(404, "NAME_UNKNOWN", format!("Repository \"{id}\" not found"));
        let repository = state.get(&REPOSITORY, &name.repository).map_err(|_| missing())?;
        // One that is still being made is not there yet.
        if state.is_busy(&name.repository) {
            return Err(missing());
        }
        if repository.body["format"] != "DOCKER" {
            let what = format!("the repository \"{id}\" is not for images");
            return Err(Problem::new(400, "UNSUPPORTED", what));
        }
        if action == Action::Push && repository.body["mode"] != "STANDARD_REPOSITORY" {
            let what = format!("the repository \"{id}\" takes no uploads");
            return Err(Problem::new(400, "UNSUPPORTED", what));
        }
        Ok(())
    }
}

/// Answers a request to a host of repositories.
pub(super) fn answer(shared: &Shared, host: &str, parts: &Parts, body: Bytes) -> Answer {
    let query = parts.uri.query().unwrap_or_default();
    let asked = Asked {
        method: &parts.method,
        parts,
        host,
        region: host.trim_end_matches(HOSTS),
        query: url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect(),
        body,
    };
    let mut answer = dispatch(shared, &asked).unwrap_or_else(|problem| problem.answer());
    let version = HeaderValue::from_static("registry/2.0");
    answer.headers_mut().insert(
        HeaderName::from_static("docker-distribution-api-version"),
        version,
    );
    answer
}

/// A refusal that comes before all else, in the registry's form.
pub(super) fn refused(refusal: &Refusal) -> Answer {
    Problem::of(refusal).answer()
}

fn dispatch(shared: &Shared, asked: &Asked<'_>) -> Attempt<Answer> {
    let path = asked.parts.uri.path();
    if !shared.options.regions.iter().any(|region| region == asked.region) {
        return Err(Problem::new(
            404,
            "NAME_UNKNOWN",
            "no repository is in this region",
        ));
    }
    let mut state = shared.lock();
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match segments.as_slice() {
        ["v2", ""] | ["v2"] => {
            auth::check(&state, asked, None)?;
            Ok(server::json(StatusCode::OK, &serde_json::json!({})))
        }
        ["v2", "token"] => auth::token(&mut state, asked),
        [UPLOADS, "namespaces", _, "repositories", _, "uploads", id] => {
            blobs::upload(shared, &mut state, asked, id)
        }
        [DOWNLOADS, "namespaces", _, "repositories", _, "downloads", id] => {
            blobs::download(&state, asked, id)
        }
        ["v2", name @ .., "blobs", "uploads", ""] | ["v2", name @ .., "blobs", "uploads"] => {
            let name = Name::read(asked.region, &name.join("/"))?;
            blobs::begin(shared, &mut state, asked, &name)
        }
        ["v2", name @ .., "blobs", digest] => {
            let name = Name::read(asked.region, &name.join("/"))?;
            blobs::blob(shared, &mut state, asked, &name, digest)
        }
        ["v2", name @ .., "manifests", reference] => {
            let name = Name::read(asked.region, &name.join("/"))?;
            manifests::manifest(shared, &mut state, asked, &name, reference)
        }
        ["v2", name @ .., "tags", "list"] => {
            let name = Name::read(asked.region, &name.join("/"))?;
            manifests::tags(shared, &state, asked, &name)
        }
        _ => Err(Problem::new(
            404,
            "NAME_UNKNOWN",
            format!("there is nothing at {path}"),
        )),
    }
}

/// An answer with headers.
fn with(status: StatusCode, headers: &[(&'static str, &str)], body: Bytes) -> Answer {
    let mut answer = server::answer(status, body);
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            answer.headers_mut().insert(*name, value);
        }
    }
    answer
}

/// A digest's text, if it is one that there is: `sha256:` and 64 digits.
fn is_digest(text: &str) -> bool {
    let digits = text.strip_prefix("sha256:").unwrap_or_default();
    digits.len() == 64
        && digits
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn digest(content: &[u8]) -> String {
    use sha2::Digest as _;
    let sum = sha2::Sha256::digest(content);
    let digits: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

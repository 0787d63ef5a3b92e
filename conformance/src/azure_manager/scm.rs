//! The SCM host of a site of Flex Consumption: it takes packages, one at a time, and tells how far one is.
//!
//! As `az functionapp deployment source config-zip` asks it; see this folder's README.

use std::io::{Cursor, Read as _};
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::error::Refusal;
use super::request::Asked;
use super::resource::{Resource, moment};
use super::state::{Shared, State};
use super::token;
use crate::server::{self, Answer};

const BUILDING: i64 = 1;
const DEPLOYING: i64 = 2;
const FAILED: i64 = 3;
const SUCCESS: i64 = 4;

/// What a site's SCM host knows.
#[derive(Debug, Clone, Default)]
pub(super) struct Site {
    pub(super) published: Vec<Published>,
    runs: Vec<Run>,
}

/// A package that a site runs, or ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The zip.
    pub bytes: Bytes,
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: String,
    /// When it was done.
    pub at: DateTime<Utc>,
}

#[derive(Debug, Clone)]
struct Run {
    id: String,
    status: i64,
    text: String,
    deployer: String,
    lines: Vec<(DateTime<Utc>, String)>,
    started: DateTime<Utc>,
    ended: Option<DateTime<Utc>>,
}

impl Run {
    fn view(&self, site: &str) -> Value {
        json!({
            "id": self.id, "status": self.status, "status_text": self.text, "author_email": "N/A", "author": "N/A", "deployer": self.deployer,
            "message": "Created via a push deployment", "progress": "", "received_time": moment(self.started), "start_time": moment(self.started),
            "end_time": self.ended.map(moment), "complete": self.ended.is_some(), "active": self.status == SUCCESS, "is_temp": false,
            "is_readonly": true, "site_name": site, "log_url": format!("https://{site}.scm.azurewebsites.net/api/deployments/{}/log", self.id),
            "url": format!("https://{site}.scm.azurewebsites.net/api/deployments/{}", self.id),
        })
    }
}

/// A site of this name that is there.
fn find<'a>(state: &'a State, name: &str) -> Option<&'a Resource> {
    state
        .resources
        .values()
        .find(|one| one.kind.name == "Microsoft.Web/sites" && one.id.own_name().eq_ignore_ascii_case(name))
}

/// A request below `/scm/<site>`.
pub(super) fn ask(shared: &Arc<Shared>, asked: &Asked, site: &str, rest: &[String]) -> Answer {
    {
        let mut state = shared.lock();
        if find(&state, site).is_none() {
            return server::answer(StatusCode::NOT_FOUND, "");
        }
        if let Some(left) = state
            .knobs
            .away
            .get_mut(&site.to_ascii_lowercase())
            .filter(|left| **left > 0)
        {
            *left -= 1;
            return server::answer(StatusCode::SERVICE_UNAVAILABLE, "The service is unavailable.");
        }
    }
    if let Some(answer) = token::check(shared, &asked.headers, token::MANAGEMENT) {
        return answer;
    }
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    match (&asked.method, rest.as_slice()) {
        (&Method::POST, ["api", "publish"]) => publish(shared, asked, site),
        (&Method::GET, ["api", "deployments"]) => {
            let state = shared.lock();
            let runs = state
                .sites
                .get(&site.to_ascii_lowercase())
                .map(|known| known.runs.clone());
            let list: Vec<Value> = runs
                .unwrap_or_default()
                .iter()
                .rev()
                .map(|run| run.view(site))
                .collect();
            server::json(StatusCode::OK, &list.into())
        }
        (&Method::GET, ["api", "deployments", id, log @ ..]) if log.is_empty() || log == ["log"] => {
            let state = shared.lock();
            let runs = state
                .sites
                .get(&site.to_ascii_lowercase())
                .map(|known| known.runs.as_slice())
                .unwrap_or_default();
            let run = match *id {
                "latest" => runs.last(),
                id => runs.iter().find(|run| run.id == id),
            };
            match run {
                None => server::answer(StatusCode::NOT_FOUND, format!("\"Deployment '{id}' not found.\"")),
                Some(run) if log.is_empty() => {
                    let status = if run.ended.is_some() {
                        StatusCode::OK
                    } else {
                        StatusCode::ACCEPTED
                    };
                    server::json(status, &run.view(site))
                }
                Some(run) => {
                    let lines = run.lines.iter().enumerate().map(|(at, (time, text))| {
                        json!({"log_time": moment(*time), "id": at.to_string(), "message": text, "type": 0, "details_url": null})
                    });
                    server::json(StatusCode::OK, &lines.collect())
                }
            }
        }
        _ => server::answer(StatusCode::NOT_FOUND, ""),
    }
}

fn publish(shared: &Arc<Shared>, asked: &Asked, site: &str) -> Answer {
    let action = "Microsoft.Web/sites/publish/Action";
    let key = site.to_ascii_lowercase();
    let mut state = shared.lock();
    let id = find(&state, site)
        .map(|one| one.id.text.clone())
        .unwrap_or_default();
    if state.knobs.is_denied(action, &id) {
        return token::unauthorized(shared, action, &id).answer();
    }
    let kind = asked
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if !kind.starts_with("application/zip") {
        return server::answer(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "\"The content type must be application/zip.\"",
        );
    }
    let known = state.sites.entry(key.clone()).or_default();
    if known.runs.last().is_some_and(|run| run.ended.is_none()) {
        return server::answer(
            StatusCode::CONFLICT,
            "\"There is a deployment currently in progress. Please try again when it completes.\"",
        );
    }
    let id = uuid::Uuid::new_v4().to_string();
    let now = Utc::now();
    known.runs.push(Run {
        id: id.clone(),
        status: 0,
        text: "Receiving changes.".to_owned(),
        deployer: asked.query.get("Deployer").unwrap_or("OneDeploy").to_owned(),
        lines: vec![(now, "Starting deployment pipeline.".to_owned())],
        started: now,
        ended: None,
    });
    let failure = state.knobs.publish.remove(&key);
    drop(state);
    let remote = asked
        .query
        .get("RemoteBuild")
        .is_some_and(|text| text.eq_ignore_ascii_case("true"));
    let task = go(Arc::clone(shared), key, asked.body.clone(), failure, remote);
    tokio::spawn(async move {
        // `None`: the stand-in is gone.
        let _ended = task.await;
    });
    let mut answer = server::json(StatusCode::ACCEPTED, &id.as_str().into());
    if let Ok(value) = HeaderValue::from_str(&format!("{}/scm/{site}/api/deployments/{id}", shared.url)) {
        answer.headers_mut().insert(LOCATION, value);
    }
    answer
}

async fn go(
    shared: Arc<Shared>,
    key: String,
    zip: Bytes,
    failure: Option<String>,
    remote: bool,
) -> Option<()> {
    if !shared.step().await {
        return None;
    }
    let checked = match (failure, remote) {
        (Some(failure), _) => Err(failure),
        (None, true) => {
            Err("[Kudu-OryxBuildStep] Oryx cannot build an app of the runtime custom.".to_owned())
        }
        (None, false) => check(&zip),
    };
    tell(&shared, &key, BUILDING, "[Kudu-ValidationStep] starting.")?;
    if !shared.step().await {
        return None;
    }
    if let Err(message) = checked {
        tell(&shared, &key, FAILED, &message)?;
        return Some(());
    }
    tell(&shared, &key, DEPLOYING, "[Kudu-UploadPackageStep] starting.")?;
    if !shared.step().await {
        return None;
    }
    if let Some(publish) = &shared.options.publish
        && let Err(message) = publish.take(key.clone(), zip.clone()).await
    {
        tell(
            &shared,
            &key,
            FAILED,
            &format!("[Kudu-UploadPackageStep] {message}"),
        )?;
        return Some(());
    }
    {
        let mut state = shared.lock();
        let sha256 = Sha256::digest(&zip)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        state.sites.get_mut(&key)?.published.push(Published {
            bytes: zip,
            sha256,
            at: Utc::now(),
        });
    }
    tell(&shared, &key, SUCCESS, "Deployment was successful.")
}

fn tell(shared: &Shared, key: &str, status: i64, line: &str) -> Option<()> {
    {
        let mut state = shared.lock();
        let run = state.sites.get_mut(key)?.runs.last_mut()?;
        run.status = status;
        run.lines.push((Utc::now(), line.to_owned()));
        run.text = match status {
            FAILED => line.to_owned(),
            SUCCESS => String::new(),
            _ => "Building and Deploying.".to_owned(),
        };
        if matches!(status, FAILED | SUCCESS) {
            run.ended = Some(Utc::now());
        }
    }
    shared.tell();
    Some(())
}

/// What a package must have for an app that is a custom handler.
fn check(zip: &Bytes) -> Result<(), String> {
    let wrong = |what: String| format!("[Kudu-ContentValidationStep] {what}");
    let mut archive = zip::ZipArchive::new(Cursor::new(zip.clone()))
        .map_err(|error| format!("[Kudu-ExtractZipStep] the package is no zip: {error}"))?;
    let mut text = String::new();
    archive
        .by_name("host.json")
        .map_err(|_| wrong("host.json is missing in the root of the package.".to_owned()))?
        .read_to_string(&mut text)
        .map_err(|error| wrong(format!("host.json cannot be read: {error}")))?;
    let host: Value =
        serde_json::from_str(&text).map_err(|error| wrong(format!("host.json is no JSON: {error}")))?;
    let path = host["customHandler"]["description"]["defaultExecutablePath"]
        .as_str()
        .ok_or_else(|| wrong("host.json names no customHandler.".to_owned()))?;
    let file = archive
        .by_name(path)
        .map_err(|_| wrong(format!("the custom handler '{path}' is missing.")))?;
    if file.unix_mode().is_some_and(|mode| mode & 0o111 != 0) {
        return Ok(());
    }
    Err(wrong(format!("the custom handler '{path}' is not executable.")))
}

/// `POST {site}/host/default/listkeys`
pub(super) fn list_keys(shared: &Shared, id: &str) -> Result<Answer, Refusal> {
    let state = shared.lock();
    let action = "Microsoft.Web/sites/host/listKeys/action";
    if state.knobs.is_denied(action, id) {
        return Err(token::unauthorized(shared, action, id));
    }
    let resource = state.resources.get(&super::id::key(id)).ok_or_else(|| {
        let name = id.rsplit('/').next().unwrap_or_default();
        Refusal::no_resource("Microsoft.Web/sites", name, "")
    })?;
    let key = master_key(resource.id.own_name());
    Ok(server::json(
        StatusCode::OK,
        &json!({"masterKey": key, "functionKeys": {"default": key}, "systemKeys": {}}),
    ))
}

/// A site's master key: made of its name, so that the host that runs the site can be given the same.
pub(super) fn master_key(site: &str) -> String {
    let digest = Sha256::digest(format!("master key of {}", site.to_ascii_lowercase()));
    base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE, digest)
}
